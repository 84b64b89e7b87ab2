"""The lines of a requirements file, each understood or refused by its number.

Called by `requirements`. What pip's format can hold beyond an exact release (options that change how something is
built, included URLs, environment variables) is never passed on.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import url2pathname

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from tox_wheelfarm.decoding import decoded
from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks import document, trust
from tox_wheelfarm.locks.pin import Pin, PinnedFile
from tox_wheelfarm.locks.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.utils import NormalizedName

MOST_FILES = 50
"""Included by each other; more is a mistake."""

IGNORED = frozenset(
    {
        *("--prefer-binary", "--pre", "--all-releases", "--only-final", "--trusted-host", "--use-feature"),
        *("--require-hashes", "--uploaded-prior-to"),
    }
)
"""Options that say what to prefer or to check: a lock decides without them, and is checked anyway."""
FOLLOWED = {"--pypi-url": "--index-url", "-i": "--index-url", "-f": "--find-links"} | {
    each: each
    for each in (
        "--index-url",
        "--extra-index-url",
        "--find-links",
        "--no-index",
        "--no-binary",
        "--only-binary",
    )
}
"""Options that say where its files are and which of them are meant, as uv and pip have them."""
COMMENT = re.compile(r"(?:^|\s)#.*$")
EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
BELOW = re.compile(r"[#&]subdirectory=([^&]*)")
FRAGMENT_HASH = re.compile(r"[#&](sha256|sha384|sha512)=([0-9a-fA-F]+)")
OWN_OPTIONS = re.compile(
    r"\s--(?:hash|config-settings?|global-option|install-option)(?:[=\s]|$)|\s-C(?:[=\s]|$)"
)


@dataclass(frozen=True)
class Line:
    """One requirement.

    Attributes:
        where: the file and the number of its first line.
        pin: what it decides.
        marker: when; "" for always.
    """

    where: str
    pin: Pin
    marker: str


class Reader:
    """Reads a file and those that it includes.

    Attributes:
        lines: the requirements, in order.
        options: those that say where its files are and which of them are meant, as lines, in order.
        ignored: options without a meaning for a lock, with file and number.
        contents: the bytes of each file, in order.
        digests: the SHA-256 of each file, by path; a link to one that was read before is one as well.
    """

    def __init__(self, root: Path) -> None:
        self.lines: list[Line] = []
        self.options: list[str] = []
        self.ignored: list[str] = []
        self.contents: list[bytes] = []
        self.digests: dict[str, str] = {}
        self._root = root
        self._seen: dict[Path, str] = {}

    def read(self, path: Path, data: bytes) -> None:
        """Read one file.

        Raises:
            LockFileError: a line of it, or of a file that it includes, is not understood.
        """
        self._seen[path.resolve()] = self.digests[str(path)] = hashlib.sha256(data).hexdigest()
        self.contents.append(data)
        for number, text in _logical(decoded(data, str(path), LockFileError)):
            where = f"{path}, line {number}"
            with trust.at(where):
                try:
                    self._line(path, where, text)
                except trust.DistrustError:
                    if path.resolve().is_relative_to(self._root.resolve()):
                        raise
                    raise trust.DistrustError(
                        "it is no line of a lock file; what it is is not shown, as the file is not in the project"
                    ) from None

    def _line(self, path: Path, where: str, text: str) -> None:
        if re.search(r"\$\{[A-Z0-9_]+\}", text) and not text.startswith("-"):
            raise trust.DistrustError(
                "environment variables in a requirement are not filled in; write what is meant"
            )
        if not text.startswith("-"):
            self.lines.append(_requirement(where, text, self._root))
            return
        option, _, value = text.replace("=", " ", 1).partition(" ") if text.startswith("--") else _short(text)
        value = value.strip()
        if option in {"-r", "--requirement"}:
            self._include(path, value)
        elif option in {"-e", "--editable"}:
            self.lines.append(_editable(where, value, self._root))
        elif option in {"-c", "--constraint"}:
            raise trust.DistrustError(
                "a lock file decides versions itself, so its constraints would not be looked at; remove the line, or "
                "name the file in the setting constraints"
            )
        elif option in FOLLOWED:
            self.options.append(_followed(path, FOLLOWED[option], value))
        elif option in IGNORED:
            self.ignored.append(f"{where}: {text}")
        else:
            raise trust.DistrustError(f"the option {option!r} has no place in a lock file")

    def _include(self, path: Path, value: str) -> None:
        if "://" in value:
            raise trust.DistrustError(
                f"{value[:120]} is included from elsewhere; keep a copy of it beside this file"
            )
        other = Path(trust.folder(path.parent, value))
        if known := self._seen.get(other.resolve()):
            self.digests[str(other)] = known
            return
        if len(self._seen) >= MOST_FILES:
            raise trust.DistrustError(f"more than {MOST_FILES} files include each other")
        self.read(other, document.contents(other))


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, continued ones joined, with the number of the first."""
    first, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        first = first or number
        commented = COMMENT.sub("", line).rstrip()
        if line.rstrip().endswith("\\") and commented.endswith("\\"):
            parts.append(commented[:-1].strip())
            continue
        joined = " ".join([*parts, commented.strip()]).strip()
        if joined:
            yield first, joined
        first, parts = 0, []
    joined = " ".join(parts).strip()
    if joined:
        yield first, joined


