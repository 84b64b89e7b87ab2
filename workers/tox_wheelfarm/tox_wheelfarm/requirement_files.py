"""The lines of `deps`, and of the files that they name, as pip reads them.

Called by `deps`. What pip knows and cannot be had here is refused or told by its name; no line is ever dropped in
silence, and a variable of the environment never becomes an option.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from tox_wheelfarm.documents import Found, is_remote
from tox_wheelfarm.statements import Statement, statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tox_wheelfarm.documents import Documents

MOST_FILES = 100
FLAGS = frozenset({"--no-index", "--pre", "--prefer-binary", "--require-hashes", "--no-deps"})
SAME = {
    "--index-url": "-i",
    "--pypi-url": "-i",
    "--find-links": "-f",
    "--requirement": "-r",
    "--constraint": "-c",
}
VALUED = frozenset(
    {"-i", "-f", "-r", "-c", "--extra-index-url", "--trusted-host", "--use-feature"}
    | {"--no-binary", "--only-binary"}
)
SETTINGS = frozenset({"-C", "--config-settings", "--config-setting"})
BINARY = ("--no-binary", "--only-binary")
MEANINGLESS = {
    "--prefer-binary": "write --only-binary NAME for what must not be built",
    "--use-feature": "it is of pip's own",
}
EDITABLE = re.compile(r"(?:-e\s*|--editable[\s=]\s*)(?=\S)")
FORMAT = re.compile(r":all:|:none:|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")


class Asked(NamedTuple):
    """One line that asks for something.

    Attributes:
        text: without its options, variables filled in.
        where: the file and line, for messages.
        editable: whether `-e` stands before it.
        hashes: `algorithm:hexdigest` of its `--hash` options.
        settings: `key=value` of its `--config-settings` options.
    """

    text: str
    where: str
    editable: bool = False
    hashes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


@dataclass
class RequirementFiles:
    """Reads lines and the files that they name.

    Attributes:
        documents: where files come from.
        variables: of the environment; `${NAME}` in a line is filled in with them, as pip does.
        asked: what is asked for, in order.
        constraints: what `-c` names, as words for `constraints.collect`.
        flags: the options without a value.
        index_url: of `-i`, or "".
        others: of `--extra-index-url`.
        links: of `--find-links`: URLs, or paths that are absolute where they are beside their file.
        hosts: of `--trusted-host`.
        binary: the names of `--no-binary` and `--only-binary`, normalised, or `:all:`.
        ignored: a sentence for each option that means nothing here.
    """

    documents: Documents
    variables: Mapping[str, str]
    asked: list[Asked] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    index_url: str = ""
    others: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    binary: dict[str, set[str]] = field(default_factory=lambda: {each: set() for each in BINARY})
    ignored: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def read(self, lines: Sequence[str]) -> None:
        """Read the lines of a setting.

        Raises:
            ValueError: a line is not understood; it is told where and why.
            InstallerError: a file that is named cannot be had, as `Documents.get` has it.
        """
        self._take(Found("\n".join(lines).encode(), "deps", ""))

    def _take(self, document: Found) -> None:
        for statement in statements(self.documents.text(document), document.source):
            where = statement.where if document.place else f"deps: {statement.text[:100]!r}"
            text = statement.text
            editable = EDITABLE.match(text)
            if editable or not text.startswith("-"):
                self._ask(statement, where, text[editable.end() :] if editable else text, bool(editable))
            else:
                self._options(document, where, statement)

    def _ask(self, statement: Statement, where: str, text: str, editable: bool) -> None:
        # As in pip, options begin at the first word with a dash: what stands before it is not split.
        found = re.search(r"\s-", text)
        settings = self._settings(_split(text[found.start() :], where) if found else [], where)
        plain = text[: found.start()] if found else text
        if editable:  # whose value may be quoted, or its blanks escaped
            plain = re.sub(r"\\(\s)", r"\1", plain).strip("\"'" if plain[:1] in "\"'" else None)
        for digest in statement.hashes:
            if not DIGEST.fullmatch(digest):
                raise ValueError(
                    f"{where}: {digest[:80]!r} is no hash that pip takes (sha256, sha384, sha512)"
                )
        self.asked.append(Asked(self._filled(plain), where, editable, statement.hashes, settings))

    def _options(self, document: Found, where: str, statement: Statement) -> None:
        words = [self._filled(word) for word in _split(statement.text, where)]
        while words:
            option, value = self._option(words, where)
            if option in {"-r", "-c"}:
                hashes = "".join(f" --hash={digest}" for digest in statement.hashes)
                self._named(document, option, value, hashes, where)
            elif option == "--no-deps" and document.place:
                raise ValueError(f"{where}: --no-deps has no place in a file; write it in deps")
            elif option in BINARY:
                self._formats(option, value, where)
            else:
                self._place(document, option, value)
            if option in MEANINGLESS:
                self.ignored.append(f"{where}: {option} means nothing here: {MEANINGLESS[option]}")

    def _option(self, words: list[str], where: str) -> tuple[str, str]:
        """The next option and its value ("" for a flag), taken from the words."""
        word = words.pop(0)
        name, equals, value = word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:])
        option = SAME.get(name, name)
        if option in FLAGS and not equals:
            self.flags.add(option)
            return option, ""
        if option not in VALUED:
            raise ValueError(f"{where}: {name[:40]!r} is not understood here")
        if not equals:
            if not words:
                raise ValueError(f"{where}: {name} needs a value")
            value = words.pop(0)
        return option, value

    def _named(self, document: Found, option: str, value: str, hashes: str, where: str) -> None:
        beside = self.documents.beside(document.place, value, where)
        if option == "-c":
            self.constraints.append(beside + hashes)
            return
        key = self.documents.key(beside + hashes)
        if key in self._seen:
            return
        self._seen.add(key)
        if len(self._seen) > MOST_FILES:
            raise ValueError(f"more than {MOST_FILES} requirements files name one another")
        self._take(self.documents.get(beside + hashes, where if document.place else ""))

    def _place(self, document: Found, option: str, value: str) -> None:
        if option == "-i":
            self.index_url = value
            self.others.clear()
        elif option == "--extra-index-url" and value not in self.others:
            self.others.append(value)
        elif option == "--trusted-host" and value not in self.hosts:
            self.hosts.append(value)
        elif option == "-f":
            self.links.append(self._link(document, value))

    def _link(self, document: Found, value: str) -> str:
        if "://" in value or is_remote(document.place):
            return value
        root = self.documents.root
        beside = (root / document.place).parent / value if document.place else root / value
        return str(beside if beside.exists() else root / value)

    def _formats(self, option: str, value: str, where: str) -> None:
        # A later line edits what earlier ones said of the same names (pip's FormatControl).
        mine, theirs = self.binary[option], self.binary[BINARY[option == BINARY[0]]]
        for name in filter(None, (each.strip() for each in value.split(","))):
            if not FORMAT.fullmatch(name):
                raise ValueError(f"{where}: {option} needs names, :all: or :none:")
            if name == ":none:":
                mine.clear()
            elif name == ":all:":
                mine.clear()
                theirs.clear()
                mine.add(name)
            else:
                mine.add(canonicalize_name(name))
                theirs.discard(canonicalize_name(name))

    def _settings(self, words: list[str], where: str) -> tuple[str, ...]:
        found = []
        while words:
            name, equals, value = words.pop(0).partition("=")
            if name not in SETTINGS:
                raise ValueError(f"{where}: {name[:40]!r} is not understood behind a requirement")
            if not equals and words:
                value = words.pop(0)
            if "=" not in value:
                raise ValueError(f"{where}: {name} needs KEY=VALUE")
            found.append(self._filled(value))
        return tuple(found)

    def _filled(self, text: str) -> str:
        return VARIABLE.sub(lambda found: self.variables.get(found[1]) or found[0], text)


def _split(text: str, where: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as wrong:
        raise ValueError(f"{where}: {wrong}") from None
