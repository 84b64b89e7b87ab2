# -*- coding: utf-8 -*-
"""Starts the plugins for tests in a process of a tox environment's commands, then makes way for the project's own.

Python imports it at its start, as our folder comes first on PYTHONPATH. It never stands in for another
`sitecustomize`: the one that there would be without it is imported, and known by the name.
"""

import os
import sys


def _start(folder):
    with open(os.path.join(folder, "wheelfarm_start.py")) as source:
        # No name of a file: what measures coverage counts files, and ours are not the project's.
        code = compile(source.read(), "<wheelfarm_start>", "exec")
    exec(code, {"__name__": "wheelfarm_start", "__file__": "<wheelfarm_start>", "FOLDER": folder})


def _import_the_other(folder):
    ours = sys.modules.pop("sitecustomize")
    places = [place for place, path in enumerate(sys.path) if path == folder]
    for place in reversed(places):
        del sys.path[place]
    try:
        import sitecustomize  # noqa: F401 - for what it does
    except ImportError as error:
        if "sitecustomize" not in str(error):
            raise
    finally:
        for place in places:
            sys.path.insert(place, folder)
        # Python looks for the module that it began to import.
        sys.modules.setdefault("sitecustomize", ours)


_folder = os.path.dirname(os.path.abspath(__file__))
if "WHEELFARM_RESULTS" in os.environ:
    _start(_folder)
_import_the_other(_folder)
