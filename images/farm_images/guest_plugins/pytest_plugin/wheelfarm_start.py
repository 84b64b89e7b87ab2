# -*- coding: utf-8 -*-
"""Waits in a Python process until it imports pytest or unittest, and then loads the plugin for it.

`sitecustomize` beside it runs it, or a .pth file in the environment (`wheelfarm_tox`), which works where a command sets
PYTHONPATH anew or ignores it; both give it FOLDER. Until then nothing of the process is touched but `sys.meta_path`. What it
loads has no file names, so that coverage does not count it. Python 2.7 to the newest.
"""

import os
import sys
import types

_SUITE = "unittest.suite"
_MAIN = "unittest.main"
_PYTEST = "_pytest.config"


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


def patch_pytest(config_module):
    """Have the session that the environment's command starts load the plugin; later ones of the process do not."""
    original = config_module._prepareconfig

    def _prepareconfig(args=None, plugins=None, **named):
        if "WHEELFARM_RESULTS" in os.environ and not isinstance(plugins, str):
            load("wheelfarm_stream")
            plugins = [load("wheelfarm_pytest")] + list(plugins or ())
        return original(args, plugins, **named)

    config_module._prepareconfig = _prepareconfig


def patch(module):
    """Let a module that others have loaded report, as soon as it runs something."""
    if module.__name__ == _PYTEST:
        patch_pytest(module)
        return
    load("wheelfarm_stream")
    plugin = load("wheelfarm_unittest")
    (plugin.patch if module.__name__ == _SUITE else plugin.patch_program)(module)


class WheelfarmFinder(object):
    """Finds nothing itself; a module of pytest and two of unittest are patched when the others have loaded them."""

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
                patch(module)

            loader.exec_module = exec_module
        return spec

    def find_module(self, name, path=None):
        """For Python 2.7."""
        return self if self._is_awaited(name) else None

    def load_module(self, name):
        """For Python 2.7."""
        import imp

        parent, _, last = name.rpartition(".")
        file, path, description = imp.find_module(last, sys.modules[parent].__path__)
        try:
            module = imp.load_module(name, file, path, description)
        finally:
            if file:
                file.close()
        patch(module)
        return module

    def _is_awaited(self, name):
        """Whether it is one of them, for the first time."""
        if name not in self._waits_for:
            return False
        self._waits_for.remove(name)
        return True


if not any(type(each).__name__ == WheelfarmFinder.__name__ for each in sys.meta_path):
    sys.meta_path.insert(0, WheelfarmFinder())
