"""Which way of deciding an environment takes, where it does not say so itself.

Called by the runner. A lock file that is told, or the only one that is found, decides; then constraints; else the
newest releases do. No lock file is read here.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tox_wheelfarm import options
from tox_wheelfarm.errors import ConstraintsError, LockFileError

if TYPE_CHECKING:
    from tox_wheelfarm.options import Options

LOGGER = logging.getLogger(__name__)


def choose(settings: Options, root: Path) -> tuple[Options, Path | None]:
    """The settings with `installer = auto` replaced, and the lock file if one decides.

    Args:
        settings: as read.
        root: the project's folder.

    Raises:
        LockFileError: a lock file is asked for, and is not there, or there are several.
        ConstraintsError: constraints are asked for, and there are none.
    """
    lockfile = _lockfile(settings, root)
    if settings.installer == options.AUTO:
        other = options.CONSTRAINTS if settings.constraints else options.LATEST
        found = lockfile is not None and not _names_a_lock(settings)
        settings = replace(settings, installer=options.LOCKFILE if lockfile else other, found=found)
    if settings.installer == options.CONSTRAINTS and not settings.constraints:
        raise ConstraintsError("installer = constraints, but constraints names no file, URL or line")
    if settings.constraints and settings.installer in {options.LATEST, options.LOWEST}:
        LOGGER.warning("constraints are not applied with installer = %s", settings.installer)
    return settings, lockfile


def _lockfile(settings: Options, root: Path) -> Path | None:
    if settings.installer not in {options.LOCKFILE, options.AUTO}:
        return None
    from tox_wheelfarm.locks import files

    if settings.installer == options.LOCKFILE or _names_a_lock(settings):
        return Path(files.find(root, settings.lockfile))
    if settings.constraints:
        return None
    try:
        return Path(files.find(root, ""))
    except LockFileError as wrong:
        LOGGER.debug("no lock file: %s", wrong)
        return None


def _names_a_lock(settings: Options) -> bool:
    told = (settings.lockfile, settings.locked_deps, settings.poetry_dep_groups)
    return any(told) or settings.require_locked_deps or settings.install_dev_deps
