"""Which way of deciding an environment takes, where it does not say so itself.

Called by the runner. A lock file that is told or found decides, and constraints beside it must agree with it; then
constraints do; else the newest releases. It never guesses between several lock files, and no lock is read here.
"""

from __future__ import annotations

import logging
import os
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
        LockFileError: a lock file is asked for, and is not there; or there are several, or what has the name of one
            is no file: which set is meant is then never guessed.
        ConstraintsError: constraints are asked for, and there are none.
    """
    lockfile = _lockfile(settings, root)
    if lockfile is None:
        _tell(settings)
    elif settings.cutoff:
        LOGGER.log(
            _level(),
            "cutoff means nothing where a lock file decides: %s was made with its own",
            lockfile.name,
        )
    if settings.installer == options.AUTO:
        other = options.CONSTRAINTS if settings.constraints else options.LATEST
        found = lockfile is not None and not _names_a_lock(settings)
        settings = replace(settings, installer=options.LOCKFILE if lockfile else other, found=found)
    if settings.installer == options.CONSTRAINTS and not settings.constraints:
        raise ConstraintsError("installer = constraints, but constraints names no file, URL or line")
    if settings.constraints and settings.installer in {options.LATEST, options.LOWEST}:
        LOGGER.warning("constraints are not applied with installer = %s", settings.installer)
    return settings, lockfile


def _tell(settings: Options) -> None:
    """Name what is set for a lock file though none is read; what names dependencies is honoured without one."""
    told = {
        "lockfile": settings.lockfile,
        "require_locked_deps": settings.require_locked_deps,
        "stale_lock": settings.stale_lock != "error",
        "allow_unhashed": settings.allow_unhashed,
    }
    for name in (name for name, value in told.items() if value and settings.installer != options.AUTO):
        LOGGER.log(
            _level(), "%s means nothing with installer = %s: no lock file is read", name, settings.installer
        )


def _level() -> int:
    # The farm asks for the same environment in several ways: there it is no mistake.
    return logging.INFO if os.environ.get(options.INSTALLER_VARIABLE) else logging.WARNING


def _lockfile(settings: Options, root: Path) -> Path | None:
    if settings.installer not in {options.LOCKFILE, options.AUTO}:
        return None
    from tox_wheelfarm.locks import files

    if settings.installer == options.LOCKFILE or _names_a_lock(settings):
        return Path(files.find(root, settings.lockfile))
    try:
        return files.found(root)
    except LockFileError as wrong:
        raise LockFileError(f"{wrong}, or say that none decides (installer = latest)") from None


def _names_a_lock(settings: Options) -> bool:
    told = (settings.lockfile, settings.locked_deps, settings.poetry_dep_groups)
    return any(told) or settings.require_locked_deps or settings.install_dev_deps