def _followed(path: Path, option: str, value: str) -> str:
    """An option as a line of its own; folders are relative to the file that names them."""
    value = value.strip("\"'")
    if option == "--no-index" or not value:
        if value or option != "--no-index":
            raise trust.DistrustError(f"{option} {'takes no value' if value else 'needs a value'}")
        return option
    if option.endswith("-binary"):
        names = [
            each if each in {":all:", ":none:"} else trust.name(each.strip()) for each in value.split(",")
        ]
        return f"{option} {','.join(names)}"
    if "://" in value or option != "--find-links":
        trust.url(value)
    else:
        value = Path(trust.folder(path.parent, value)).as_uri()
    return f"{option} {value.replace(',', '%2C')}"


def _short(text: str) -> tuple[str, str, str]:
    """`-r file` and `-rfile` alike."""
    return text[:2], " ", text[2:]


def _requirement(where: str, text: str, root: Path) -> Line:
    told, hashes = _own_options(text)
    files = (PinnedFile("", hashes),) if hashes else ()
    try:
        asked = Requirement(told)
    except (InvalidRequirement, RecursionError):
        return _unnamed(where, told, hashes, root)
    extras = frozenset(map(canonicalize_name, asked.extras))
    marker = str(asked.marker or "")
    name = canonicalize_name(asked.name)
    if asked.url:
        pin = replace(_reference(name, asked.url, hashes, root), extras=extras)
        return Line(where, pin, marker)
    pins = [each for each in asked.specifier if each.operator in {"==", "==="} and "*" not in each.version]
    if len(pins) != 1 or len(asked.specifier) != 1:
        raise trust.DistrustError(
            f"{told[:120]!r} decides no exact version; write {name}==… as a lock file has it"
        )
    return Line(where, Pin(name, trust.version(pins[0].version), files, extras=extras), marker)


def _own_options(text: str) -> tuple[str, tuple[str, ...]]:
    """A requirement without its own options, and its hashes."""
    start = OWN_OPTIONS.search(text)
    if not start:
        return text, ()
    try:
        words = shlex.split(text[start.start() :])
    except ValueError as wrong:
        raise trust.DistrustError(
            f"{text[start.start() :].strip()[:120]!r} is not understood: {wrong}"
        ) from wrong
    found = []
    while words:
        word = words.pop(0)
        option, equals, value = word.partition("=")
        if not equals and words:
            value = words.pop(0)
        if option != "--hash":
            raise trust.DistrustError(
                f"{option} changes how something is built, which a lock file cannot pass on"
            )
        found.append(value)
    return text[: start.start()].strip(), trust.hashes(found)


