"""The environment for a package that something else builds: `--installpkg`, or commands of its own.

Registered by `plugin`. It is made by uv as the others are, and no build backend of the project runs in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tox.tox_env.python.virtual_env.package.cmd_builder import VenvCmdBuilder
from tox.tox_env.python.virtual_env.package.pyproject import Pep517VirtualEnvPackager

from tox_wheelfarm.packager import BuildEnvironment, Packager

if TYPE_CHECKING:
    from collections.abc import Generator

    from tox.tox_env.package import PackageToxEnv
    from tox.tox_env.runner import RunToxEnv


class ExternalPackager(BuildEnvironment, VenvCmdBuilder):
    """Takes a package that is there, or runs the commands that make one."""

    @staticmethod
    def id() -> str:
        """The word for tox."""
        return "wheelfarm-cmd-builder"

    def register_run_env(self, run_env: RunToxEnv) -> Generator[tuple[str, str], PackageToxEnv, None]:
        """As tox does it, with our packager where tox would take its own to read a source distribution."""
        stages = super().register_run_env(run_env)
        try:
            name, kind = next(stages)
            while True:
                ours = Packager.id() if kind == Pep517VirtualEnvPackager.id() else kind
                made = yield name, ours
                name, kind = stages.send(made)
        except StopIteration:
            return
