"""Resolution for Python 2.7, inside the environment by its own pip: what it downloads is the set.

Called by `pip.Pip.resolve`. Only there are markers and the ABI those of the interpreter; every file that was had is
kept, so that the install that follows needs no network. It never installs anything.
"""

from __future__ import annotations

import logging
import re
import tempfile
import zipfile
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from tox_wheelfarm import clashes
from tox_wheelfarm.constraints import read
from tox_wheelfarm.errors import InstallFailedError, OfflineMissError, ResolutionError
from tox_wheelfarm.locks.pin import Pin, PinnedFile
from tox_wheelfarm.old_install import download, folder_word, indexless, online
from tox_wheelfarm.old_refusal import refusal
from tox_wheelfarm.past_index import served
from tox_wheelfarm.wheelhouse import digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tox_wheelfarm.clashes import Bound
    from tox_wheelfarm.pip import Folder, Pip

LOGGER = logging.getLogger(__name__)

UNSOLVED = re.compile(r"ResolutionImpossible|Could not find a version|No matching distribution")
VERSIONS = re.compile(r"\(from versions: ([^)]*)\)")
ARCHIVE = re.compile(r"\.(?:zip|tar\.gz|tgz|tar\.bz2|tbz|tar\.xz|tar)\Z")
METADATA_BYTES = 8 << 20


class _UnsolvedError(Exception):
    """There is no set, in pip's words; why is told by `old_refusal`."""


@dataclass(frozen=True)
class _Question:
    """What is asked for, as `Pip.resolve` has it; `words` are the options, each word apart."""

    requirements: Sequence[str]
    wanted: Sequence[Requirement]
    lowest: bool
    folders: Sequence[Folder]
    words: Sequence[str]


def resolve(
    pip: Pip,
    requirements: Sequence[str],
    constraints: Sequence[Path],
    lowest: bool,
    folders: Sequence[Folder],
    options: Sequence[str],
    *,
    cutoff: str,
) -> tuple[Pin, ...]:
    """As `Pip.resolve` has it."""
    wanted = [_parsed(line) for line in requirements]
    words = [word for option in options for word in option.split()]
    question = _Question(requirements, wanted, lowest, folders, words)
    if cutoff and not online(pip):
        raise OfflineMissError(
            "offline = always: when the kept files were uploaded, which cutoff needs, is not known"
        )
    bounds = clashes.holding(map(read, constraints), pip.facts[0])
    clashes.refuse(requirements, folders, bounds, pip.facts[0])
    with (
        tempfile.TemporaryDirectory(prefix="wheelfarm-resolution-") as name,
        served(pip, cutoff) as (asking, past),
    ):
        scratch = Path(name)
        try:
            had = _had(asking, question, constraints, bounds, scratch)
        except _UnsolvedError as failed:
            asked = clashes.asked(requirements, folders)
            raise refusal(
                str(failed), past, scratch, bounds, asked, lambda: _solves(asking, question, scratch / "free")
            ) from None
        if told := past.said():
            LOGGER.warning("%s", told)
        references: dict[str, str] = {canonicalize_name(each.name): each.url for each in wanted if each.url}
        return tuple(sorted((_pin(path, references) for path in had), key=lambda pin: pin.name))


def _had(
    pip: Pip, question: _Question, constraints: Sequence[Path], bounds: Sequence[Bound], scratch: Path
) -> list[Path]:
    """The files of the set.

    Raises:
        _UnsolvedError: there is none.
        OfflineMissError, InstallFailedError: as `Pip.run` has them.
    """
    asked = scratch / "asked.txt"
    asked.write_text("".join(f"{line}\n" for line in question.requirements), encoding="utf-8")
    words = [*question.words, "-r", str(asked), *map(folder_word, question.folders)]
    if question.lowest:
        of_folders = [each for folder in question.folders for each in _requires(pip, folder, scratch)]
        direct = [*question.wanted, *of_folders]
        # As an option it binds this run alone, not what is needed for building, as a variable would.
        words += ["--constraint", str(_lowest(pip, direct, bounds, scratch, question.words))]
    try:
        return download(pip, words, constraints, scratch / "had")
    except InstallFailedError as failed:
        if not UNSOLVED.search(str(failed)):
            raise
        raise _UnsolvedError(str(failed)) from None


def _solves(pip: Pip, question: _Question, scratch: Path) -> bool:
    """Whether there is a set without the constraints."""
    scratch.mkdir()
    try:
        _had(pip, question, (), (), scratch)
    except (_UnsolvedError, OfflineMissError):
        return False
    except InstallFailedError:
        pass  # a build that fails has what it needs
    return True