def _unnamed(where: str, told: str, hashes: tuple[str, ...], root: Path) -> Line:
    """A path or URL without a name before it; the marker follows ` ; `."""
    place, _, marker = told.partition(" ;")
    place, extras = _extras(place.strip())
    if not re.match(r"(?:\.{0,2}[/\\]|\.$|[A-Za-z]:[/\\]|[\w+]+://|file:)", place) and not place.endswith(
        (".whl", ".tar.gz", ".zip")
    ):
        raise trust.DistrustError(f"{told[:120]!r} is no requirement (PEP 508)")
    if "://" in place and not place.startswith("file:"):
        return Line(
            where, replace(_reference(_name_of(place), place, hashes, root), extras=extras), marker.strip()
        )
    folder = Path(_local(root, place) if place.startswith("file:") else trust.folder(root, place))
    if folder.suffix in {".whl", ".gz", ".zip"}:
        url = place if "://" in place else folder.as_uri()
        return Line(
            where, replace(_reference(_name_of(url), url, hashes, root), extras=extras), marker.strip()
        )
    return Line(where, Pin(_name_in(folder), "", reference=str(folder), extras=extras), marker.strip())


def _editable(where: str, value: str, root: Path) -> Line:
    place, _, marker = value.partition(" ;")
    place = place.strip()
    if re.match(r"[\w]+\+", place):
        pin = _reference(_name_of(place), place, (), root)
        return Line(where, replace(pin, editable=True), marker.strip())
    place, extras = _extras(place)
    folder = _local(root, place) if place.startswith("file:") else trust.folder(root, place)
    pin = Pin(_name_in(Path(folder)), "", reference=folder, editable=True, extras=extras)
    return Line(where, pin, marker.strip())


def _extras(place: str) -> tuple[str, frozenset[NormalizedName]]:
    """`folder[one,two]` as the folder and its extras."""
    found = re.fullmatch(r"(.+?)\[([\w., -]*)\]", place, re.DOTALL)
    if not found:
        return place, frozenset()
    names = (each.strip() for each in found[2].split(","))
    return found[1], frozenset(canonicalize_name(each) for each in names if each)


def _local(root: Path, url: str) -> str:
    """The path that `file:` names; `file:.` and the like are from the project's folder, as `.` is."""
    return trust.folder(root, url2pathname(trust.parts(url).path))


def _reference(name: str, url: str, hashes: tuple[str, ...], root: Path) -> Pin:
    """The pin of a direct reference: a commit of a repository, a folder, or an archive with its hash."""
    below = BELOW.search(url)
    subdirectory = trust.subdirectory(below[1]) if below else ""
    plain = url.partition("#")[0]
    kind, plus, where = plain.partition("+")
    if plus and kind in {"git", "hg", "svn", "bzr"}:
        repository, at, commit = where.rpartition("@")
        if not at or "/" in commit:
            raise trust.DistrustError(f"{plain[:120]} names no commit; write it behind @")
        return Pin(name, "", reference=trust.repository(kind, repository, commit), subdirectory=subdirectory)
    trust.url(plain)
    if plain.startswith("file:") and Path(url2pathname(trust.parts(plain).path)).suffix not in {
        ".whl",
        ".gz",
        ".zip",
    }:
        return Pin(name, "", reference=_local(root, plain), subdirectory=subdirectory)
    told = [f"{found[1]}:{found[2]}" for found in FRAGMENT_HASH.finditer(url)]
    file = PinnedFile(trust.file_name(plain), hashes or trust.hashes(told), plain)
    return Pin(name, _version_of(file.name), (file,), reference=plain, subdirectory=subdirectory)


def _version_of(file: str) -> str:
    try:
        return str(parse_wheel_filename(file)[1] if file.endswith(".whl") else parse_sdist_filename(file)[1])
    except ValueError:
        return ""  # an archive of a repository has no version in its name


def _name_of(url: str) -> str:
    egg = EGG.search(url)
    if egg:
        return trust.name(egg[1])
    file = url.partition("#")[0].rpartition("/")[2]
    try:
        return str(parse_wheel_filename(file)[0] if file.endswith(".whl") else parse_sdist_filename(file)[0])
    except ValueError as wrong:
        raise trust.DistrustError(
            f"{url[:120]} does not say which package it is; write `name @ {url[:80]}`"
        ) from wrong


def _name_in(folder: Path) -> str:
    """The name of the project in a folder; the folder's own where its pyproject.toml does not say."""
    return Project.read(folder).name or trust.name(folder.name)
