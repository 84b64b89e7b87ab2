"""The windows: pages that people look at."""