def _parsed(line: str) -> Requirement:
    try:
        return Requirement(line.partition(" #")[0].strip())
    except InvalidRequirement as wrong:
        raise ResolutionError(f"{line!r} is not a requirement: {str(wrong).splitlines()[0]}") from None


def _pin(path: Path, references: Mapping[str, str]) -> Pin:
    name, version = _release(path)
    file = PinnedFile(path.name, (f"sha256:{digests(path)['sha256']}",))
    reference = references.get(name, "")
    # A repository's archive is packed anew each time, so its hash says nothing about it.
    files = () if "+" in reference.partition(":")[0] else (file,)
    return Pin(name, version, files, reference)


def _release(path: Path) -> tuple[str, str]:
    if path.suffix == ".whl":
        try:
            parsed = parse_wheel_filename(path.name)
        except InvalidWheelFilename as wrong:
            raise ResolutionError(f"an index gave a file with a name that is none: {wrong}") from None
        return str(parsed[0]), str(parsed[1])
    name, _, version = ARCHIVE.sub("", path.name).rpartition("-")
    if not name or not version:
        raise ResolutionError(f"an index gave a file with a name that is none: {path.name!r}")
    return str(canonicalize_name(name)), version


def _requires(pip: Pip, folder: Folder, scratch: Path) -> list[Requirement]:
    """What a local project asks for directly, which only building it tells."""
    into = Path(tempfile.mkdtemp(prefix="folder-", dir=scratch))
    arguments = [
        "wheel",
        "--no-deps",
        "--wheel-dir",
        str(into),
        *indexless(pip, scratch),
        str(folder.path.resolve()),
    ]
    pip.run(arguments, network=online(pip))
    wheel = next(into.glob("*.whl"))
    with zipfile.ZipFile(wheel) as opened:
        name = next(each for each in opened.namelist() if each.endswith(".dist-info/METADATA"))
        with opened.open(name) as metadata:
            headers = BytesHeaderParser().parsebytes(metadata.read(METADATA_BYTES))
    environment = pip.facts[0]
    extras = ("", *folder.extras)
    found = [_parsed(line) for line in headers.get_all("Requires-Dist") or []]
    return [
        each
        for each in found
        if not each.marker or any(each.marker.evaluate({**environment, "extra": extra}) for extra in extras)
    ]


def _lowest(
    pip: Pip,
    direct: Iterable[Requirement],
    bounds: Sequence[Bound],
    scratch: Path,
    options: Sequence[str],
) -> Path:
    """A constraints file with the lowest version of each, as the index has them."""
    asked: dict[str, SpecifierSet] = {}
    for each in filter(lambda each: _holds(pip, each) and not each.url, direct):
        key = canonicalize_name(each.name)
        asked[key] = asked.get(key, SpecifierSet()) & each.specifier
    for bound in bounds:
        if bound.name in asked:
            asked[bound.name] &= bound.requirement.specifier
    lines = []
    for name, specifier in sorted(asked.items()):
        fitting = sorted(specifier.filter(_versions(pip, name, scratch, options)))
        if not fitting:
            raise _UnsolvedError(f"no release of {name} satisfies {specifier or 'anything'} on {pip.python}")
        lines.append(f"{name}==={fitting[0]}\n")
    path = scratch / "lowest.txt"
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _holds(pip: Pip, each: Requirement) -> bool:
    return not each.marker or each.marker.evaluate({**pip.facts[0], "extra": ""})


def _versions(pip: Pip, name: str, scratch: Path, options: Sequence[str]) -> list[Version]:
    """Every version that fits the interpreter: pip tells them when it is asked for one that cannot be."""
    log = ["--log", str(scratch / "versions.log")]
    arguments = [
        "download",
        "--no-deps",
        "--pre",
        "--dest",
        str(scratch / "none"),
        *log,
        *indexless(pip, scratch),
    ]
    try:
        pip.run([*arguments, *options, f"{name}===wheelfarm"], network=online(pip))
    except (InstallFailedError, OfflineMissError) as told:
        listed = VERSIONS.search(str(told))
        if not listed:
            raise
    versions = []
    for text in listed.group(1).split(", ") if listed else []:
        try:
            versions.append(Version(text))
        except InvalidVersion:  # noqa: PERF203 - "none", or a version from before PEP 440
            continue
    return versions
