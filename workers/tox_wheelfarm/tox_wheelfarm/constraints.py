"""Constraints from wherever a person keeps them: files, URLs with or without a hash, and lines; as files for uv.

Called by the runner; what it gives is read by `resolution`, and by uv for builds. What uv gets is written here, anew:
names, versions and markers only. An option in somebody's file (another index, another folder) never reaches uv.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from tox_wheelfarm.decoding import decoded
from tox_wheelfarm.documents import URL, Documents, Found
from tox_wheelfarm.errors import ConstraintsError
from tox_wheelfarm.kept import keep
from tox_wheelfarm.statements import INLINE, Statement, statements
from tox_wheelfarm.uv import Offline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

LOGGER = logging.getLogger(__name__)

MOST_FILES = 100
NESTED = frozenset({"-c", "--constraint", "-r", "--requirement"})
PLACES = frozenset(
    {"-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links", "--trusted-host", "--pre"}
    | {"--prefer-binary", "--no-binary", "--only-binary", "--require-hashes", "--use-feature"}
)
"""Options that say where files are or how they are chosen. The environment says that: they are warned of by name."""

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
    gathering = _Gathering(Documents(root, cache, offline))
    inline: list[str] = []
    for word in map(_bare, words):
        if _is_line(word):
            inline.append(word)
        elif word:
            gathering.add(word, "")
    if inline:
        gathering.take(Found("\n".join(inline).encode(), INLINE, ""))
    return tuple(gathering.found)


def read(path: Path) -> Constraints:
    """A file that `collect` wrote, or any other constraints file.

    Raises:
        ConstraintsError: it cannot be read, or a line of it is not a constraint.
    """
    body = Documents(path.parent, path.parent, Offline.ALWAYS).read(path, str(path))
    text = decoded(body, str(path), ConstraintsError)
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

    documents: Documents
    found: list[Path] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add(self, word: str, named_by: str) -> None:
        key = self.documents.key(word)
        if key in self.seen:
            return
        self.seen.add(key)
        if len(self.seen) > MOST_FILES:
            raise ConstraintsError(f"more than {MOST_FILES} constraints files name one another")
        self.take(self.documents.get(word, named_by))

    def take(self, document: Found) -> None:
        """Write what uv gets for one source, after what that names itself."""
        lines: dict[int, str] = {}
        for statement in statements(self.documents.text(document), document.source):
            option, value = statement.option
            if option in NESTED and value:
                hashes = "".join(f" --hash={digest}" for digest in statement.hashes)
                beside = self.documents.beside(document.place, value, statement.where)
                self.add(beside + hashes, statement.where)
            elif option in PLACES:
                LOGGER.warning(
                    "%s: %s means nothing in constraints; write it in deps", statement.where, option
                )
            else:
                lines[statement.line] = _constraint(statement)
        header = json.dumps({"source": document.source, "sha256": hashlib.sha256(document.body).hexdigest()})
        text = "\n".join(lines.get(number, "") for number in range(1, max(lines, default=0) + 1))
        written = f"{text}\n{MARK}{header}\n".encode()
        name = f"constraints-{hashlib.sha256(written).hexdigest()[:32]}.txt"
        self.found.append(keep(self.documents.cache / name, written))


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


def sources(paths: Iterable[Path]) -> list[dict[str, str]]:
    """What --result-json says of each file: its source and SHA-256."""
    return [{"source": each.source, "sha256": each.sha256} for each in map(read, paths)]
