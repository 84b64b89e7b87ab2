"""Factors of tox: generative names, factor conditions on lines, and which Python a name asks for.

Called by the readers of tox configuration. Pure text: it reads no file and never imports tox. The rules are
those of tox 4 (https://tox.wiki/en/latest/config.html), where an environment name is factors joined by `-`.
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import chain, groupby, product

from farm_scheduler.errors import PlanError

OPEN_RANGE_FIRST = 11
OPEN_RANGE_LAST = 15
"""The minor versions that tox puts in place of the open side of a range: `py3{12-}`, `py3{-12}`."""

MAX_NAMES = 10_000
"""More names than this out of one list is a mistake or an attack; tox itself knows no limit."""

_BRACES = re.compile(r"((?:\{[^}]+\})+)|,")
_INNER = re.compile(r"\{([^}]+)\}")
_FACTOR = re.compile(r"!?(?:\[!?|[\w.*?\]])(?:\[!?|[\w.*?\]-])*|^$")
_RANGE = re.compile(r"((?<![\w.-])(?:(\d+)-(\d+)|(\d+)-)|(?<=[{,])-(\d+)|\d+)[,}]")
_CONDITION = re.compile(r":(\s|$)")
_PYTHON = re.compile(
    r"^(?!py$)(?P<impl>py|pypy|cpython|jython|graalpy|rustpython|ironpython)"
    r"(?:(?P<version>[2-9]\.?[0-9]?[0-9]?)(?P<threaded>t?)(?P<debug>d?))?$"
)
_NO_PYTHON = re.compile(r"^(py|pypy|cpython)[0-9][0-9.]*$")
_EXPLICIT = re.compile(r"^((?P<impl>cpython|pypy)-)?(?P<version>[23]\.[0-9]+)(?P<threaded>t?)(?P<debug>d?)$")


def expand_names(text: str) -> list[str]:
    """The names of an environment list: `py3{10-12}-{a,b}, docs` and one entry or more a line.

    Raises:
        PlanError: an entry is no name, or the list is absurdly long.
    """
    names: dict[str, None] = {}
    for line in text.split("\n"):
        for group in _factor_groups(line):
            name = "-".join(factor for factor, _ in group)
            names[name] = None
            if len(names) > MAX_NAMES:
                sentence = f"the environment list has more than {MAX_NAMES} names; shorten it"
                raise PlanError(sentence, names=MAX_NAMES)
    return list(names)


def section_names(text: str) -> list[str]:
    """The environments that a section header `testenv:TEXT` speaks of; empty when it is no list of names."""
    try:
        return ["-".join(factor for factor, _ in group) for group in _factor_groups(text)]
    except PlanError:
        return []


def active_factors(name: str | None) -> set[str]:
    """The factors that hold for an environment (`name` None: for the core section): its own, and the platform's."""
    own = () if name is None else chain.from_iterable(_split_factor_names(name))
    return {"linux", "x86_64", *own}


def filter_lines(text: str, name: str | None) -> str:
    """The lines of a value that hold for an environment: `py312,docs: VALUE` only where the factors match.

    `name` None is the core section. The factor of the platform (`linux`) always holds.
    """
    active = active_factors(name)
    kept: list[str] = []
    continued = skipping = False
    for groups, content in _conditional_lines(text):
        if groups is None:
            if skipping and not continued and not content.endswith("\\"):
                skipping = False
                continue
            if content:
                kept.append(content)
                continued = content.endswith("\\")
            skipping = False
        elif any(all((factor in active) ^ negated for factor, negated in group) for group in groups):
            kept.append(content)
            continued, skipping = content.endswith("\\"), False
        else:
            skipping = content.endswith("\\")
    return "\n".join(kept)


def conditional_names(text: str) -> Iterator[str]:
    """The factor groups that stand as conditions in a value, as names."""
    for groups, _ in _conditional_lines(text):
        for group in groups or ():
            yield "-".join(factor for factor, _ in group)


def named_python(name: str) -> str | None:
    """The Python that an environment name asks for, as tox reads it: `py312`, `pypy310`, `3.12`; or None.

    Raises:
        PlanError: two factors ask for a Python each; tox refuses such a name.
    """
    found: list[str] = []
    if match := _EXPLICIT.match(name):
        found.append(_explicit(match))
    else:
        for factor in name.split("-"):
            if _PYTHON.match(factor):
                found.append(factor)
            elif match := _EXPLICIT.match(factor):
                found.append(_explicit(match))
    if len(found) > 1:
        sentence = f"the environment {name} names two Pythons ({', '.join(found)}), which tox refuses"
        raise PlanError(sentence, environment=name)
    return found[0] if found else None


def impossible_python(name: str) -> str | None:
    """The factor of a name that looks like a Python and can be none: `py39999`, which is a mere word to tox."""
    factors = name.split("-")
    return next((each for each in factors if _NO_PYTHON.match(each) and not _PYTHON.match(each)), None)


def matches(name: str, pattern: str) -> bool:
    """Whether a `depends` entry means this environment; it may be a glob."""
    return fnmatchcase(name, pattern)


def _explicit(match: re.Match[str]) -> str:
    implementation = "pypy" if match["impl"] == "pypy" else ""
    return f"{implementation}{match['version']}{match['threaded']}{match['debug']}"


def _split_factor_names(name: str) -> Iterator[list[str]]:
    try:
        for group in _factor_groups(name):
            yield [factor for factor, _ in group]
    except PlanError:
        yield name.split("-")


def _conditional_lines(text: str) -> Iterator[tuple[list[list[tuple[str, bool]]] | None, str]]:
    for line in text.split("\n"):
        marker = _CONDITION.search(line)
        if marker is None:
            yield None, line
            continue
        try:
            groups = list(_factor_groups(line[: marker.start()].strip()))
        except PlanError:
            yield None, line
        else:
            yield groups, line[marker.start() + 1 :].strip()


def _factor_groups(text: str) -> Iterator[list[tuple[str, bool]]]:
    for name in _expand_braces(_RANGE.sub(_expand_range, text)):
        yield [(factor.removeprefix("!"), factor.startswith("!")) for factor in name.split("-")]


def _expand_braces(text: str) -> Iterator[str]:
    for filled, group in groupby(_BRACES.split(text), key=bool):
        if not filled:
            continue
        entry = "".join(each or "" for each in group).strip()
        parts = [[item.strip() for item in part.split(",")] for part in _INNER.split(entry)]
        for variant in product(*parts):
            name = "".join(variant)
            if not all(_FACTOR.fullmatch(factor) for factor in name.split("-")):
                sentence = f"{name!r} is no name of a tox environment; correct the list of environments"
                raise PlanError(sentence, environment=name)
            yield name


def _expand_range(match: re.Match[str]) -> str:
    _, start, stop, open_start, open_stop = match.groups()
    if start and stop:
        first, last = int(start), int(stop)
        if abs(last - first) > MAX_NAMES:
            raise PlanError(f"the range {start}-{stop} is too long; shorten it", range=f"{start}-{stop}")
        step = 1 if first < last else -1
        numbers = list(range(first, last + step, step))
    elif open_start:
        numbers = list(range(int(open_start), OPEN_RANGE_LAST + 1)) or [int(open_start)]
    elif open_stop:
        numbers = list(range(OPEN_RANGE_FIRST, int(open_stop) + 1)) or [int(open_stop)]
    else:
        return match.group()
    return ",".join(map(str, numbers)) + match.group()[-1]
