"""Where each installed distribution came from: which file of its pin, by what its dist-info says.

Called by `record`. It never starts the environment's interpreter and never opens what it installed: only the few files
of each dist-info, bounded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Any

from packaging.tags import Tag, parse_tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from tox_wheelfarm.installed import KEPT
from tox_wheelfarm.urls import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from email.message import Message
    from pathlib import Path

    from tox_wheelfarm.locks.pin import Pin, PinnedFile

MOST_BYTES = 1 << 20
"""Of one file of a dist-info that is read; a longer description is cut, which no header is behind."""


@dataclass(frozen=True)
class Origin:
    """The origin of one installed distribution.

    Attributes:
        name: normalised.
        version: as installed.
        file: the wheel or sdist, or "" where it was a folder or a repository, or nobody knows.
        url: where that was, without passwords; the folder or repository; or "".
        hash: `algorithm:hexdigest` of the file, a repository's `git:commit`, or "".
    """

    name: str
    version: str
    file: str = ""
    url: str = ""
    hash: str = ""


def origins(pins: Iterable[Pin], sites: Iterable[Path]) -> tuple[Origin, ...]:
    """The origins of what stands in the site-packages folders, by name.

    Args:
        pins: what was decided; a distribution that is none of them has a name and a version only.
        sites: the folders (purelib and platlib, which may be one).
    """
    by_name = {pin.name: pin for pin in pins}
    found: dict[str, Origin] = {}
    for site in dict.fromkeys(path.resolve() for path in sites):
        for info in sorted(site.glob("*.dist-info")):
            told = _header(info / "METADATA")
            if told is not None and told["Name"] and told["Version"]:
                name = canonicalize_name(str(told["Name"]))
                origin = _origin(info, name, str(told["Version"]), by_name.get(name))
                found.setdefault(name, origin)
    return tuple(found[name] for name in sorted(found))


def _origin(info: Path, name: str, version: str, pin: Pin | None) -> Origin:
    direct = _direct(info / "direct_url.json")
    if direct and KEPT not in direct["url"]:
        file, url, digest = _direct_parts(direct)
        # uv keeps the hash of what it was told by URL to itself.
        return Origin(name, version, file, url, digest or _best(pin.hashes if pin and file else ()))
    if pin is None or not _is_version(pin.version, version):
        return Origin(name, version)
    chosen = _chosen(pin.files, _header(info / "WHEEL"))
    if chosen is None:
        return Origin(name, version)
    return Origin(
        name, version, chosen.name, without_secrets(chosen.url or pin.reference), _best(chosen.hashes)
    )


def _chosen(files: Sequence[PinnedFile], wheel: Message | None) -> PinnedFile | None:
    """The wheel whose tags are those of the installed one; otherwise it was built, from the sdist."""
    if wheel is None:
        return None
    tags = {tag for line in wheel.get_all("Tag", []) for tag in parse_tag(str(line))}
    build = str(wheel["Build"] or "")
    wheels = [(file, *parsed) for file in files if (parsed := _wheel(file.name))]
    exact = [file for file, has, number in wheels if has == tags and number == build]
    # Some builders change a wheel's name and not its WHEEL; one that fits in part is then the only one it can be.
    likely = [file for file, has, _ in wheels if has & tags]
    sources = [file for file in files if file.name and not file.name.endswith(".whl")]
    for candidates in (exact, likely, sources):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            return None
    unnamed = [file for file in files if not file.name]
    return unnamed[0] if len(files) == len(unnamed) == 1 and len(unnamed[0].hashes) == 1 else None


def _wheel(name: str) -> tuple[set[Tag], str] | None:
    if not name.endswith(".whl"):
        return None
    try:
        _, _, build, tags = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return None
    return set(tags), "".join(map(str, build))


def _direct_parts(direct: dict[str, Any]) -> tuple[str, str, str]:
    url = without_secrets(str(direct["url"]))
    vcs, archive = direct.get("vcs_info"), direct.get("archive_info")
    if isinstance(vcs, dict):
        return "", url, f"{vcs.get('vcs', '')}:{vcs.get('commit_id', '')}"
    if isinstance(archive, dict):
        hashes = archive.get("hashes") or {}
        told = [f"{key}:{value}" for key, value in hashes.items()] if isinstance(hashes, dict) else []
        old = str(archive.get("hash") or "").replace("=", ":", 1)
        return url.rsplit("/", 1)[-1], url, _best(told) or old
    return "", url, ""


def _best(hashes: Sequence[str]) -> str:
    return next((each for each in hashes if each.startswith("sha256:")), hashes[0] if hashes else "")


def _is_version(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def _direct(path: Path) -> dict[str, Any] | None:
    try:
        told = json.loads(_bytes(path))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and isinstance(told.get("url"), str) else None


def _header(path: Path) -> Message | None:
    try:
        return BytesHeaderParser().parsebytes(_bytes(path))
    except OSError:
        return None


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES)
