"""A toy, installed in place.

It does nothing.
"""

__version__ = "3.0"
