"""The doors: the HTTP application."""
