# -*- coding: utf-8 -*-
"""The .pth file by which an environment's Python starts the plugins for tests, as long as its commands run.

`wheelfarm_tox` and `wheelfarm_tox3` call it. It serves where a command does not take PYTHONPATH as it is given (`python -I`,
`PYTHONPATH=src pytest`). Afterwards the environment holds what was asked for. Nothing is done for tox by hand.
"""

import os

LINE = (
    "import os; exec(\"if '{variable}' in os.environ:\\n with open('{file}') as f: "
    "exec(compile(f.read(), '<wheelfarm_start>', 'exec'), "
    "{{'__name__': 'wheelfarm_start', '__file__': '<wheelfarm_start>', 'FOLDER': '{folder}'}})\")\n"
)
"""What `site` executes as the interpreter starts, the same to Python 2.7 and 3."""


def start_plugins_in(site_packages, variable, folder):
    """Have the plugins of this folder started where the environment variable is set."""
    if os.path.isdir(str(site_packages)):
        with open(_path(site_packages), "w") as pth:
            start = os.path.join(folder, "wheelfarm_start.py")
            pth.write(LINE.format(variable=variable, file=start, folder=folder))


def leave(site_packages):
    """Take the file out again."""
    if os.path.exists(_path(site_packages)):
        os.remove(_path(site_packages))


def _path(site_packages):
    return os.path.join(str(site_packages), "wheelfarm_start.pth")
