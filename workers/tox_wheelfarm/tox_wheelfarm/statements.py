"""The lines of a requirements or constraints file, each with where it stands.

Read by `constraints`, `requirements` and `clashes`. It never opens what a line names, and never expands a variable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from tox_wheelfarm.errors import ConstraintsError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 8 << 20
"""Of one file."""

LONGEST = 1 << 16
"""Of one statement, in characters; the longest real ones (hashes of a large project) stay below a fifth of it."""

INLINE = "constraints of the environment"
"""The source of lines that stand in the settings themselves."""

COMMENT = re.compile(r"(?<!\S)#.*$")
HASH = re.compile(r"\s--hash[=\s]\s*(?P<quote>[\"']?)(?P<hash>[A-Za-z0-9_]+:[0-9A-Fa-f]+)(?P=quote)(?=\s|$)")
OPTION = re.compile(r"^(?P<option>--?[A-Za-z][\w-]*)(?:\s*=\s*|\s+|(?<=^-\w)(?=\S)|$)(?P<value>.*)$")


@dataclass(frozen=True)
class Statement:
    """One statement of a file, continued lines joined, without its comment.

    Attributes:
        text: the statement without its hashes.
        source: the file or URL that holds it, as people name it.
        line: its first line, from 1; 0 where there are no lines.
        hashes: `algorithm:hexdigest` of its `--hash` options.
    """

    text: str
    source: str
    line: int = 0
    hashes: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Where it stands, for a message."""
        return f"{self.source} line {self.line}" if self.line else self.source

    @property
    def option(self) -> tuple[str, str]:
        """The option that the line is and its value, or two empty texts."""
        found = OPTION.match(self.text)
        return (found["option"], found["value"].strip().strip("\"'")) if found else ("", "")

    def requirement(self) -> Requirement:
        """The statement, parsed (PEP 508), with versions that are versions (PEP 440) behind `===` as well.

        Raises:
            ConstraintsError: it is something else.
        """
        try:
            requirement = Requirement(self.text)
            for specifier in requirement.specifier:
                if specifier.operator == "===":
                    Version(specifier.version)
        except (InvalidRequirement, InvalidVersion) as wrong:
            reason = str(wrong).splitlines()[0]
            # What stands in a file is not shown: it may be any file that a setting leads to.
            told = f"{self.text[:200]!r}" if self.source == INLINE else "it"
            raise ConstraintsError(f"{self.where}: {told} cannot be read: {reason}") from None
        return requirement


def statements(text: str, source: str) -> Iterator[Statement]:
    """The statements of a file, in order; comments and empty lines are none.

    Raises:
        ConstraintsError: a statement is far too long.
    """
    first, parts = 0, []
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        first = first or number
        whole = COMMENT.sub("", line).rstrip() if "#" in line else line.rstrip()
        continued = whole.endswith("\\") and number < len(lines)
        parts.append(whole.removesuffix("\\"))
        if sum(map(len, parts)) > LONGEST:
            raise ConstraintsError(f"{source} line {first}: a statement of more than {LONGEST} characters")
        if continued:
            continue
        joined = "".join(parts).strip()
        if joined:
            yield _statement(joined, source, first)
        first, parts = 0, []


def _statement(joined: str, source: str, line: int) -> Statement:
    hashes = tuple(found["hash"].lower() for found in HASH.finditer(joined))
    return Statement(" ".join(HASH.sub(" ", joined).split()), source, line, hashes)
