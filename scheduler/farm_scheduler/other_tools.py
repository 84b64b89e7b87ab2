"""What a project says to nox, hatch and cibuildwheel, recognised and named: the farm runs none of these tools.

Called by planning for the notes of a plan. A noxfile is parsed, never imported.
"""

import ast
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from farm_scheduler.plan import Note
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.tool_needs import hatch_environments
from farm_scheduler.tox_configuration import read_pyproject

MOST_SHOWN = 20
SHOWN = ("build", "skip", "enable", "archs", "test-command")
"""The settings of cibuildwheel that a note repeats."""

MAX_SOURCE = 256 << 10
"""Characters of a noxfile that is parsed."""


def other_notes(files: ProjectFiles, *, inferred: bool = False) -> list[Note]:
    """One note for each tool that the project is set up for; `inferred`: without tox configuration."""
    pyproject = read_pyproject(files)
    tool = _table(pyproject.get("tool"))
    notes = []
    sessions = list(nox_sessions(files.text("noxfile.py") or ""))
    if sessions:
        notes.append(f"nox sessions, which are not run: {_shown(sessions)}")
    environments = list(_hatch_environments(files))
    if environments:
        notes.append(f"hatch environments, which are not run: {_shown(environments)}")
    if "cibuildwheel" in tool:
        notes.append(_cibuildwheel(_table(tool["cibuildwheel"]), inferred=inferred))
    return [Note(environment=None, reason=note) for note in notes]


def nox_sessions(source: str) -> Iterator[str]:
    """The sessions of a noxfile: `tests (3.11, 3.12)`; none when it is no Python."""
    if not source or len(source) > MAX_SOURCE:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                call = decorator.func if isinstance(decorator, ast.Call) else decorator
                if _name(call) == "session":
                    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
                    yield _session(node.name, keywords)


def _session(function: str, keywords: list[ast.keyword]) -> str:
    said = {each.arg: _literal(each.value) for each in keywords}
    name = said.get("name")
    pythons = said.get("python", said.get("py"))
    listed = [pythons] if isinstance(pythons, str) else pythons if isinstance(pythons, list | tuple) else []
    texts = [each for each in listed if isinstance(each, str)]
    shown = name if isinstance(name, str) else function
    return f"{shown} ({', '.join(texts)})" if texts else shown


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _hatch_environments(files: ProjectFiles) -> Iterator[str]:
    """The names of hatch's environments; those of a matrix with how many there are."""
    for name, table in hatch_environments(files).items():
        pythons = [
            str(each)
            for part in _list(_table(table).get("matrix"))
            for each in _list(_table(part).get("python"))
        ]
        yield f"{name} ({', '.join(pythons)})" if pythons else str(name)


def _cibuildwheel(table: Mapping[str, Any], *, inferred: bool) -> str:
    said = [f"{key} {_words(table[key])}" for key in SHOWN if key in table]
    purpose = (
        "without tox configuration they count where they speak of Linux x86_64; overrides are not read"
        if inferred
        else "they are for building wheels"
    )
    return f"cibuildwheel's settings: {'; '.join(said) or 'its defaults'}; {purpose}"


def _words(value: object) -> str:
    return " ".join(map(str, value[:MOST_SHOWN])) if isinstance(value, list) else str(value)[:500]


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
