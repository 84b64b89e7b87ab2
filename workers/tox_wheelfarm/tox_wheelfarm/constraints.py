"""Constraints from wherever a person keeps them: files, URLs with or without a hash, and lines; as files for uv.

Called by the runner; what it gives is read by `resolution`, and by uv for builds. What uv gets is written here, anew:
names, versions and markers only. An option in somebody's file (another index, another folder) never reaches uv.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from tox_wheelfarm.download import DownloadError, fetch, without_secrets
from tox_wheelfarm.errors import ConstraintsError, OfflineMissError
from tox_wheelfarm.kept import held, keep
from tox_wheelfarm.statements import INLINE, MOST_BYTES, Statement, statements
from tox_wheelfarm.uv import Offline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_FILES = 100
URL = re.compile(r"^(https?|file)://", re.IGNORECASE)
SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
FRAGMENT = re.compile(r"#(?P<algorithm>[A-Za-z0-9]+)=(?P<digest>[0-9A-Fa-f]+)$")
OPTION = re.compile(r"\s--hash[=\s]\s*")
DIGEST = re.compile(r"[0-9A-Fa-f]{64}")
NESTED = frozenset({"-c", "--constraint", "-r", "--requirement"})
PLACES = frozenset(
    {"-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links", "--trusted-host", "--pre"}
    | {"--prefer-binary", "--no-binary", "--only-binary", "--require-hashes", "--use-feature"}
)
"""Options that say where files are or how they are chosen. They are not obeyed: the environment says that."""

MARK = "# wheelfarm: "
"""Begins the last line of a file that was written here; the rest is JSON: its source and the SHA-256 of that.

