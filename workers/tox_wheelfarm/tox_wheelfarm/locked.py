"""What a lock file decides for an environment: found, held against the project, and reduced to one set.

Called by `decision`. The formats themselves are in `locks`; no index is asked, and a lock that does not match is
refused unless the settings soften it.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tox_wheelfarm.digests import digests
from tox_wheelfarm.errors import (
    ExtraNotFoundError,
    InstallerError,
    LockedDepsRequiredError,
    LockedDepVersionConflictError,
    LockFileError,
    RequiresUnsafeDepError,
    StaleLockError,
)
from tox_wheelfarm.locks.wish import Wish

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tox_wheelfarm.decision import Case
    from tox_wheelfarm.deps import DepsFolder
    from tox_wheelfarm.locks.lock import Lock
    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.locks.project import Project
    from tox_wheelfarm.options import Options
    from tox_wheelfarm.order import Order

LOGGER = logging.getLogger(__name__)

UNSAFE = frozenset({"pip", "setuptools", "wheel", "distribute"})
"""What older tools leave out of their lock files as unsafe to pin."""

PROJECT = ("pyproject.toml", "Pipfile")
"""The files in which a project says what it needs."""


class Reading(NamedTuple):
    """A lock file and the project, as they were read.

    Attributes:
        lock, project: what was read.
        files: the digest of each file that decides, by path, as it was read or was before.
    """

    lock: Lock
    project: Project
    files: Mapping[str, str]

    def holds(self) -> bool:
        """Whether all files are still what they were."""
        return digests(self.files) == self.files


def ahead(path: Path, root: Path, python: Path) -> Reading | None:
    """What `select` needs, read while something else is waited for; None if it cannot be, and `select` says why.

    Args:
        path: the lock file.
        root: the project's folder.
        python: the environment's interpreter, or the one that it is made of.
    """
    from tox_wheelfarm.locks import facts

    with suppress(InstallerError):
        facts.target(python)
        return _read(path, root)
    return None


def _read(path: Path, root: Path) -> Reading:
    from tox_wheelfarm.locks import files
    from tox_wheelfarm.locks.project import Project

    # Before they are read: what is changed while they are counts as another file than the one that was read.
    before = digests([path, *(folder / name for folder in (root, path.parent) for name in PROJECT)])
    project = Project.read(root)
    lock = files.read(path, project)
    return Reading(lock, project, {**lock.beside, **before})


def select(case: Case, order: Order) -> tuple[Reading, tuple[Pin, ...]]:
    """Read the lock file, check it, and take what is asked for.

    Raises:
        LockFileError, StaleLockError, LockedDepNotFoundError, LockedDepVersionConflictError, ExtraNotFoundError,
            RequiresUnsafeDepError: as they say.
        ConstraintsError: a constraint excludes a release that the lock file decides.
    """
    from tox_wheelfarm.locks import facts, flat

    if case.lockfile is None:
        raise LockFileError(f"{case.root} has no lock file")
    # What was read ahead may be another file by now: building the project takes its time.
    reading = case.ahead if case.ahead and case.ahead.holds() else _read(case.lockfile, case.root)
    lock, project, _ = reading
    wanted = wish(case.options, order)
    if not _aside(case, order, lock, wanted):
        _fresh(lock, lock.differences(project), case.options)
    target = facts.target(case.python)
    found = flat.implied(lock, project, wanted)
    chosen = lock.select(target, flat.without(wanted, found))
    flat.check(lock, project, found, chosen, target)
    own = {artifact.name for artifact in order.artifacts}
    pins = tuple(pin for pin in chosen if pin.name not in own)
    _unsafe(lock, pins)
    return reading, _bound(lock, pins, case.constraints, target.environment)


def _bound(
    lock: Lock, pins: tuple[Pin, ...], constraints: Sequence[Path], environment: Mapping[str, str]
) -> tuple[Pin, ...]:
    if not constraints:
        return pins
    from tox_wheelfarm import clashes
    from tox_wheelfarm.constraints import read

    bounds = clashes.holding(map(read, constraints), environment)
    clashes.refuse_pins(pins, str(lock.path), bounds)
    return clashes.hold_hashes(pins, bounds)


def _aside(case: Case, order: Order, lock: Lock, wanted: Wish) -> bool:
    """Whether the lock is a list for something beside the project, which need not hold what the project needs.

    Only a flat format can be that, and it has a name of its own: requirements.txt and pylock.toml are the project's.
    """
    if lock.format not in {"pylock", "requirements"} or order.artifacts or order.deps_only:
        return False
    if not wanted.project:
        return True
    own = {case.root / "pylock.toml", case.root / "requirements.txt"}
    return bool(case.options.lockfile and not case.options.install_project_deps and lock.path not in own)


def wish(options: Options, order: Order) -> Wish:
    """What an environment asks of its lock file.

    The project's own dependencies are wanted with the project. Without it they are wanted only where nothing else is
    named, so that a lock file that is one flat list is installed as it is; `deps` are something else for a lock file
    that was only found (an environment for a linter, say).

    Raises:
        LockedDepVersionConflictError, ExtraNotFoundError: a name of locked_deps is more than a name.
    """
    names = tuple(dict.fromkeys(name(word) for word in options.locked_deps))
    groups = order.groups | options.poetry_dep_groups
    project = options.install_project_deps
    if project is None:
        installs = bool(order.artifacts) or order.deps_only
        loose = options.found and not order.lines.empty
        project = installs or not (names or groups or options.install_dev_deps or loose)
    extras = frozenset(extra for artifact in order.artifacts for extra in artifact.extras) | order.extras
    return Wish(project=project, extras=extras, groups=groups, dev=options.install_dev_deps, names=names)


def require(lines: Sequence[str], folders: Sequence[DepsFolder]) -> None:
    """Refuse what no lock file decides, with `require_locked_deps`.

    Raises:
        LockedDepsRequiredError: there is something.
    """
    loose = [*lines, *(str(folder.path) for folder in folders)]
    if loose:
        raise LockedDepsRequiredError(
            f"require_locked_deps is set, but no lock file decides {', '.join(loose)}: move the names to locked_deps"
        )


def _fresh(lock: Lock, differences: Iterable[str], options: Options) -> None:
    told = list(differences)
    if not told:
        return
    lines = "".join(f"\n - {line}" for line in told)
    message = f"{lock.path} does not match the project; lock again, or set stale_lock = warn:{lines}"
    if options.stale_lock == "error":
        raise StaleLockError(message)
    LOGGER.warning("%s", message)


def _unsafe(lock: Lock, pins: Sequence[Pin]) -> None:
    there = {pin.name for pin in pins}
    for pin in pins:
        if lacking := sorted(UNSAFE & set(pin.requires or ()) - there):
            raise RequiresUnsafeDepError(
                f"{pin.name} {pin.version} needs {', '.join(lacking)}, for which {lock.path} gives no exact version: "
                "lock again with a tool that does not leave it out, or name it in seed or deps"
            )


def name(word: str) -> str:
    """The normalised name that an entry of `locked_deps` is.

    Raises:
        LockedDepVersionConflictError, ExtraNotFoundError: it is more than a name.
    """
    try:
        requirement = Requirement(word)
    except InvalidRequirement:
        raise LockedDepVersionConflictError(f"locked_deps: {word!r} is not a name") from None
    if requirement.specifier or requirement.url or requirement.marker:
        raise LockedDepVersionConflictError(
            f"locked_deps: {word!r} says more than a name; the lock file decides versions, so write {requirement.name}"
        )
    if requirement.extras:
        raise ExtraNotFoundError(
            f"locked_deps: {word!r} names an extra; the lock file decides extras, so write {requirement.name}"
        )
    return str(canonicalize_name(requirement.name))
