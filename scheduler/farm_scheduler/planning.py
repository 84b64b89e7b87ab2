"""Turns a project's files and the images of the farm into the cells of a run.

Called by runs when a run is submitted, and by the command that shows a plan. Static: it reads text, never imports
the project's code, never tox, and starts nothing.
"""

from collections.abc import Sequence

from farm_scheduler.bare_environments import EACH_PYTHON, for_each_python
from farm_scheduler.declaration import read_declaration
from farm_scheduler.declared_matrix import declare
from farm_scheduler.empty_plan import why_empty
from farm_scheduler.errors import PlanError
from farm_scheduler.first_systems import on_first_systems
from farm_scheduler.inference import environment_name, infer_cells
from farm_scheduler.installer_axis import InstallerAxis
from farm_scheduler.interpreters import SystemImage, name_order, read_request
from farm_scheduler.other_tools import other_notes
from farm_scheduler.placement import Placement
from farm_scheduler.plan import ALL_SYSTEMS, Narrowing, Note, Plan, PlannedCell
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.project_metadata import ProjectMetadata, read_metadata
from farm_scheduler.tox_configuration import read_configuration
from farm_scheduler.unsupported import claimed_cells, unclaimed, unknown_systems
from farm_scheduler.wheel_archive import wheel_of


def make_plan(
    files: ProjectFiles,
    systems: Sequence[SystemImage],
    narrowing: Narrowing,
    built: ProjectMetadata | None = None,
) -> Plan:
    """The cells of a project on these systems; `built` is its metadata where a guest has built it.

    Each Python runs once, on the first system that has it, unless person or project name systems: then on each of
    those.

    Raises:
        PlanError: the configuration cannot be read, the narrowing names nothing, or no cell is left.
    """
    chosen = narrow_systems(systems, narrowing)
    pythons = narrow_pythons(chosen, narrowing)
    declaration = read_declaration(files)
    metadata = built or read_metadata(files)
    tox = None if wheel_of(files) else read_configuration(files, also=declaration.environments)
    listed = tox
    if tox is not None:
        tox = for_each_python(
            tox,
            files,
            metadata,
            chosen,
            named={*(pythons or ()), *declaration.pythons},
            also=declaration.environments,
        )
    whole = not narrowing.pythons and narrowing.systems in {(), (ALL_SYSTEMS,)}
    spread = bool(narrowing.systems or declaration.systems)
    if tox is None:
        cells, notes = infer_cells(files, metadata, chosen, pythons, declaration.named_pythons)
    else:
        placement = Placement(tox, files, metadata, pythons, whole=whole)
        cells, notes = placement.cells(chosen, spread=spread), placement.notes()
        if tox is not listed:
            notes.insert(0, Note(environment=None, reason=EACH_PYTHON))
    if whole:
        covered = {cell.python for cell in cells if cell.python is not None}
        cells += claimed_cells(metadata, declaration, chosen, covered, spread=spread)
        notes += [_unclaimed(python) for python in unclaimed(metadata, chosen, covered) if tox is not None]
    if not spread:
        cells = on_first_systems(cells, declaration)
    cells, more = InstallerAxis(files, declaration, narrowing, tox).spread(cells)
    cells, declared_notes = declare(cells, declaration)
    notes += more
    if whole:
        cells += unknown_systems(declaration, systems)
    _sort(cells, systems, spread=spread)
    others = other_notes(files, inferred=tox is None)
    all_notes = [*notes, *_strange_python(metadata), *declared_notes, *others]
    if not cells:
        sentence = why_empty(notes, declared_notes, chosen, narrowing, pythons)
        raise PlanError(sentence, notes=[each.reason for each in all_notes])
    return Plan(cells=tuple(cells), notes=tuple(all_notes), inferred=tox is None, spread=spread)


def narrow_systems(systems: Sequence[SystemImage], narrowing: Narrowing) -> Sequence[SystemImage]:
    """The systems that `--os` leaves, in the order of the farm.

    Raises:
        PlanError: a name that the farm does not have.
    """
    known = [system.name for system in systems]
    for name in narrowing.systems:
        if name not in {*known, ALL_SYSTEMS}:
            raise PlanError(f"no system is called {name}; there is {', '.join(known)}", system=name)
    chosen = () if ALL_SYSTEMS in narrowing.systems else narrowing.systems
    return [system for system in systems if not chosen or system.name in chosen]


def narrow_pythons(systems: Sequence[SystemImage], narrowing: Narrowing) -> frozenset[str] | None:
    """The Pythons that `--python` names, as cells are named (`3.12`, `pypy3.10`); None for all.

    Raises:
        PlanError: a word that names no Python, or one that no image has.
    """
    if not narrowing.pythons:
        return None
    there = {each.name for system in systems for each in system.working()}
    shown = ", ".join(sorted(there, key=name_order)) or "none"
    wanted = set()
    for text in narrowing.pythons:
        request = read_request(text)
        if request is None or (request.python is None and request.implementation == "cpython"):
            raise PlanError(f"--python {text} names no Python; write it as 3.12", python=text)
        found = {each.name for system in systems for each in system.working() if request.fits(each)}
        if not found:
            raise PlanError(f"no image has Python {text}; there is {shown}", python=text)
        wanted |= found
    return frozenset(wanted)


def _sort(cells: list[PlannedCell], systems: Sequence[SystemImage], *, spread: bool) -> None:
    """By system and Python; by Python first where each runs on one system only."""
    places = {system.name: place for place, system in enumerate(systems)}
    cells.sort(key=lambda cell: (name_order(cell.python), places.get(cell.system, len(places))))
    if spread:
        cells.sort(key=lambda cell: places.get(cell.system, len(places)))


def _strange_python(metadata: ProjectMetadata) -> list[Note]:
    said, file = metadata.ignored_requires_python, metadata.requires_python_file
    if said is None:
        return []
    reason = f"requires-python {said!r} of {file} is no version specifier and is ignored, as pip ignores it"
    return [Note(environment=None, reason=reason)]


def _unclaimed(python: str) -> Note:
    reason = f"a classifier names Python {python}, and the tox configuration has no environment for it"
    return Note(environment=environment_name(python), reason=reason)
