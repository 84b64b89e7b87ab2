"""Needs six, and tells which one it has."""

import six

release = six.__version__
