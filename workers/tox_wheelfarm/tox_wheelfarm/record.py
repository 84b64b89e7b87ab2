"""What `--result-json` gains for each environment: which set it has, who decided it, and where each file came from.

Called by the runner, which puts it into tox's journal. It never holds a password, and never asks an index: what was
not known when the set was installed is not known here.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import tomli_w
from packaging.markers import Marker
from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    Pylock,
)
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tox_wheelfarm import constraints as constraint_files
from tox_wheelfarm.installed import names
from tox_wheelfarm.origins import Origin, origins
from tox_wheelfarm.urls import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tox_wheelfarm.decision import LockFile
    from tox_wheelfarm.locks.pin import Pin, PinnedFile
    from tox_wheelfarm.locks.target import Target

CREATOR = "tox-wheelfarm"
VCS = re.compile(r"^(?P<type>git|hg|bzr|svn)\+(?P<url>.+)@(?P<commit>[^@/]+)$")
SAID_OF = ("implementation_name", "platform_machine", "python_version", "sys_platform")
"""The marker variables that a set is recorded for."""


def entry(
    installer: str,
    pins: Sequence[Pin],
    pylock: str,
    sites: Iterable[Path],
    lock: LockFile | None = None,
    constraints: Iterable[Path] = (),
) -> dict[str, Any]:
    """What the record of one environment says, as JSON can hold it.

    Args:
        installer: `lockfile`, `constraints`, `latest` or `lowest`.
        pins: the set, `yanked` marked as far as is known.
        pylock: the same as the text of a pylock.toml: of `resolve`, or of `pylock_text`.
        sites: the environment's site-packages folders.
        lock: the lock file that decided, if one did.
        constraints: the files of `constraints.collect`.

    Returns:
        `installer`; `lock` (`path`, `sha256`, `format`, or None); `constraints` (`source`, `sha256` each); `set` (the
        text); `files` (`name`, `version`, `file`, `url`, `hash` each); `yanked` (`name`, `version`, `reason` each).
    """
    decided = {"path": str(lock.path), "sha256": lock.sha256, "format": lock.format} if lock else None
    return {
        "installer": installer,
        "lock": decided,
        "constraints": constraint_files.sources(constraints),
        "set": pylock,
        "files": [asdict(origin) for origin in origins(pins, sites)],
        "yanked": [
            {"name": pin.name, "version": pin.version, "reason": pin.yanked}
            for pin in pins
            if pin.yanked is not None
        ],
    }


def with_strays(record: Mapping[str, Any], sites: Iterable[Path]) -> dict[str, Any]:
    """The record with what came into the environment after it was made, by name and version: its origin is unknown.

    Args:
        record: of `entry`, or empty.
        sites: the environment's site-packages folders.
    """
    if "files" not in record:
        return dict(record)
    known = {file["name"] for file in record["files"]}
    later = [
        asdict(Origin(name, version)) for name, (version, _) in names(sites).items() if name not in known
    ]
    return {**record, "files": sorted([*record["files"], *later], key=lambda file: str(file["name"]))}


def pylock_text(pins: Sequence[Pin], target: Target) -> str:
    """A pylock.toml (PEP 751) of a set, for the interpreter that it was selected for and no other.

    A release of which nobody knows a file's name, its URL and a hash cannot stand in such a file as a package (`named`
    finds what it can); it is told in `[tool.wheelfarm] incomplete`, as a line of a requirements file.
    """
    packages = {pin.name: _package(pin) for pin in pins}
    missing = [_line(pin) for pin in pins if packages[pin.name] is None]
    conditions = [
        f"{name} == {target.environment[name]!r}" for name in SAID_OF if target.environment.get(name)
    ]
    lock = Pylock(
        lock_version=Version("1.0"),
        environments=[Marker(" and ".join(conditions))] if conditions else None,
        created_by=CREATOR,
        packages=[package for _, package in sorted(packages.items()) if package],
        tool={"wheelfarm": {"incomplete": missing}} if missing else None,
    )
    lock.validate()
    return tomli_w.dumps(dict(lock.to_dict()))


def _package(pin: Pin) -> Package | None:
    name = canonicalize_name(pin.name)
    version = _version(pin.version)
    inside = pin.subdirectory or None
    if pin.reference:
        vcs = VCS.match(pin.reference)
        if vcs:
            url = without_secrets(vcs["url"])
            place = PackageVcs(type=vcs["type"], url=url, commit_id=vcs["commit"], subdirectory=inside)
            return Package(name=name, version=version, vcs=place)
        hashes = _hashes(pin.hashes)
        if hashes:
            there, path = _place(pin.reference)
            archive = PackageArchive(url=there, path=path, hashes=hashes, subdirectory=inside)
            return Package(name=name, version=version, archive=archive)
        if "://" in pin.reference:
            return None
        folder = PackageDirectory(path=pin.reference, editable=pin.editable or None, subdirectory=inside)
        return Package(name=name, directory=folder)
    known = [file for file in pin.files if file.name and file.url and file.hashes]
    wheels = [_wheel(file) for file in known if file.name.endswith(".whl")]
    sdists = [_sdist(file) for file in known if not file.name.endswith(".whl")]
    if not known:
        return None
    return Package(name=name, version=version, wheels=wheels or None, sdist=sdists[0] if sdists else None)


def _wheel(file: PinnedFile) -> PackageWheel:
    url, path = _place(file.url)
    return PackageWheel(name=file.name, url=url, path=path, hashes=_hashes(file.hashes))


def _sdist(file: PinnedFile) -> PackageSdist:
    url, path = _place(file.url)
    return PackageSdist(name=file.name, url=url, path=path, hashes=_hashes(file.hashes))


def _place(url: str) -> tuple[str | None, str | None]:
    """The URL, or the path of what stands on this disk: uv and pip take no `file:` URL from a pylock.toml."""
    if url.lower().startswith("file:"):
        return None, unquote(urlsplit(url).path)
    return without_secrets(url), None


def _hashes(hashes: Sequence[str]) -> dict[str, str]:
    pairs = (each.partition(":") for each in hashes)
    return {algorithm: digest for algorithm, _, digest in pairs}


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _line(pin: Pin) -> str:
    what = f"{pin.name} @ {without_secrets(pin.reference)}" if pin.reference else f"{pin.name}=={pin.version}"
    return " ".join([what, *(f"--hash={each}" for each in pin.hashes)])
