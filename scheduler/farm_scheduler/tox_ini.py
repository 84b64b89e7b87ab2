"""Reads tox configuration in INI form: tox.ini, `[tox:tox]` of setup.cfg, `legacy_tox_ini`.

Called by tox_configuration with the text. It never imports tox, runs nothing and looks at no variable of this
host: `{env:NAME:DEFAULT}` is its default, as it will be in the guest.
"""

import re
from collections.abc import Iterable, Iterator
from configparser import ConfigParser
from configparser import Error as IniError

from farm_scheduler.errors import PlanError
from farm_scheduler.tox_environment import ToxConfiguration, ToxEnvironment
from farm_scheduler.tox_factors import expand_names, filter_lines, section_names

MAX_DEPTH = 20
"""How deep substitutions may refer to one another."""

MAX_VALUE = 1 << 20
"""Characters that a value may have after substitution."""

_SECTIONS = ("tox", "testenv", "pkgenv")
"""What the sections of tox begin with."""

_COMMENT = re.compile(r"(\s)*(?<!\\)#.*")
_INNERMOST = re.compile(r"\{([^{}]*)\}")
_REFERENCE = re.compile(
    r"(?:\[(?P<section>[^\]]+)\])?(?P<key>[-a-zA-Z0-9_]+)(?::(?P<default>.*))?", re.DOTALL
)


_ESCAPE = re.compile(r"\\([\\:{}\[\]])")
_PLAIN = {mark: chr(2 + number) for number, mark in enumerate(":{}[]")}
"""What stands for a mark that is text and no syntax, until all is substituted: it was escaped, or came in."""

_MARKS = str.maketrans({plain: mark for mark, plain in _PLAIN.items()})


def read_ini(text: str, file: str, *, core: str = "tox", also: Iterable[str] = ()) -> ToxConfiguration | None:
    """The configuration in an INI text, or None when it has no section of tox: other tools use these files as well.

    Args:
        text: the whole file.
        file: its name, for messages.
        core: the name of the core section: `tox`, in setup.cfg `tox:tox`.
        also: environments to read besides those of the list.

    Raises:
        PlanError: not INI, or a list of environments that tox would refuse.
    """
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text.removeprefix("\ufeff"), file)
    except IniError as error:
        sentence = f"{file} cannot be read: {' '.join(str(error).split())}; correct it"
        raise PlanError(sentence, file=file) from error
    sections = (core,) if core != "tox" else _SECTIONS
    if not any(section.partition(":")[0] in sections or section in sections for section in parser.sections()):
        return None
    return _IniReader(parser, core).configuration(file, also)


