"""What `[tool.cibuildwheel]` says: for which Pythons wheels are built, and how they are tested.

Called by inference, runners and requirement_sources for a project without tox configuration. It reads text with the
rules of cibuildwheel's selectors (https://cibuildwheel.pypa.io/en/stable/options/), and runs nothing. Settings that
cannot be read say nothing.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import bracex
from packaging.version import Version

from farm_scheduler.interpreters import Interpreter
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.tox_configuration import read_pyproject

MAX_TEXT = 5000
"""Characters of one setting."""

MOST = 1000
"""Patterns that one setting may mean once its braces are expanded."""

PLATFORMS = ("manylinux_x86_64", "musllinux_x86_64")
"""The ends of the identifiers that speak of Linux on x86_64."""

MINORS = range(6, 40)
ROOT = "{tox_root}"

_FOLDER = re.compile(r"\{(?:project|package)\}")
_WORD = re.compile(r"[\w ./:=+,@%\0-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelSettings:
    """The settings that the farm follows, as patterns and words.

    Attributes:
        build, skip, test_skip: patterns of identifiers such as `cp312-manylinux_x86_64`, braces expanded.
        enable: the groups of Pythons that are built only when they are named.
        narrows: whether they say anything of the Pythons on Linux x86_64.
        said: the settings of these, as written.
        commands: the test command in tox's notation; empty when it is none of pytest or unittest.
        runner: the one that it calls.
        shown: the test command, as written.
        alone: whether the tests run outside the project's folder, as in cibuildwheel without `test-sources`.
    """

    build: tuple[str, ...] = ("*",)
    skip: tuple[str, ...] = ()
    test_skip: tuple[str, ...] = ()
    enable: frozenset[str] = frozenset()
    narrows: bool = False
    said: str = ""
    commands: tuple[str, ...] = ()
    runner: str = "pytest"
    shown: str = ""
    alone: bool = True
    requires: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()

    def leaves_out(self, interpreter: Interpreter) -> str | None:
        """Why it builds, or tests, no wheel for a Python; None when it does, or when it says nothing of it."""
        if not self.narrows:
            return None
        group = _lacking_group(interpreter, self.enable)
        if group is not None:
            return f"[tool.cibuildwheel] builds no wheel for it: enable does not name {group}"
        if not self._means(_tag(interpreter)):
            return "[tool.cibuildwheel] builds and tests no wheel for it on Linux x86_64"
        return None

    def enables(self, interpreter: Interpreter) -> bool:
        """Whether a Python that is no plain CPython is named by its group and built."""
        plain = interpreter.implementation == "cpython" and not interpreter.threaded
        return self.narrows and not plain and self.leaves_out(interpreter) is None

    def _means(self, tag: str) -> bool:
        return any(
            _matches(self.build, name) and not _matches((*self.skip, *self.test_skip), name)
            for name in (f"{tag}-{platform}" for platform in PLATFORMS)
        )

    def speaks_of_linux(self) -> bool:
        """Whether any Python at all is built on Linux x86_64."""
        tags = (
            f"{kind}3{minor}{end}" for minor in MINORS for kind, end in (("cp", ""), ("cp", "t"), ("pp", ""))
        )
        return any(self._means(tag) for tag in tags)


def wheel_settings(files: ProjectFiles) -> WheelSettings:
    """What the project tells cibuildwheel, in pyproject.toml; for Linux where a platform has settings of its own."""
    tool = read_pyproject(files).get("tool")
    top = tool.get("cibuildwheel") if isinstance(tool, Mapping) else None
    if not isinstance(top, Mapping):
        return WheelSettings()
    linux = top.get("linux")
    table = {**top, **linux} if isinstance(linux, Mapping) else top
    named = [key for key in ("build", "skip", "test-skip", "enable") if _text(top.get(key), " ")]
    patterns = {key: _expanded(_text(top.get(key), " ")) for key in ("build", "skip", "test-skip")}
    shown = _text(table.get("test-command"), " && ") or ""
    commands = tuple(_commands(shown, files))
    found = WheelSettings(
        build=patterns["build"] or ("*",),
        skip=patterns["skip"] or (),
        test_skip=patterns["test-skip"] or (),
        enable=frozenset((_text(top.get("enable"), " ") or "").split()),
        narrows=bool(named) and None not in patterns.values(),
        said="; ".join(f"{key} {_text(top.get(key), ' ')}" for key in named),
        commands=commands,
        runner="unittest" if any("-m unittest" in each for each in commands) else "pytest",
        shown=shown,
        alone=not _text(table.get("test-sources"), " "),
        requires=tuple(_words(table.get("test-requires"))),
        groups=tuple((_text(table.get("test-groups"), " ") or "").split()),
        extras=tuple(
            each.strip() for each in (_text(table.get("test-extras"), ",") or "").split(",") if each.strip()
        ),
    )
    return found if found.speaks_of_linux() else replace(found, narrows=False)


def _tag(interpreter: Interpreter) -> str:
    kind = "cp" if interpreter.implementation == "cpython" else "pp"
    return f"{kind}{interpreter.python.replace('.', '')}{'t' if interpreter.threaded else ''}"


def _lacking_group(interpreter: Interpreter, enable: frozenset[str]) -> str | None:
    """The group without which a Python is not built; which PyPy counts as old changes with cibuildwheel."""
    wanted: set[str] = set()
    if interpreter.implementation == "pypy":
        wanted = {"pypy", "pypy-eol"}
    elif Version(interpreter.version).is_prerelease:
        wanted = {"cpython-prerelease"}
    elif interpreter.threaded and interpreter.python == "3.13":
        wanted = {"cpython-freethreading"}
    return min(wanted) if wanted and not (wanted | {"all"}) & enable else None


def _matches(patterns: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _expanded(text: str | None) -> tuple[str, ...] | None:
    """The patterns of a setting; None when they cannot be expanded."""
    found: list[str] = []
    try:
        for pattern in (text or "").split():
            found += bracex.expand(pattern, limit=MOST)
            if len(found) > MOST:
                return None
    except (ValueError, RecursionError, bracex.ExpansionLimitException):
        return None
    return tuple(found)


def _text(value: object, separator: str) -> str | None:
    """A setting as one text: a string, or a list that cibuildwheel joins; None when it is neither."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = separator.join(value)
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else None


