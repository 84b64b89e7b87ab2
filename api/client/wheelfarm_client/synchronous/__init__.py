"""Generated from the folder `asynchronous` by tests/client/generated.py; not edited by hand."""