class _IniReader:
    def __init__(self, parser: ConfigParser, core: str) -> None:
        self._parser = parser
        self._core = core
        self._sections: dict[str, list[str]] = {}
        for section in parser.sections():
            prefix, _, rest = section.partition(":")
            if prefix == "testenv" and rest:
                for name in section_names(rest):
                    self._sections.setdefault(name, []).append(section)

    def configuration(self, file: str, also: Iterable[str]) -> ToxConfiguration:
        env_list = expand_names(self._core_value("env_list", "envlist"))
        requires = tuple(_lines(self._core_value("requires")))
        return ToxConfiguration(
            file=file,
            env_list=tuple(env_list),
            environments={name: self._environment(name) for name in dict.fromkeys([*env_list, *also])},
            requires=requires,
            min_version=self._core_value("min_version", "minversion").strip() or None,
            skip_missing_interpreters=_truth(self._core_value("skip_missing_interpreters")),
            core=f"{self._core}.",
        )

    def _environment(self, name: str) -> ToxEnvironment:
        base_python = self._value(name, "base_python", "basepython")
        return ToxEnvironment(
            name=name,
            base_python=tuple(_entries(base_python)),
            depends=tuple(expand_names(self._value(name, "depends"))),
            deps=tuple(_lines(self._value(name, "deps"))),
            runner=self._value(name, "runner").strip(),
            installs=not (
                _truth(self._value(name, "skip_install"))
                or self._value(name, "package").strip() == "skip"
                or _truth(self._core_value("no_package", "skipsdist"))
            ),
        )

    def _core_value(self, *keys: str) -> str:
        if not self._parser.has_section(self._core):
            return ""
        return self._from_section(self._core, keys, None) or ""

    def _value(self, name: str, *keys: str) -> str:
        for section in self._inherited(name):
            value = self._from_section(section, keys, name)
            if value is not None:
                return value
        return ""

    def _inherited(self, name: str) -> Iterator[str]:
        """The sections that tox asks for a value, nearest first: its own, then what `base` names."""
        front = [self._sections[name][0] if name in self._sections else f"testenv:{name}"]
        seen: set[str] = set()
        while front:
            section = front.pop(0)
            if section in seen or not (section in self._parser or section.startswith("testenv:")):
                continue
            seen.add(section)
            base = None
            if section in self._parser:
                yield section
                base = self._from_section(section, ("base",), name)
            if section != "testenv":
                bases = ["testenv"] if base is None else list(_entries(base))
                front += [
                    each for base in bases for each in (base, f"testenv:{base}") if each in self._parser
                ]

    def _from_section(self, section: str, keys: tuple[str, ...], name: str | None) -> str | None:
        """The value for an environment; None when it is not there or no line of it holds."""
        for key in keys:
            if key in self._parser[section]:
                value = self._process(self._parser[section][key], name)
                if value is not None:
                    return self._substitute(value, section, name, 0).translate(_MARKS)
        return None

    @staticmethod
    def _process(value: str, name: str | None) -> str | None:
        lines = [_COMMENT.sub("", line).replace("\\#", "#") for line in value.split("\n") if line[:1] != "#"]
        text = "\n".join(lines).replace("\r", "")
        kept = filter_lines(text, name)
        if not kept and text.strip():
            return None
        return kept.replace("\\\n", "")

    def _substitute(self, value: str, section: str, name: str | None, depth: int) -> str:
        """Replace references from the inside out; what is no reference (factor braces) stays."""
        if depth > MAX_DEPTH or len(value) > MAX_VALUE:
            sentence = f"the substitutions in [{section}] go round in circles; correct them"
            raise PlanError(sentence, section=section)
        kept: list[str] = []
        value = _ESCAPE.sub(lambda match: _PLAIN.get(match[1], match[0]), value)

        def replace(match: re.Match[str]) -> str:
            found = self._refer(match[1], section, name, depth)
            if found is not None:
                return found.replace(":", _PLAIN[":"])
            kept.append(match[0])
            return f"\x00{len(kept) - 1}\x01"

        previous = None
        while previous != value:
            previous = value
            value = _INNERMOST.sub(replace, value)
            if len(value) > MAX_VALUE:
                raise PlanError(f"a value in [{section}] grows without end; correct it", section=section)
        return _put_back(value, kept)

    def _refer(self, text: str, section: str, name: str | None, depth: int) -> str | None:
        kind, _, rest = text.partition(":")
        if text in {"/", ":"}:
            return text
        if kind in {"env", "posargs", "tty"}:
            # In the guest there is no variable of the host, no word of a person, and no terminal.
            default = {"env": rest.partition(":")[2], "posargs": rest, "tty": [*rest.split(":"), ""][1]}
            return default[kind]
        if text in {"envname", "env_name"} and name is not None:
            return name
        match = _REFERENCE.fullmatch(text)
        if match is None:
            return None
        found = self._lookup(match["section"], match["key"], section, name, depth)
        return match["default"] if found is None else found

    def _lookup(self, named: str | None, key: str, here: str, name: str | None, depth: int) -> str | None:
        sections = [named] if named else [self._core, here, "testenv"]
        if named == "tox":
            sections = [self._core]
        for section in sections:
            if section in self._parser and key in self._parser[section]:
                if section == here and named is None and name is None:
                    continue
                processed = self._process(self._parser[section][key], name) or ""
                return self._substitute(processed, section, name, depth + 1)
        return None


def _put_back(value: str, kept: list[str]) -> str:
    for number in reversed(range(len(kept))):
        value = value.replace(f"\x00{number}\x01", kept[number])
    return value


def _lines(value: str) -> Iterator[str]:
    return (line.strip() for line in value.split("\n") if line.strip())


def _entries(value: str) -> Iterator[str]:
    separator = "\n" if "\n" in value else ","
    return (entry.strip() for entry in value.split(separator) if entry.strip())


def _truth(value: str) -> bool:
    return value.strip().lower() in {"true", "1", "yes", "on"}