def _words(value: object) -> list[str]:
    if isinstance(value, list):
        return [each for each in value[:MOST] if isinstance(each, str)]
    try:
        return shlex.split(_text(value, " ") or "")
    except ValueError:
        return []


def _commands(text: str, files: ProjectFiles) -> Iterator[str]:
    """Each command for tox, if all of them call pytest or unittest on what is there; else nothing."""
    commands = [_command(part, files) for part in text.split("&&")] if text.strip() else []
    if None not in commands:
        yield from (each for each in commands if each is not None)


def _command(text: str, files: ProjectFiles) -> str | None:
    try:
        words = [_FOLDER.sub("\0", word) for word in shlex.split(text)]
    except ValueError:
        return None
    if not all(_WORD.fullmatch(word) for word in words) or not _calls_runner(words):
        return None
    if not all(_is_there(word, files) for word in words if word.startswith("\0")):
        return None
    words[0] = "python" if words[0] == "python3" else words[0]
    quoted = (f'"{word}"' if " " in word else word for word in words)
    return " ".join(quoted).replace("\0", ROOT)


def _calls_runner(words: list[str]) -> bool:
    if words[:1] in (["pytest"], ["py.test"]):
        return True
    return words[:1] in (["python"], ["python3"]) and words[1:3] in (["-m", "pytest"], ["-m", "unittest"])


def _is_there(word: str, files: ProjectFiles) -> bool:
    path = word.removeprefix("\0").partition("::")[0].strip("/")
    return not path or path in files.names or any(name.startswith(f"{path}/") for name in files.names)
