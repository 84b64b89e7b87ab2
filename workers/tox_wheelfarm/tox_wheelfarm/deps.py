"""What stands in `deps`, sorted by what it is: requirements, folders, constraints, options.

Called by the installer with tox's lines. It resolves nothing, and drops no line: what it does not know goes to the
resolver as written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from tox_wheelfarm.errors import InstallFailedError
from tox_wheelfarm.urls import without_secrets
from tox_wheelfarm.uv import Offline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tox.tox_env.python.pip.req_file import PythonDeps

    from tox_wheelfarm.requirement_files import Asked, RequirementFiles

EXTRAS = re.compile(r"^(?P<path>.*?)(?:\[(?P<extras>[^\[\]]*)\])?$")
ARCHIVES = (".whl", ".zip", ".tgz", ".tar", ".gz", ".bz2", ".xz")
"""How the names of files that can be installed end; what else is on this disk is a folder."""

FRAGMENT = re.compile(r"[#&](?P<kind>md5|sha\d+)=(?P<digest>[0-9A-Fa-f]+)")
URL = re.compile(r"[A-Za-z0-9+.-]+://\S+")
BELOW = re.compile(r"[#&]subdirectory=(?P<folder>[^&]*)")
EGG = re.compile(r"[#&]egg=([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:\[[A-Za-z0-9._,-]*\])?)")
LISTS = {"UV_INDEX": " ", "UV_FIND_LINKS": ",", "UV_INSECURE_HOST": " "}
"""Variables of uv that hold several, with what stands between them."""


class DepsFolder(NamedTuple):
    """A folder that is named in `deps`: where, with which extras, and whether in place."""

    path: Path
    extras: frozenset[str]
    editable: bool


@dataclass(frozen=True)
class Deps:
    """The content of `deps`, for one interpreter.

    Attributes:
        requirements: PEP 508, or a URL as written.
        folders: local projects.
        constraints: what `-c` names, as words for `constraints.collect`.
        hashes: what a file of `-r` allows, by normalised name, or by URL where no name is told.
        all_hashed: whether each release must have one of these (`--require-hashes`, or one line that has a hash).
        no_deps: whether nothing that these need is wanted.
        prereleases: whether they may be chosen.
        formats: wheels or sources only, as lines of a requirements file.
        settings: for builds: normalised name, and `key=value`.
        places: indexes and folders of files, as variables of uv.
        ignored: a sentence for each option that means nothing here.
    """

    requirements: tuple[str, ...] = ()
    folders: tuple[DepsFolder, ...] = ()
    constraints: tuple[str, ...] = ()
    hashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    all_hashed: bool = False
    no_deps: bool = False
    prereleases: bool = False
    formats: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is asked for."""
        return not self.requirements and not self.folders

    def over(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Uv's variables with the places added as pip adds those of a file: `-i` is the one index then."""
        found = dict(variables)
        if "UV_DEFAULT_INDEX" in self.places:
            found.update(dict.fromkeys(("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"), ""))
        for name, value in self.places.items():
            before = found.get(name) if name in LISTS else ""
            found[name] = f"{before}{LISTS[name]}{value}" if before else value
        return found


def sort(
    deps: PythonDeps,
    root: Path,
    markers: Mapping[str, str],
    variables: Mapping[str, str],
    offline: Offline = Offline.AUTO,
) -> Deps:
    """Read what tox has, and the files that it names, for one interpreter.

    Args:
        deps: only its own lines are tox's.
        root: what relative paths in it are relative to.
        markers: the interpreter's marker variables (PEP 508); a line that does not hold there is none.
        variables: of the environment, for `${NAME}` in a line.
        offline: ALWAYS forbids the network.

    Raises:
        ValueError, OSError: a line is wrong; the sentence says which.
        InstallFailedError, OfflineMissError: a file that it names cannot be had.
    """
    lines = deps.lines()
    if not lines:  # as in most environments with a lock file
        return Deps()
    from platformdirs import user_cache_path

    from tox_wheelfarm.documents import Documents
    from tox_wheelfarm.requirement_files import RequirementFiles

    documents = Documents(root, user_cache_path("tox-wheelfarm"), offline, "requirements", InstallFailedError)
    read = RequirementFiles(documents, variables)
    read.read(lines)
    sorting = _Sorting(root, markers)
    for asked in read.asked:
        sorting.take(asked)
    return Deps(
        requirements=tuple(sorting.requirements),
        folders=tuple(dict.fromkeys(sorting.folders)),
        constraints=tuple(dict.fromkeys(read.constraints)),
        hashes=sorting.hashes,
        all_hashed="--require-hashes" in read.flags or sorting.all_hashed,
        no_deps="--no-deps" in read.flags,
        prereleases="--pre" in read.flags,
        formats=tuple(f"{flag} {name}" for flag, names in read.binary.items() for name in sorted(names)),
        settings=tuple(sorting.settings),
        places=_places(read),
        ignored=(*read.ignored, *sorting.ignored),
    )


@dataclass
class _Sorting:
    root: Path
    markers: Mapping[str, str]
    requirements: list[str] = field(default_factory=list)
    folders: list[DepsFolder] = field(default_factory=list)
    hashes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    all_hashed: bool = False
    settings: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def take(self, asked: Asked) -> None:
        text, marker = self._told(asked)
        if marker and not marker.evaluate({**self.markers, "extra": ""}):
            return
        local = self._local(asked, text)
        if local is not None and local[0].is_dir():
            self.folders.append(DepsFolder(*local, asked.editable))
            self._own(asked, _name_in(local[0]), "")
            return
        if asked.editable and local is None and "+" not in text.partition(":")[0]:
            raise ValueError(f"{asked.where}: -e names no folder that is there")
        if asked.editable:
            self.ignored.append(f"{asked.where}: -e means nothing for a repository or a file: it is copied")
        line = _archive(*local) if local is not None else _with_name(text)
        if line not in self.requirements:
            self.requirements.append(line)
        name = re.match(r"[A-Za-z0-9._-]+(?=\s*(?:[\[@<>=!~;(]|$))", line)
        self._own(asked, canonicalize_name(name[0]) if name else "", without_secrets(text))

    def _told(self, asked: Asked) -> tuple[str, Marker | None]:
        """The requirement without its marker, and that; paths and URLs have one as well, as pip divides them."""
        try:
            told = Requirement(asked.text)
        except InvalidRequirement:
            mark = "; " if "://" in asked.text else ";"
            place, divided, marker = (part.strip() for part in asked.text.partition(mark))
            if not asked.editable and not _local(place, self.root) and not URL.fullmatch(place):
                raise ValueError(
                    f"{asked.where}: it is no requirement (PEP 508), and no file or folder"
                ) from None
            try:
                return place, Marker(marker) if divided else None
            except InvalidMarker as wrong:
                raise ValueError(f"{asked.where}: {str(wrong).splitlines()[0]}") from None
        applies, told.marker = told.marker, None
        return str(told), applies

    def _local(self, asked: Asked, text: str) -> tuple[Path, frozenset[str]] | None:
        """What stands on this disk, with the extras that are asked for; None where it is of elsewhere."""
        try:
            told = Requirement(text)
        except InvalidRequirement:
            return _local(text, self.root)
        if told.url:
            local = _local(told.url, self.root) if told.url.startswith("file:") else None
            extras = frozenset(map(canonicalize_name, told.extras))
            return (local[0], extras) if local and asked.editable and local[0].is_dir() else None
        return _local(text, self.root) if asked.editable else None

    def _own(self, asked: Asked, name: str, place: str) -> None:
        """Take note of a line's own options."""
        if asked.settings and not name:
            raise ValueError(f"{asked.where}: --config-settings needs a name; write `NAME @ {place[:80]}`")
        self.settings += [(name, setting) for setting in asked.settings]
        self.all_hashed = self.all_hashed or bool(asked.hashes)
        key, hashes = name or place, asked.hashes
        if told := FRAGMENT.search(asked.text):
            if told["kind"] != "sha256":
                raise ValueError(f"{asked.where}: #{told['kind']}= is not held here; write #sha256=")
            hashes = hashes or (f"sha256:{told['digest'].lower()}",)
        if hashes:
            before = self.hashes.get(key, hashes)
            self.hashes[key] = tuple(each for each in hashes if each in before)


def _local(text: str, root: Path) -> tuple[Path, frozenset[str]] | None:
    is_url = text.startswith("file:")
    if "://" in text and not is_url:
        return None
    plain = unquote(urlsplit(text).path) if is_url else text
    match = EXTRAS.match(plain)
    path, extras = (match["path"], match["extras"]) if match else (plain, None)
    below = BELOW.search(text) if is_url else None
    found = root / path.strip() / (below["folder"] if below else "")
    if not found.exists():
        return None
    return found.resolve(), frozenset(canonicalize_name(each) for each in (extras or "").split(",") if each)


def _name_in(path: Path) -> str:
    from tox_wheelfarm.locks.project import Project

    return Project.read(path).name or canonicalize_name(path.name)


def _archive(path: Path, extras: frozenset[str]) -> str:
    name = _told_by(path.name)
    if not path.is_file():  # a pipe would be waited for without end
        raise ValueError(f"{path.name} is no regular file")
    if not name and extras:
        raise ValueError(
            f"{path.name} does not tell its name; write `NAME[{','.join(sorted(extras))}] @ {path.as_uri()}`"
        )
    wanted = f"[{','.join(sorted(extras))}]" if extras else ""
    return f"{name}{wanted} @ {path.as_uri()}" if name else path.as_uri()


def _told_by(file: str) -> str:
    """The name of the release that a file is of; "" where its own name does not tell."""
    try:
        return str((parse_wheel_filename if file.endswith(".whl") else parse_sdist_filename)(file)[0])
    except (InvalidWheelFilename, InvalidSdistFilename):
        return ""


def _with_name(text: str) -> str:
    """A URL with the name that it tells (`#egg=`, or its file's), so that what is promised of it can be held."""
    if "://" not in text or " " in text:
        return text
    egg = EGG.search(text)
    name = egg[1] if egg else _told_by(unquote(urlsplit(text).path).rpartition("/")[2])
    return f"{name} @ {text}" if name else text


def _places(read: RequirementFiles) -> dict[str, str]:
    found: dict[str, str] = {}
    if "--no-index" in read.flags:
        found["UV_NO_INDEX"] = "1"
    if read.index_url:
        found["UV_DEFAULT_INDEX"] = read.index_url
    if read.others:
        found["UV_INDEX"] = " ".join(read.others)
    if read.links:
        found["UV_FIND_LINKS"] = ",".join(dict.fromkeys(map(_link, read.links)))
    if read.hosts:
        found["UV_INSECURE_HOST"] = " ".join(read.hosts)
    return found


def _link(place: str) -> str:
    # uv divides by commas, and pip by blanks.
    if "://" in place:
        return place.replace(",", "%2C").replace(" ", "%20")
    path = Path(place).absolute()
    if path.is_file() and path.name.endswith(ARCHIVES):
        raise ValueError(f"--find-links {place} is one file: name its folder, or the file as a requirement")
    return f"file://{quote(str(path))}"
