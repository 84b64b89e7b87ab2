"""What tox loads: the runner, its packagers, and the flags of the command line.

Called by tox, through the entry point. It never reads a setting itself, and imports nothing that a run without this
runner does not need.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

from tox.plugin import impl

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from tox.execute.api import Outcome
    from tox.tox_env.api import ToxEnv
    from tox.tox_env.register import ToxEnvRegister

SWITCH = "WHEELFARM_TOX"
"""Set to anything but "" or "0" it makes this the runner of every environment that names none."""


@impl
def tox_register_tox_env(register: ToxEnvRegister) -> None:
    """Add the runner and its packagers; the default runner stays tox's own unless WHEELFARM_TOX says otherwise."""
    from tox_wheelfarm.external import ExternalPackager
    from tox_wheelfarm.packager import Packager
    from tox_wheelfarm.runner import Runner

    before = register.default_env_runner
    register.add_run_env(Runner)
    register.add_package_env(Packager)
    register.add_package_env(ExternalPackager)
    if os.environ.get(SWITCH, "0") not in {"", "0"}:
        register.default_env_runner = Runner.id()
    elif before:
        register.default_env_runner = before
    # What is loaded by now stays until the end: looking through it for garbage, last when the process ends, takes a
    # tenth of a run that has nothing to do.
    gc.freeze()


@impl
def tox_before_run_commands(tox_env: ToxEnv) -> None:
    """Look at every file of a fresh environment while its commands run."""
    if verify := getattr(tox_env, "verify", None):
        verify()


@impl
def tox_after_run_commands(tox_env: ToxEnv, exit_code: int, outcomes: list[Outcome]) -> None:  # noqa: ARG001 - tox's
    """Fail the environment if a file is not as it was installed.

    Raises:
        ShownError: one is not.
    """
    if verified := getattr(tox_env, "verified", None):
        verified()


@impl(trylast=True)
def tox_add_option(parser: ArgumentParser) -> None:
    """Add the flags; each has a setting of the same meaning, which it overrides."""
    from tox_wheelfarm.flags import add

    add(parser)
