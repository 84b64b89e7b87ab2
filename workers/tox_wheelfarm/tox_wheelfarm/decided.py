"""The pylock.toml that uv writes for one interpreter, read as pins.

Called by `resolution`. It never selects: the file is for the interpreter that was asked about, and holds no markers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import tomli_w
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock, PylockValidationError

from tox_wheelfarm.errors import InstallFailedError
from tox_wheelfarm.locks.pin import Pin, PinnedFile
from tox_wheelfarm.urls import without_secrets

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def pins(text: str, root: Path) -> tuple[Pin, ...]:
    """The pins of a pylock.toml, by name.

    Args:
        text: of the file.
        root: paths in it are relative to it.

    Raises:
        InstallFailedError: it is not what PEP 751 says.
    """
    try:
        packages = Pylock.from_dict(tomllib.loads(text)).packages
    except (tomllib.TOMLDecodeError, PylockValidationError) as wrong:
        raise InstallFailedError(f"uv wrote a pylock.toml that cannot be read: {wrong}") from wrong
    return tuple(sorted((_pin(package, root) for package in packages), key=lambda pin: pin.name))


def without(text: str, held: Sequence[Pin]) -> str:
    """The same file with only those files of releases that the pins still have."""
    document = tomllib.loads(text)
    kept = {pin.name: set(pin.hashes) for pin in held}
    for package in document["packages"]:
        for kind in ("sdist", "wheels"):
            if kind in package:
                package[kind] = _held(package[kind], kept[package["name"]])
                if not package[kind]:
                    del package[kind]
    return tomli_w.dumps(document)


def _held(files: Any, kept: set[str]) -> Any:
    if isinstance(files, list):
        return [file for file in files if _held(file, kept)]
    return files if set(_hashes(files["hashes"])) & kept else None


def _pin(package: Package, root: Path) -> Pin:
    version = str(package.version or "")
    if package.directory:
        folder = root / package.directory.path
        inside = package.directory.subdirectory or ""
        editable = bool(package.directory.editable)
        return Pin(
            package.name, version, reference=str(folder.resolve()), editable=editable, subdirectory=inside
        )
    if package.vcs:
        place = package.vcs.url or (root / (package.vcs.path or "")).resolve().as_uri()
        reference = f"{package.vcs.type}+{without_secrets(place)}@{package.vcs.commit_id}"
        return Pin(package.name, version, reference=reference, subdirectory=package.vcs.subdirectory or "")
    if package.archive:
        archive = package.archive
        place = archive.url or (root / (archive.path or "")).resolve().as_uri()
        file = PinnedFile(_last(place), _hashes(archive.hashes), without_secrets(place))
        inside = archive.subdirectory or ""
        return Pin(package.name, version, (file,), reference=without_secrets(place), subdirectory=inside)
    files: list[PackageSdist | PackageWheel] = [*(package.wheels or ())]
    files += [package.sdist] if package.sdist else []
    return Pin(package.name, version, tuple(_file(file, root) for file in files))


def _file(file: PackageSdist | PackageWheel, root: Path) -> PinnedFile:
    place = file.url or (root / (file.path or "")).resolve().as_uri()
    return PinnedFile(file.filename, _hashes(file.hashes), without_secrets(place))


def _hashes(hashes: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{algorithm}:{digest}" for algorithm, digest in hashes.items())


def _last(url: str) -> str:
    return urlsplit(url).path.rsplit("/", 1)[-1]
