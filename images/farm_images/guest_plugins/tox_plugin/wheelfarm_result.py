# -*- coding: utf-8 -*-
"""Keeps tox's result file small, and quick to make: what is installed without asking pip, no output of commands.

Loaded by wheelfarm_tox in tox 4 and by wheelfarm_tox3 in tox 3. It changes nothing else of the file.
"""

import os


def take_over(installer_class, journal_class):
    """For tox 4: its installer and its journal, where they are as we know them."""
    if hasattr(installer_class, "installed"):
        _list_installed_fast(installer_class)
    if hasattr(journal_class, "content"):
        _leave_output_out(journal_class)


def _list_installed_fast(installer_class):
    """`pip freeze` takes seconds in an emulated machine, and only the result file asks for it."""
    original = installer_class.installed

    def installed(self):
        try:
            names = os.listdir(str(self._env.env_site_package_dir()))
        except OSError:
            return original(self)
        suffix = ".dist-info"
        pairs = [name[: -len(suffix)].rpartition("-") for name in sorted(names) if name.endswith(suffix)]
        return ["%s==%s" % (name, version) for name, _, version in pairs]

    installer_class.installed = installed


def _leave_output_out(journal_class):
    """What commands print is in the log; in the result file it would make that as large as they like."""
    original = journal_class.content.fget

    def content(self):
        found = original(self)
        for each in found.get("setup", []) + found.get("test", []):
            each.update(output="", err="")
        return found

    journal_class.content = property(content)


def leave_output_out3(log_class):
    """As in tox 4."""
    original = log_class.add_command

    def add_command(self, argv, output, retcode):
        return original(self, argv, "", retcode)

    log_class.add_command = add_command
