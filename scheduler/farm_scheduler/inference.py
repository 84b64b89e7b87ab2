"""Cells for a project without tox configuration: pytest on every Python that the project allows.

Called by planning. It says in notes what was inferred and why; it never looks further than static metadata.
"""

from collections.abc import Sequence

from farm_scheduler.interpreters import Interpreter, SystemImage
from farm_scheduler.plan import Note, PlannedCell
from farm_scheduler.project_metadata import ProjectMetadata
from farm_scheduler.tox_choice import NEEDS_OLD_VIRTUALENV, NEEDS_TOX_3, OLD_VIRTUALENV


def infer_cells(
    metadata: ProjectMetadata, systems: Sequence[SystemImage], pythons: frozenset[str] | None
) -> tuple[list[PlannedCell], list[Note]]:
    """One cell per Python and system, and the notes: first what was inferred, then what was left out."""
    cells: list[PlannedCell] = []
    left_out: dict[str, str] = {}
    for system in systems:
        for interpreter in system.working():
            if interpreter.implementation != "cpython":
                continue
            reason = _reason(interpreter, metadata, pythons)
            name = environment_name(interpreter.python)
            if reason is None:
                cells.append(_cell(interpreter.python, system))
            else:
                left_out[name] = reason
    notes = [Note(environment=None, reason=_inferred(metadata))]
    notes += [Note(environment=name, reason=reason) for name, reason in left_out.items()]
    return cells, notes


def environment_name(python: str) -> str:
    """The tox environment of a Python: `3.12` is `py312`."""
    return "py" + python.replace(".", "")


def inferred_ini(python: str) -> str:
    """The tox.ini that runs pytest on one Python."""
    listed = "envlist" if python in NEEDS_TOX_3 else "env_list"
    lines = ["[tox]", f"{listed} = {environment_name(python)}", "", "[testenv]", "deps = pytest"]
    if python in NEEDS_OLD_VIRTUALENV:
        lines.append(f"virtualenv_spec = {OLD_VIRTUALENV}")
    return "\n".join([*lines, "commands = pytest {posargs}", ""])


def _cell(python: str, system: SystemImage) -> PlannedCell:
    return PlannedCell(
        python=python,
        system=system.name,
        environments=(environment_name(python),),
        tool="tox3" if python in NEEDS_TOX_3 else "tox",
        inferred=inferred_ini(python),
    )


def _reason(
    interpreter: Interpreter, metadata: ProjectMetadata, pythons: frozenset[str] | None
) -> str | None:
    if not metadata.allows(interpreter.version):
        says = (
            f"requires-python {metadata.requires_python}" if metadata.requires_python else "its classifiers"
        )
        return f"the project does not allow Python {interpreter.version} ({says})"
    if pythons is not None and interpreter.python not in pythons:
        return f"narrowed away: --python asks for {', '.join(sorted(pythons))}"
    return None


def _inferred(metadata: ProjectMetadata) -> str:
    allowed = (
        f"that requires-python {metadata.requires_python} of {metadata.requires_python_file} allows"
        if metadata.requires_python
        else "of the image, as the project does not say which it needs"
    )
    return f"inferred: the project has no tox configuration, so pytest runs on every Python {allowed}"
