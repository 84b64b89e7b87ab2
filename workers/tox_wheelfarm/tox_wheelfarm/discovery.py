"""Which interpreter an environment's `base_python` means.

Called by `environment`. tox's own way of finding one comes first; what that cannot read (Python 2.7 and its kin) is
looked for by name on PATH. It never downloads one.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtualenv import app_data
from virtualenv.discovery.builtin import get_interpreter
from virtualenv.discovery.py_spec import PythonSpec

from tox_wheelfarm.errors import InterpreterError
from tox_wheelfarm.interpreter import Interpreter, ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


def find(specs: Sequence[str], first: Sequence[str], variables: Mapping[str, str]) -> Path | None:
    """The executable of the first interpreter that fits, with links resolved, or None.

    Args:
        specs: as in `base_python`: `3.12`, `python3.12`, `py312`, `pypy3.10`, a path.
        first: paths that are tried before the others (`--discover`).
        variables: whose PATH is searched.
    """
    if not first and list(specs) == [sys.executable] and (own := _own()):
        return own
    cache = app_data.make_app_data(None, read_only=False, env=os.environ)
    for spec in specs:
        try:
            found: Any = None if _is_ancient(spec) else get_interpreter(spec, first, cache, variables)
        except (RuntimeError, OSError):
            found = None
        executable = getattr(found, "system_executable", None) or getattr(found, "executable", None)
        path = Path(executable) if executable else _by_name(spec, first, variables)
        if path is not None:
            return path.resolve()
    return None


def python_spec(path: Path) -> PythonSpec:
    """The spec of an interpreter, for tox to hold an environment's name against."""
    told = ask(path)
    kind = "" if told.implementation == "CPython" else told.implementation.lower()
    major, minor = told.version_info[:2]
    text = f"{kind or 'cpython'}{major}{minor}{'t' if told.free_threaded else ''}-{64 if told.is_64 else 32}"
    return PythonSpec.from_string_spec(text)


def _own() -> Path | None:
    """What this process runs on, outside any environment: the most frequent question, and quickly answered."""
    base = Path(getattr(sys, "_base_executable", "") or "").resolve()
    return base if base.is_file() and Path(sys.prefix).resolve() not in base.parents else None


def _is_ancient(spec: str) -> bool:
    # tox's way would only warn that it cannot read Python 2.
    wanted = PythonSpec.from_string_spec(spec)
    if wanted.path is not None:
        return Path(wanted.path).resolve().name.startswith("python2")
    return wanted.major == 2


def _by_name(spec: str, first: Sequence[str], variables: Mapping[str, str]) -> Path | None:
    wanted = PythonSpec.from_string_spec(spec)
    for path in _candidates(wanted, first, variables):
        try:
            told = ask(path)
        except InterpreterError:
            continue
        if _fits(told, wanted):
            return Path(told.executable)
    return None


def _candidates(wanted: PythonSpec, first: Sequence[str], variables: Mapping[str, str]) -> Iterator[Path]:
    if wanted.path is not None:
        yield from (path for path in [Path(wanted.path)] if path.is_file())
        return
    yield from (Path(path) for path in first if Path(path).is_file())
    if wanted.major is None or wanted.minor is None:
        return
    kind = (wanted.implementation or "python").lower().replace("cpython", "python")
    yield from _on_path([f"{kind}{wanted.major}.{wanted.minor}", f"{kind}{wanted.major}"], variables)


def _on_path(names: Iterable[str], variables: Mapping[str, str]) -> Iterator[Path]:
    folders = variables.get("PATH", os.environ.get("PATH", "")).split(os.pathsep)
    for name in names:
        # Each folder by itself: a shim of a version manager may be first and lead nowhere.
        found = (shutil.which(name, path=folder) for folder in folders)
        yield from (Path(path) for path in found if path)


def _fits(told: Interpreter, wanted: PythonSpec) -> bool:
    kind = (wanted.implementation or "").lower()
    if kind not in {"", "py", "python"} and kind != told.implementation.lower():
        return False
    parts = zip((wanted.major, wanted.minor, wanted.micro), told.version_info)
    return all(part is None or part == have for part, have in parts)
