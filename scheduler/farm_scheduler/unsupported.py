"""Cells for what a project claims and no image has: they get their verdict without a machine, and a reason.

Called by planning. Claims are classifiers and the project's declaration; those of tox come from its environments. It
never decides what runs.
"""

from collections.abc import Collection, Iterator, Sequence

from farm_scheduler.declaration import Declaration
from farm_scheduler.inference import environment_name
from farm_scheduler.interpreters import SystemImage
from farm_scheduler.plan import PlannedCell
from farm_scheduler.project_metadata import ProjectMetadata


def claimed_cells(
    metadata: ProjectMetadata,
    declaration: Declaration,
    systems: Sequence[SystemImage],
    covered: Collection[str],
    *,
    spread: bool,
) -> Iterator[PlannedCell]:
    """A cell for each Python that is claimed, that no image has, and that no other cell has.

    Args:
        metadata: with the classifiers.
        declaration: with the Pythons that the project names.
        systems: those of the run.
        covered: the Pythons that cells have.
        spread: whether it is a cell for each system, else one for all of them.
    """
    there = {each.name for system in systems for each in system.working()}
    for python, claim in _claims(metadata, declaration).items():
        pypy = python.startswith("pypy")
        known = (
            any(each.startswith(python) for each in {*there, *covered})
            if pypy
            else python in {*there, *covered}
        )
        if known:
            continue
        for group in [[system] for system in systems] if spread else [systems]:
            broken = next(filter(None, (_broken(python, system) for system in group)), None)
            yield PlannedCell(
                python=python,
                system=group[0].name,
                environments=(environment_name(python),),
                unsupported=broken or f"no image has {_called(python)}, which {claim}",
            )


def unclaimed(
    metadata: ProjectMetadata, systems: Sequence[SystemImage], covered: Collection[str]
) -> list[str]:
    """The Pythons that classifiers name and an image has, for which no cell was planned."""
    there = {each.name for system in systems for each in system.working()}
    return [python for python in metadata.claimed if python in there and python not in covered]


def unknown_systems(declaration: Declaration, systems: Sequence[SystemImage]) -> Iterator[PlannedCell]:
    """A cell for each system that the project declares and the farm does not have."""
    known = [system.name for system in systems]
    named = [*declaration.systems, *(each.system for each in declaration.include if each.system)]
    for name in dict.fromkeys(named):
        if name not in known:
            reason = (
                f"this farm has no system {name}, which [tool.wheelfarm] names; it has {', '.join(known)}"
            )
            yield PlannedCell(python=None, system=name, environments=(), unsupported=reason)


def _claims(metadata: ProjectMetadata, declaration: Declaration) -> dict[str, str]:
    """What is claimed, and by what."""
    found = dict.fromkeys(declaration.pythons, "[tool.wheelfarm] names")
    found |= {each.python: "[tool.wheelfarm] names" for each in declaration.include if each.python}
    for python in metadata.claimed:
        if not declaration.pythons:
            found.setdefault(python, "a classifier of the project names")
    if metadata.claims_pypy and not declaration.pythons:
        found.setdefault("pypy3", "a classifier of the project names")
    return found


def _broken(python: str, system: SystemImage) -> str | None:
    """Why the image has it and it is of no use; None when it is not there."""
    found = next((each for each in system.interpreters if each.name == python and not each.works), None)
    if found is None:
        return None
    return f"Python {found.version} of {system.name} does not work: {found.reason or 'it did not start'}"


def _called(python: str) -> str:
    return f"Python {python}" if python[:1].isdigit() else f"PyPy {python.removeprefix('pypy')}"
