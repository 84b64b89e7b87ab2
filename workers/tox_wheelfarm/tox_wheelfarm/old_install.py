"""What pip installs into an environment of Python 2.7, file by file.

Called by `pip.Pip.install`. pip refuses one run that has requirements with and without hashes, so there are two. A
source archive is built once and its wheel is kept; nothing is ever installed by hash that was no file at hand before.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tox_wheelfarm.errors import HashMissingError, InstallFailedError, LockFileError, OfflineMissError
from tox_wheelfarm.locks.pin import PinnedFile
from tox_wheelfarm.pip import RESOLVER
from tox_wheelfarm.release_set import says
from tox_wheelfarm.urls import without_secrets
from tox_wheelfarm.uv import Offline
from tox_wheelfarm.wheelhouse import DIGEST, digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.pip import Folder, Pip
    from tox_wheelfarm.wheelhouse import Wheelhouse

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
VERSION = re.compile(r"[a-z0-9][a-z0-9.!+_-]*", re.IGNORECASE)
LINK = re.compile(r"Found link (?P<url>(?:https?|file)://[^\s#,]+)(?:#sha256=(?P<sha256>[0-9A-Fa-f]{64}))?")
REMOTE = re.compile(r"(?:(?:git|hg|svn|bzr)\+)?[a-z]+://\S+", re.IGNORECASE)


def by_hash(
    pip: Pip, pins: Sequence[Pin], constraints: Sequence[Path], scratch: Path, formats: Sequence[str] = ()
) -> None:
    """Install pins that have hashes, in one run without a network, from files that are kept or had just now.

    Raises:
        HashMissingError, LockFileError, OfflineMissError, InstallFailedError: as `Pip.install` has them.
    """
    lines = {pin.name: hashed_line(pin) for pin in pins}
    found = {} if pip.offline is Offline.NEVER else _kept(pip, pins, constraints, scratch, formats)
    missing = [pin for pin in pins if pin.name not in found]
    if missing and pip.offline is Offline.ALWAYS:
        raise OfflineMissError(
            f"offline = always, and no file is kept for {_told(missing)} (in {pip.house.folder}); "
            "run once with the network"
        )
    if missing:
        listed = scratch / "missing.txt"
        asked = [*formats, *(lines[pin.name] for pin in missing)]
        listed.write_text("".join(f"{line}\n" for line in asked), encoding="utf-8")
        download(pip, ["--no-deps", "--require-hashes", "-r", str(listed)], constraints, scratch / "had")
        found.update(_kept(pip, missing, constraints, scratch, formats))
    absent = [pin for pin in missing if pin.name not in found]
    if absent:
        raise InstallFailedError(f"the files of {_told(absent)} do not fit {pip.python}")
    exact = scratch / "set.txt"
    exact.write_text("".join(map(_file_line, found.values())), encoding="utf-8")
    pip.run(["install", "--no-deps", "--require-hashes", "-r", str(exact)], network=False)


def as_they_are(
    pip: Pip, pins: Sequence[Pin], folders: Sequence[Folder], constraints: Sequence[Path], scratch: Path
) -> None:
    """Install pins without hashes (direct references, what may be unhashed) and folders, in one run.

    Raises:
        LockFileError, OfflineMissError, InstallFailedError: as `Pip.install` has them.
    """
    words = [word for pin in pins for word in _loose_words(pin)]
    for folder in folders:
        words += [*(["--editable"] if folder.editable else []), folder_word(folder)]
    pip.run(
        ["install", "--no-deps", *indexless(pip, scratch), *words],
        network=online(pip),
        constraints=constraints,
    )


def download(pip: Pip, words: Sequence[str], constraints: Sequence[Path], into: Path) -> list[Path]:
    """Have pip download into a folder, and keep what came; gives the files, by name.

    Raises:
        OfflineMissError, InstallFailedError: as `Pip.run` has them.
    """
    into.mkdir(parents=True, exist_ok=True)
    log = into.with_suffix(".log")
    arguments = ["download", RESOLVER, "--dest", str(into), "--log", str(log)]
    pip.run([*arguments, *indexless(pip, into.parent), *words], network=online(pip), constraints=constraints)
    had = sorted(path for path in into.iterdir() if path.is_file())
    places = _places(log)
    for path in had:
        known = places.get((path.name, digests(path)["sha256"]), "")
        pip.house.keep(path, known or places.get((path.name, ""), ""))
    return had


def _places(log: Path) -> dict[tuple[str, str], str]:
    """Where each file was, by name and SHA-256: pip says it of all that it finds, in its log.

    One of which the place tells no hash has "" for it, where no other place has a file of that name.
    """
    found: dict[tuple[str, str], str] = {}
    bare: dict[str, set[str]] = {}
    with log.open(encoding="utf-8", errors="replace") as lines:
        for link in filter(None, map(LINK.search, lines)):
            name = unquote(urlsplit(link["url"]).path.rpartition("/")[2])
            bare.setdefault(name, set()).add(without_secrets(link["url"]))
            if link["sha256"]:
                found.setdefault((name, link["sha256"].lower()), without_secrets(link["url"]))
    found.update(((name, ""), next(iter(urls))) for name, urls in bare.items() if len(urls) == 1)
    return found


def named(pip: Pip, pins: Iterable[Pin]) -> tuple[Pin, ...]:
    """The pins, in order, with the names and URLs of the files that were had for them, as far as that is known."""
    return tuple(_named(pip.house, pin) for pin in pins)


def _named(house: Wheelhouse, pin: Pin) -> Pin:
    if pin.reference or (pin.files and all(file.name and file.url for file in pin.files)):
        return pin
    had = [(digest, *file) for digest in pin.hashes if (file := house.file(digest))]
    files = tuple(PinnedFile(name, (digest,), url) for digest, name, url in had)
    return replace(pin, files=files) if files else pin


def online(pip: Pip) -> bool:
    """Whether an index may be asked at all."""
    return pip.offline is not Offline.ALWAYS


def indexless(pip: Pip, scratch: Path) -> list[str]:
    """The options for finding what is kept, where no index may be asked; none otherwise."""
    return [] if online(pip) else ["--find-links", str(pip.house.everything(scratch / "everything"))]


def folder_word(folder: Folder) -> str:
    """A local project as pip takes it on the command line."""
    extras = f"[{','.join(folder.extras)}]" if folder.extras else ""
    return f"{folder.path.resolve()}{extras}"


def hashed_line(pin: Pin) -> str:
    """A pin as a line of a requirements file, with the hashes that pip takes.

    Raises:
        HashMissingError: it has none of these.
        LockFileError: its name, version or reference is none.
    """
    strong = [digest for digest in pin.hashes if DIGEST.fullmatch(digest)]
    if not strong:
        weak = ", ".join(sorted({digest.partition(":")[0] for digest in pin.hashes}))
        raise HashMissingError(f"{pin.name} has no SHA-256 hash in the lock file (only {weak}); lock it anew")
    return " ".join([requirement(pin), *(f"--hash={digest}" for digest in strong)])


def requirement(pin: Pin) -> str:
    """A pin as a requirement (PEP 508), checked: it comes from other people's files.

    Raises:
        LockFileError: its name, version or reference is none.
    """
    if not NAME.fullmatch(pin.name):
        raise LockFileError(f"{pin.name!r} is not the name of a package")
    if not pin.reference:
        if not VERSION.fullmatch(pin.version):
            raise LockFileError(f"{pin.name}: {pin.version!r} is not an exact version")
        return f"{pin.name}=={pin.version}"
    if any(character.isspace() or not character.isprintable() for character in pin.reference):
        raise LockFileError(f"{pin.name}: {pin.reference!r} is neither an address nor a folder")
    remote = REMOTE.fullmatch(pin.reference)
    where = pin.reference if remote else Path(pin.reference).resolve().as_uri()
    below = f"#subdirectory={pin.subdirectory}" if pin.subdirectory else ""
    return f"{pin.name} @ {where}{below}"


def _kept(
    pip: Pip, pins: Iterable[Pin], constraints: Sequence[Path], scratch: Path, formats: Sequence[str]
) -> dict[str, Path]:
    """The wheel for each pin for which there is one, or a source archive that can be built."""
    tags, house, found = pip.facts[1], pip.house, {}
    for pin in pins:
        path = None if says(formats, "--no-binary", pin.name) else house.wheel(pin.hashes, tags)
        source = None if path or says(formats, "--only-binary", pin.name) else house.source(pin.hashes)
        if source:
            path = house.built(source, tags) or _build(pip, source, constraints, scratch)
        if path:
            found[pin.name] = path
    return found


def _build(pip: Pip, source: Path, constraints: Sequence[Path], scratch: Path) -> Path:
    into = scratch / f"built-{source.name}"
    arguments = ["wheel", "--no-deps", "--wheel-dir", str(into), *indexless(pip, scratch), str(source)]
    pip.run(arguments, network=online(pip), constraints=constraints)
    wheels = sorted(into.glob("*.whl"))
    if len(wheels) != 1:
        raise InstallFailedError(f"building {source.name} gave {len(wheels)} wheels instead of one")
    return pip.house.keep_built(source, wheels[0])


def _loose_words(pin: Pin) -> list[str]:
    if pin.editable and not REMOTE.fullmatch(pin.reference):
        requirement(pin)
        return ["--editable", str(Path(pin.reference).resolve() / pin.subdirectory)]
    return [requirement(pin)]


def _file_line(path: Path) -> str:
    return f"{path.resolve().as_uri()} --hash=sha256:{digests(path)['sha256']}\n"


def _told(pins: Iterable[Pin]) -> str:
    return ", ".join(f"{pin.name} {pin.version or pin.reference}" for pin in pins)
