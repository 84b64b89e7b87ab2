"""One entry of a Pipfile.lock.

Read by `pipfile`. It never decides what is selected: an entry without an exact version becomes a pin without one,
which `pipfile` refuses when it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tox_wheelfarm.locks.condition import Condition, marker
from tox_wheelfarm.locks.entry import Entry, normalised, strong
from tox_wheelfarm.locks.graph import Release
from tox_wheelfarm.locks.origin import INDEX, Origin, archive, folder, repository
from tox_wheelfarm.locks.pin import Pin, PinnedFile

if TYPE_CHECKING:
    from pathlib import Path


VARIABLES = (
    "implementation_name",
    "os_name",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_full_version",
    "python_version",
    "sys_platform",
)


def release(name: str, entry: Entry, root: Path) -> Release:
    """One entry.

    Args:
        name: its key.
        entry: its table.
        root: the folder of the Pipfile.lock.

    Raises:
        LockFileError: something in it is not what pipenv writes.
    """
    origin = _origin(entry, root)
    digests = tuple(dict.fromkeys(one for given in entry.texts("hashes") for one in strong(given, entry)))
    pin = Pin(
        normalised(name, entry),
        _version(entry),
        (PinnedFile("", digests),) if digests else (),
        origin.reference,
        origin.editable,
        origin.subdirectory,
        frozenset(normalised(extra, entry) for extra in entry.texts("extras")),
    )
    return Release(pin, condition(entry))


def condition(entry: Entry) -> Condition:
    """For which environments an entry is: `markers`, and the variables of PEP 508 that pipenv takes as keys.

    Raises:
        LockFileError: they are no markers.
    """
    found = marker(entry.text("markers"), entry)
    for variable in VARIABLES:
        if variable in entry.data:
            found &= marker(f"{variable} {entry.text(variable)}", entry)
    return found


def _version(entry: Entry) -> str:
    given = entry.text("version")
    if given in {"", "*"}:
        return ""
    exact = given.lstrip("=")
    if not given.startswith("==") or not exact:
        raise entry.wrong(f"the version {given[:80]!r} is not exact")
    return Entry(entry.file, entry.where, {"version": exact.strip()}).version()


def _origin(entry: Entry, root: Path) -> Origin:
    below = entry.text("subdirectory")
    if "git" in entry.data:
        url, _, fragment = entry.text("git").partition("#")
        for part in fragment.split("&"):
            below = below or (part[len("subdirectory=") :] if part.startswith("subdirectory=") else "")
        return repository(entry, url, entry.text("ref"), below, root)
    for other in ("hg", "svn", "bzr"):
        if other in entry.data:
            raise entry.wrong(
                f"it comes from a repository of {other}, which is not installed from: only git is"
            )
    given = entry.text("file") or entry.text("path")
    if "://" in given:
        return archive(entry, given.split("#")[0], below)
    return folder(entry, given, root, editable=entry.flag("editable"), subdirectory=below) if given else INDEX
