"""What a person or a tox configuration calls a Python, and which interpreters of an image answer to it.

Called by planning. Names only: it never starts anything.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.version import InvalidVersion, Version

from farm_images.catalogue import python_name

_SPEC = re.compile(
    r"(?P<impl>[a-z]*?)-?(?P<major>[23])(?:\.?(?P<minor>[0-9]{1,2}))?(?:\.[0-9]+)?(?P<threaded>t?)d?",
    re.IGNORECASE,
)
_CPYTHON = frozenset({"", "py", "python", "cpython"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that was started in an image.

    Attributes:
        python: `3.12`: major and minor, by which cells are named.
        version: the whole version, `3.12.1`; `3.12` when it was not started yet.
        implementation: `cpython`, `pypy`.
        threaded: whether it is a free-threaded build, which answers to other names than the plain one.
        path: in the guest.
        works: whether it started and can do what a job needs.
        reason: why it does not.
    """

    python: str
    version: str
    implementation: str = "cpython"
    path: str = ""
    works: bool = True
    reason: str | None = None
    threaded: bool = False

    @property
    def name(self) -> str:
        """By which cells are named: `3.12`, `3.14t`, `pypy3.10`."""
        return python_name(self.implementation, self.python, threaded=self.threaded)

    @property
    def order(self) -> tuple[int, ...]:
        """Sorts interpreters by version, not as text."""
        return version_order(self.python)


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonRequest:
    """A Python as it is asked for: `py312`, `pypy310`, `python3`, `3.12`.

    Attributes:
        python: `3.12`, or None when no minor version is named.
        implementation: lower case; `cpython` when none is named.
        threaded: whether the free-threaded build is meant.
        text: as it was written.
    """

    python: str | None
    implementation: str
    threaded: bool
    text: str

    @property
    def name(self) -> str:
        """By which a cell of it is named, also when no image has it: `3.14`, `3.14t`, `pypy3`."""
        version = self.python or ("3" if self.implementation == "pypy" else "")
        return python_name(self.implementation, version, threaded=self.threaded)

    @property
    def exact(self) -> bool:
        """Whether it can only be one cell's Python, or one that is no CPython."""
        return self.python is not None or self.implementation != "cpython" or self.threaded

    def fits(self, interpreter: Interpreter) -> bool:
        """Whether this interpreter is meant."""
        return (
            self.implementation == interpreter.implementation
            and self.threaded == interpreter.threaded
            and self.python in {None, interpreter.python}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemImage:
    """An operating system that jobs can have: its name and the interpreters of its image.

    Attributes:
        baked: whether the image is there; else the interpreters are those that it should have.
    """

    name: str
    interpreters: tuple[Interpreter, ...]
    baked: bool = True

    def working(self) -> tuple[Interpreter, ...]:
        """Those that work, oldest first."""
        working = (each for each in self.interpreters if each.works)
        return tuple(sorted(working, key=lambda each: (each.order, each.name)))


def version_order(python: str) -> tuple[int, ...]:
    """Sorts `3.9` before `3.10`."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", python))


def name_order(python: str | None) -> tuple[bool, bool, tuple[int, ...], str]:
    """Sorts the names of cells: CPython by version, then the others by name, last what has no Python of its own."""
    name = python or ""
    return (python is None, not name[:1].isdigit(), version_order(name), name)


def read_request(text: str) -> PythonRequest | None:
    """A Python as written in a name, a setting or on the command line; None when it names no version."""
    name = text.strip().rpartition("/")[2]
    match = _SPEC.fullmatch(name)
    if match is None:
        implementation = name.lower()
        known = implementation in {"pypy", "graalpy", "jython", "rustpython", "ironpython"}
        return (
            PythonRequest(python=None, implementation=implementation, threaded=False, text=name)
            if known
            else None
        )
    minor = match["minor"]
    implementation = match["impl"].lower()
    return PythonRequest(
        python=f"{match['major']}.{int(minor)}" if minor is not None else None,
        implementation="cpython" if implementation in _CPYTHON else implementation,
        threaded=bool(match["threaded"]),
        text=name,
    )


def system_image(name: str, catalogue: Iterable[Mapping[str, Any]], *, baked: bool = True) -> SystemImage:
    """The image of a system from its row in the record; entries without a readable version do not count."""
    return SystemImage(name=name, interpreters=tuple(_interpreters(catalogue)), baked=baked)


def _interpreters(catalogue: Iterable[Mapping[str, Any]]) -> Iterable[Interpreter]:
    for entry in catalogue:
        try:
            version = Version(str(entry.get("version", "")))
        except InvalidVersion:
            continue
        reason = entry.get("reason")
        yield Interpreter(
            python=f"{version.major}.{version.minor}",
            version=str(entry["version"]),
            implementation=str(entry.get("implementation") or "cpython").lower(),
            path=str(entry.get("path", "")),
            works=bool(entry.get("works")),
            reason=str(reason) if reason else None,
            threaded=entry.get("threaded") is True,
        )
