"""The cells of a plan as the project declares them: left out, added, expected to fail, limited in time.

Called by planning with the cells that the project's files give. It never reads a file, and a cell that it leaves out
has a note.
"""

from collections.abc import Iterable
from dataclasses import replace

from farm_scheduler.declaration import Declaration
from farm_scheduler.plan import Note, PlannedCell
from farm_scheduler.tox_choice import passing
from farm_scheduler.verdicts import Verdict

DECLARED = "[tool.wheelfarm]"


def declare(cells: Iterable[PlannedCell], declaration: Declaration) -> tuple[list[PlannedCell], list[Note]]:
    """The cells that the declaration leaves, with what it says of each, and a note for each that it does not."""
    kept: list[PlannedCell] = []
    notes: list[Note] = []
    for cell in cells:
        reason = _left_out(cell, declaration)
        names = _remaining(cell, declaration)
        if reason is not None:
            notes.append(Note(environment=" ".join(cell.environments) or cell.label, reason=reason))
            continue
        gone = [name for name in cell.environments if name not in names]
        notes += [Note(environment=name, reason=f"{DECLARED} excludes it on {cell.label}") for name in gone]
        if names:
            kept.append(_declared(replace(cell, environments=names), declaration))
    return kept, notes


def _left_out(cell: PlannedCell, declaration: Declaration) -> str | None:
    """Why the whole cell is left out; None when it is not."""
    if any(each.environment is None and each.place(cell) for each in declaration.exclude):
        return f"{DECLARED} excludes {cell.label}"
    if any(each.place(cell) and (each.python or each.system) for each in declaration.include):
        return None
    if declaration.systems and cell.system not in declaration.systems:
        return f"{DECLARED} names other systems than {cell.system}"
    if declaration.pythons and cell.python is not None and cell.python not in declaration.pythons:
        return f"{DECLARED} names other Pythons than {cell.python}"
    return None


def _remaining(cell: PlannedCell, declaration: Declaration) -> tuple[str, ...]:
    excluded = [each for each in declaration.exclude if each.environment is not None and each.place(cell)]
    return tuple(name for name in cell.environments if not any(each.names(name) for each in excluded))


def _declared(cell: PlannedCell, declaration: Declaration) -> PlannedCell:
    expected = next((each for each in declaration.expected_failures if each.means(cell)), None)
    limits = [each.seconds for each in declaration.timeouts if each.means(cell)]
    return replace(
        cell,
        variables=passing(cell.variables, declaration.environment),
        expected=Verdict.EXPECTED_FAILURE if expected else cell.expected,
        expected_reason=expected.reason if expected else None,
        seconds=limits[-1] if limits else declaration.timeout,
        packages=tuple(declaration.system_packages),
        retries=declaration.retries,
    )
