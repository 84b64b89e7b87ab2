# -*- coding: utf-8 -*-
"""Lets tox-uv's lock runner install from the machine's own package index.

`wheelfarm_tox` calls it in the farm only, in the tox that has tox-uv. A uv.lock names the index that it was made with
and the address of each file; from a machine neither can be reached, and uv takes a lock of another index for one that
is out of date. While `uv sync` runs, the file names the machine's index instead: versions and hashes stay what they are,
and afterwards the project has its own file again. What is locked to any index but PyPI is left as it is.
"""

import io
import os
import re

from wheelfarm_uv import CONFIGURATION

_PYPI = re.compile(r'registry = "https://pypi\.org/simple/?"')
_FILE = re.compile(r'url = "https://files\.pythonhosted\.org/[^"]*/([^"/]+)"')
_LARGEST = 64 * 1024 * 1024


def take_over(lock_runner_class):
    """Let every environment of tox-uv's lock runner be made with the lock of the machine's index."""
    original = lock_runner_class._setup_env

    def _setup_env(self):
        path = lock_of(self)
        if path is None:
            return original(self)
        with io.open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        write(path, rewritten(text, machine_index()))
        try:
            return original(self)
        finally:
            write(path, text)

    lock_runner_class._setup_env = _setup_env


def lock_of(tox_env):
    """The path of the environment's uv.lock; None when there is none to rewrite."""
    root = os.path.join(str(tox_env.core["tox_root"]), str(tox_env.conf["package_root"]))
    path = os.path.join(root, "uv.lock")
    if not os.path.isfile(path) or os.path.islink(path) or os.path.getsize(path) > _LARGEST:
        return None
    return path


def machine_index():
    """The address of the index, as uv's own settings in the image have it; uv compares it letter by letter."""
    with io.open(CONFIGURATION, encoding="utf-8") as file:
        return re.search(r'^url = "([^"]+)"', file.read(), re.MULTILINE).group(1)


def rewritten(text, index):
    """The lock file with PyPI replaced by this index, whose files lie at `files/PROJECT/FILENAME` beside `simple/`."""
    files = index.rstrip("/").rsplit("/", 1)[0] + "/files/"
    lines, name = [], ""
    for line in text.split("\n"):
        if line.startswith('name = "'):
            name = line.split('"')[1]
        line = _PYPI.sub('registry = "%s"' % index, line)
        lines.append(_FILE.sub(lambda match: 'url = "%s%s/%s"' % (files, name, match.group(1)), line))
    return "\n".join(lines)


def write(path, text):
    """Write the file anew."""
    with io.open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
