"""A selected set, held to what every selected set must be.

Called by the formats at the end of `select`. It never changes what was selected: it is one release of each name, each
with a file that this interpreter takes, or it is refused.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from tox_wheelfarm.errors import ExtraNotFoundError, LockedDepNotFoundError, LockFileError
from tox_wheelfarm.locks.trust import DistrustError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from packaging.tags import Tag

    from tox_wheelfarm.locks.pin import Pin, PinnedFile
    from tox_wheelfarm.locks.target import Target


def exact(path: Path, pins: Iterable[Pin], target: Target) -> tuple[Pin, ...]:
    """The set, by name.

    Raises:
        LockFileError: two releases of one name, or a release without a file for this interpreter.
    """
    found: dict[str, Pin] = {}
    for pin in pins:
        other = found.setdefault(pin.name, pin)
        if other != pin:
            told = " and ".join(sorted(each.version or each.reference for each in (other, pin)))
            raise LockFileError(f"{path} selects {pin.name} twice for this interpreter: {told}")
        if pin.files and not pin.reference and best(pin.files, target) is None:
            python = target.environment["python_full_version"]
            there = target.environment["sys_platform"]
            raise LockFileError(
                f"{path} has no file of {pin.name} {pin.version} for Python {python} on {there}, and no source"
            )
    return tuple(found[name] for name in sorted(found))


def best(files: Sequence[PinnedFile], target: Target) -> PinnedFile | None:
    """The file that this interpreter would take: the best wheel, or the source, or None.

    A file without a name, of which nobody can tell, fits.
    """
    ranks = target.ranks
    found: tuple[int, PinnedFile] | None = None
    for file in files:
        rank = _rank(file.name, ranks)
        if rank is not None and (found is None or rank < found[0]):
            found = (rank, file)
    return found[1] if found else None


def _rank(name: str, ranks: Mapping[Tag, int]) -> int | None:
    if not name:
        return 0
    if not name.endswith(".whl"):
        return len(ranks)
    return min((ranks[tag] for tag in _tags(name) if tag in ranks), default=None)


@lru_cache(maxsize=4096)
def _tags(name: str) -> frozenset[Tag]:
    try:
        return frozenset(parse_wheel_filename(name)[3])
    except ValueError as wrong:
        raise DistrustError(f"{name!r} is no name of a wheel: {wrong}") from wrong


def no_such_package(path: Path, name: str, known: Collection[str]) -> LockedDepNotFoundError:
    """The error for a locked dependency that is not there, with the nearest names."""
    why = "not for this interpreter and platform" if name in known else "not in it"
    return LockedDepNotFoundError(
        f"locked_deps: {name} cannot be taken from {path}: {why}{_near(name, known)}"
    )


def no_such_extra(path: Path, kind: str, name: str, known: Collection[str]) -> ExtraNotFoundError:
    """The error for an extra or a group that is not there.

    Args:
        path: of the lock.
        kind: `extra` or `group`, as it is told.
        name: the one that is asked for.
        known: those that there are.
    """
    has = f"it has {', '.join(sorted(known)[:20])}" if known else "it has none"
    return ExtraNotFoundError(f"{path} has no {kind} {name!r}; {has}")


def _near(name: str, known: Collection[str]) -> str:
    near = [other for other in get_close_matches(name, known, n=3) if other != name]
    return f" (near: {', '.join(near)})" if near else ""
