# -*- coding: utf-8 -*-
"""Waits in a Python process until it imports pytest or unittest, and then loads the plugin for it.

`sitecustomize` beside it runs it, and gives it FOLDER. Until then nothing of the process is touched but
`sys.meta_path`. What it loads has no file names, so that coverage does not count it. Python 2.7 to the newest.
"""

import os
import sys
import types

_SUITE = "unittest.suite"
_MAIN = "unittest.main"
_PYTEST = "_pytest"


def load(name):
    """A module of ours, in `sys.modules` from now on."""
    if name not in sys.modules:
        with open(os.path.join(FOLDER, name + ".py")) as source:  # noqa: F821 - given by sitecustomize
            code = compile(source.read(), "<%s>" % name, "exec")
        module = types.ModuleType(name)
        module.__file__ = "<%s>" % name
        module.FOLDER = FOLDER  # noqa: F821 - given by sitecustomize
        sys.modules[name] = module
        exec(code, module.__dict__)
    return sys.modules[name]


def load_pytest_plugin():
    """The plugin that pytest is about to import by its name."""
    load("wheelfarm_stream")
    load("wheelfarm_pytest")


def patch_unittest(module):
    """Let unittest report, as soon as it runs something."""
    load("wheelfarm_stream")
    plugin = load("wheelfarm_unittest")
    (plugin.patch if module.__name__ == _SUITE else plugin.patch_program)(module)


class Finder(object):
    """Finds nothing itself; two modules of unittest are patched when the others have loaded them."""

    def __init__(self):
        self._waits_for = {_SUITE, _MAIN, _PYTEST}

    def find_spec(self, name, path=None, target=None):
        """For Python 3."""
        if not self._is_awaited(name):
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            loader = spec.loader
            execute = loader.exec_module

            def exec_module(module):
                del loader.exec_module
                execute(module)
                patch_unittest(module)

            loader.exec_module = exec_module
        return spec

    def find_module(self, name, path=None):
        """For Python 2.7."""
        return self if self._is_awaited(name) else None

    def load_module(self, name):
        """For Python 2.7."""
        import imp

        file, path, description = imp.find_module(name.rpartition(".")[2], sys.modules["unittest"].__path__)
        try:
            module = imp.load_module(name, file, path, description)
        finally:
            file.close()
        patch_unittest(module)
        return module

    def _is_awaited(self, name):
        """Whether this is unittest's suite or main, for the first time; pytest needs nothing but its plugin."""
        if name not in self._waits_for:
            return False
        self._waits_for.remove(name)
        if name == _PYTEST:
            load_pytest_plugin()
            return False
        return True


sys.meta_path.insert(0, Finder())