`"lines": false` says that the source has no such lines, so that none is told where a constraint stands.
"""


@dataclass(frozen=True)
class Constraints:
    """One source of constraints.

    Attributes:
        source: the file or URL, as people name it, without passwords.
        sha256: of its bytes, hexadecimal.
        lines: its constraints.
    """

    source: str
    sha256: str
    lines: tuple[Statement, ...]


def collect(words: Sequence[str], root: Path, cache: Path, offline: Offline) -> tuple[Path, ...]:
    """Files for uv with the constraints of all words and of what they name, one per source, in order.

    Args:
        words: each a file (relative to `root`; `file:` URLs too), an http(s) URL, either with `#sha256=…` or
            ` --hash=sha256:…`, or a constraint itself, such as `name===1.2; python_version < "3"`. A leading `-c` is
            allowed.
        root: the folder that files are relative to.
        cache: a folder of ours. A URL with a hash that is in it is not asked for again; one without a hash is, each
            time, unless offline is ALWAYS.
        offline: ALWAYS forbids the network.

    Raises:
        ConstraintsError: one cannot be had or read, has another hash, or a line of it is not a constraint.
        OfflineMissError: offline was asked for, and one was never fetched.
        InstallFailedError: the cache cannot be written.
    """
    gathering = _Gathering(root, cache, offline)
    inline: list[str] = []
    for word in map(_bare, words):
        if _is_line(word):
            inline.append(word)
        elif word:
            gathering.add(word, "")
    if inline:
        gathering.take("\n".join(inline).encode(), INLINE, "")
    return tuple(gathering.found)


def read(path: Path) -> Constraints:
    """A file that `collect` wrote, or any other constraints file.

    Raises:
        ConstraintsError: it cannot be read, or a line of it is not a constraint.
    """
    body = _read(path, str(path))
    text = _decoded(body, str(path))
    source, sha256, numbered = str(path), hashlib.sha256(body).hexdigest(), True
    _, mark, told = text.rpartition(MARK)
    if mark and "\n" not in told.strip():
        try:
            header = json.loads(told)
            source, sha256 = str(header["source"]), str(header["sha256"])
            numbered = header.get("lines") is not False
        except (ValueError, KeyError, TypeError):
            pass  # a comment that only looks like ours
    lines = [line for line in statements(text, source) if not line.option[0]]
    return Constraints(source, sha256, tuple(line if numbered else replace(line, line=0) for line in lines))


@dataclass
class _Gathering:
    """What was found so far; a source that is named twice is taken once."""

    root: Path
    cache: Path
    offline: Offline
    found: list[Path] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add(self, word: str, named_by: str) -> None:
        if (other := SCHEME.match(word)) and not URL.match(word):
            by = f" (named by {named_by})" if named_by else ""
            raise ConstraintsError(
                f"the constraints {without_secrets(word)}{by}: {other[1]} is not a scheme that they are fetched by; "
                "write https, http or file"
            )
        place, digest = _hashed(word)
        key = place if _is_remote(place) else str(self._path(place).resolve())
        if key in self.seen:
            return
        self.seen.add(key)
        if len(self.seen) > MOST_FILES:
            raise ConstraintsError(f"more than {MOST_FILES} constraints files name one another")
        if _is_remote(place):
            source = without_secrets(place)
            body = self._fetched(place, source, digest, named_by)
        else:
            path = self._path(place)
            source = _shown(path, self.root)
            body = _read(path, source, named_by)
        _check(body, digest, source)
        self.take(body, source, place)

    def take(self, body: bytes, source: str, place: str) -> None:
        """Write what uv gets for one source, after what that names itself."""
        lines: dict[int, str] = {}
        for statement in statements(_decoded(body, source), source):
            option, value = statement.option
            if option in NESTED and value:
                hashes = "".join(f" --hash={digest}" for digest in statement.hashes)
                self.add(self._beside(place, value, statement) + hashes, statement.where)
            elif option not in PLACES:
                lines[statement.line] = _constraint(statement)
        header = json.dumps({"source": source, "sha256": hashlib.sha256(body).hexdigest()})
        text = "\n".join(lines.get(number, "") for number in range(1, max(lines, default=0) + 1))
        written = f"{text}\n{MARK}{header}\n".encode()
        name = f"constraints-{hashlib.sha256(written).hexdigest()[:32]}.txt"
        self.found.append(keep(self.cache / name, written))

    def _fetched(self, url: str, source: str, digest: str, named_by: str) -> bytes:
        key = f"sha256-{digest}" if digest else f"url-{hashlib.sha256(url.encode()).hexdigest()}"
        kept = self.cache / f"{key}.txt"
        last = held(kept) if digest or self.offline is Offline.ALWAYS else None
        if last is not None and (not digest or hashlib.sha256(last).hexdigest() == digest):
            return last
        if self.offline is Offline.ALWAYS:
            raise OfflineMissError(f"the constraints {source} are not in the cache, and offline = always")
        try:
            body = fetch(url, most=MOST_BYTES).body
        except DownloadError as wrong:
            by = f" (named by {named_by})" if named_by else ""
            raise ConstraintsError(f"the constraints {source}{by} could not be fetched: {wrong}") from wrong
        _check(body, digest, source)
        keep(kept, body)
        return body

    def _path(self, place: str) -> Path:
        path = Path(unquote(urlsplit(place).path)) if URL.match(place) else Path(place).expanduser()
        return self.root / path

    def _beside(self, place: str, value: str, statement: Statement) -> str:
        if _is_remote(place):
            named = urljoin(place, value)
            safe = FRAGMENT.search(named) or not place.lower().startswith("https:")
            if _is_remote(named) and (safe or named.lower().startswith("https:")):
                return named
            raise ConstraintsError(
                f"{statement.where}: {value!r} is not followed: a document may name others on https, or with a hash"
            )
        if URL.match(value) or not place:
            return value
        fragment = FRAGMENT.search(value)
        bare = value[: fragment.start()] if fragment else value
        return str(self._path(place).parent / bare) + (fragment[0] if fragment else "")


def _is_remote(place: str) -> bool:
    return place.lower().startswith(("http://", "https://"))


def _bare(word: str) -> str:
    return re.sub(r"^(-c|--constraint)[\s=]*", "", word.strip()).strip()


def _is_line(word: str) -> bool:
    if URL.match(word):
        return False
    try:
        requirement = Requirement(next(iter(statements(word, "")), Statement("", "")).text)
    except InvalidRequirement:
        # Not a constraint, but not a file's name either: the reader says what is wrong with the line.
        return bool(re.match(r"^[\w.-]+\s*(===|==|>=|<=|~=|!=|<|>)", word))
    return bool(requirement.specifier or requirement.url)


def _hashed(word: str) -> tuple[str, str]:
    place, _, option = (part.strip() for part in (OPTION.sub("\n", word, count=1) + "\n").partition("\n"))
    found = FRAGMENT.search(place)
    told = [option.partition(":")[::2]] if option else []
    if found:
        told.append((found["algorithm"], found["digest"]))
        place = place[: found.start()]
    elif _is_remote(place) and "#" in place:
        told.append(("", ""))
    if any(algorithm.lower() != "sha256" or not DIGEST.fullmatch(digest) for algorithm, digest in told):
        raise ConstraintsError(
            f"{without_secrets(word)}: the hash must be #sha256= (or --hash=sha256:) and 64 hexadecimal digits"
        )
    digests = {digest.lower() for _, digest in told}
    if len(digests) > 1:
        raise ConstraintsError(f"{without_secrets(word)}: one document cannot have two hashes")
    return place, "".join(digests)


def _check(body: bytes, digest: str, source: str) -> None:
    told = hashlib.sha256(body).hexdigest()
    if digest and told != digest:
        raise ConstraintsError(
            f"the constraints {source} have the hash sha256={told}, not sha256={digest}: they were changed, "
            "or the hash is that of another file"
        )


def _constraint(statement: Statement) -> str:
    if statement.option[0] in {"-e", "--editable"}:
        raise ConstraintsError(
            f"{statement.where}: a constraint cannot be editable; write `name @ file:///…`"
        )
    if statement.option[0]:
        raise ConstraintsError(f"{statement.where}: a constraints file cannot have {statement.option[0]}")
    requirement = statement.requirement()
    if requirement.extras:
        raise ConstraintsError(
            f"{statement.where}: a constraint cannot have extras; write {requirement.name} without them"
        )
    return " ".join([str(requirement), *(f"--hash={each}" for each in statement.hashes)])


def _read(path: Path, source: str, named_by: str = "") -> bytes:
    by = f" (named by {named_by})" if named_by else ""
    try:
        with path.open("rb") as file:
            body = file.read(MOST_BYTES + 1)
    except OSError as wrong:
        reason = wrong.strerror or wrong
        raise ConstraintsError(f"the constraints {source}{by} cannot be read: {reason}") from wrong
    if len(body) > MOST_BYTES:
        raise ConstraintsError(f"the constraints {source} are longer than {MOST_BYTES} bytes")
    return body


def _decoded(body: bytes, source: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ConstraintsError(f"{source}: it is UTF-16; save it as UTF-8") from None
        line = body.count(b"\n", 0, wrong.start) + 1
        raise ConstraintsError(f"{source} line {line}: it is not UTF-8") from None


def _shown(path: Path, root: Path) -> str:
    try:
        return str(path.resolve().relative_to(root.resolve()))
    except ValueError:
        return str(path)


def sources(paths: Iterable[Path]) -> list[dict[str, str]]:
    """What --result-json says of each file: its source and SHA-256."""
    return [{"source": each.source, "sha256": each.sha256} for each in map(read, paths)]
