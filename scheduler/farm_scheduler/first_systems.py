"""Each Python on one system: of a plan for all systems, what is left when nothing is to run twice.

Called by planning when neither person nor project names systems. It never adds a cell.
"""

from collections.abc import Iterable
from dataclasses import replace

from farm_scheduler.declaration import Declaration
from farm_scheduler.plan import PlannedCell


def on_first_systems(cells: Iterable[PlannedCell], declaration: Declaration) -> list[PlannedCell]:
    """The cells with each environment on the first system that has its Python, in the order given.

    What `include` names by system stays there as well. The cell of the environments without a Python of their own
    keeps those that it depends on.
    """
    placed: set[str] = set()
    kept: list[PlannedCell] = []
    for cell in cells:
        if any(each.system is not None and each.means(cell) for each in declaration.include):
            kept.append(cell)
            placed.update(cell.environments)
            continue
        new = tuple(name for name in cell.environments if name not in placed)
        if new:
            kept.append(replace(cell, environments=new) if cell.python is not None else cell)
            placed.update(cell.environments)
    return kept
