"""The look at every file of a fresh environment, which takes place while its commands run.

Begun and ended by the plugin's hooks around the commands. Only what was just installed into an empty environment waits
for it: no verdict is given before it has ended, and what it finds fails the environment.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from tox_wheelfarm import damage, installed, seal, state
from tox_wheelfarm.errors import DamagedError, InstallFailedError

if TYPE_CHECKING:
    from pathlib import Path


class Verification:
    """One look, in a thread of its own.

    Args:
        folder: the environment.
        sites: the folders of its packages.
    """

    def __init__(self, folder: Path, sites: tuple[Path, ...]) -> None:
        self._folder, self._sites = folder, sites
        self._begun = time.time_ns()
        pool = ThreadPoolExecutor(1, "verification")
        self._looking = pool.submit(self._look)
        pool.shutdown(wait=False)

    def _look(self) -> tuple[dict[str, int], list[damage.Damage]]:
        """The seal, and what is damaged; the seal first: what goes in between breaks it."""
        infos = [info for _, info in installed.names(self._sites).values()]
        return seal.taken(self._sites, infos), list(damage.find(self._sites))

    def end(self) -> None:
        """Wait for it, and keep what it found: the next run need not look again.

        Raises:
            InstallFailedError: a file is not as it was installed; the state is gone, so that the next run starts anew.
        """
        try:
            sealed, damaged = self._looking.result()
        except (DamagedError, OSError):
            return  # a command takes out and puts in: the next run sees what it has left, as ever
        if ours := [each for each in damaged if not self._is_of_a_command(each.path)]:
            state.remove(self._folder)
            raise InstallFailedError(
                f"{'; '.join(each.told for each in ours)} right after it was installed; what uv's cache has of it is "
                f"damaged: run `uv cache clean {' '.join(each.name for each in ours)}`"
            )
        held = state.read(self._folder)
        if held is not None and not damaged:
            replace(held, folders=sealed, verified=True).write(self._folder)

    def _is_of_a_command(self, path: Path) -> bool:
        """Whether a command changed it or took it away: the environment is then rebuilt by the next run, as ever."""
        there = path if os.path.lexists(path) else path.parent
        try:
            return there.lstat().st_mtime_ns >= self._begun
        except OSError:
            return True
