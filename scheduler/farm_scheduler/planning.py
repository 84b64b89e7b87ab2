"""Turns a project's files and the images of the farm into the cells of a run.

Called by runs when a run is submitted and by nobody else. Static: it reads text, never imports the project's
code, never tox, and starts nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from farm_scheduler.errors import PlanError
from farm_scheduler.inference import infer_cells
from farm_scheduler.interpreters import Interpreter, PythonRequest, SystemImage, read_request
from farm_scheduler.network_needs import network_requirement
from farm_scheduler.plan import Narrowing, Note, Plan, PlannedCell
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.project_metadata import read_metadata
from farm_scheduler.tox_choice import choose_tool
from farm_scheduler.tox_configuration import read_configuration
from farm_scheduler.tox_environment import ToxConfiguration, ToxEnvironment
from farm_scheduler.tox_factors import matches, named_python

DEFAULT_ENVIRONMENT = "py"
"""What a bare `tox` runs when the project lists no environment."""


def make_plan(files: ProjectFiles, systems: Sequence[SystemImage], narrowing: Narrowing) -> Plan:
    """The cells of a project on these systems.

    Raises:
        PlanError: the configuration cannot be read, the narrowing names nothing, or no cell is left.
    """
    systems = narrow_systems(systems, narrowing)
    pythons = narrow_pythons(systems, narrowing)
    configuration = read_configuration(files)
    if configuration is None:
        cells, notes = infer_cells(read_metadata(files), systems, pythons)
    else:
        planner = _Planner(configuration, files, pythons)
        cells, notes = planner.cells(systems), planner.notes()
    plan = Plan(cells=tuple(cells), notes=tuple(notes), inferred=configuration is None)
    if not plan.cells:
        raise PlanError(_nothing(plan, systems, narrowing), notes=[note.reason for note in plan.notes])
    return plan


def narrow_systems(systems: Sequence[SystemImage], narrowing: Narrowing) -> Sequence[SystemImage]:
    """The systems that `--os` leaves, in the order of the farm.

    Raises:
        PlanError: a name that the farm does not have.
    """
    known = [system.name for system in systems]
    for name in narrowing.systems:
        if name not in known:
            raise PlanError(f"no system is called {name}; there is {', '.join(known)}", system=name)
    return [system for system in systems if not narrowing.systems or system.name in narrowing.systems]


def narrow_pythons(systems: Sequence[SystemImage], narrowing: Narrowing) -> frozenset[str] | None:
    """The Pythons that `--python` names, as `3.12`; None for all.

    Raises:
        PlanError: a word that names no Python, or one that no image has.
    """
    if not narrowing.pythons:
        return None
    there = {each.python: each.order for system in systems for each in system.working()}
    shown = ", ".join(sorted(there, key=lambda python: there[python])) or "none"
    wanted = set()
    for text in narrowing.pythons:
        request = read_request(text)
        if request is None or request.python is None:
            raise PlanError(f"--python {text} names no Python; write it as 3.12", python=text)
        if request.python not in there:
            raise PlanError(f"no image has Python {text}; there is {shown}", python=text)
        wanted.add(request.python)
    return frozenset(wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where an environment goes on one system: its Python, or None for the further cell, or why nowhere."""

    python: str | None = None
    reason: str | None = None


class _Planner:
    """Distributes the environments of one configuration over the cells."""

    def __init__(self, tox: ToxConfiguration, files: ProjectFiles, pythons: frozenset[str] | None) -> None:
        self._tox = tox
        self._files = files
        self._pythons = pythons
        self._reasons: dict[str, str] = {}
        self._placed: set[str] = set()
        empty = {DEFAULT_ENVIRONMENT: ToxEnvironment(name=DEFAULT_ENVIRONMENT)}
        self._environments = dict(tox.environments) or empty

    def cells(self, systems: Sequence[SystemImage]) -> list[PlannedCell]:
        return [cell for system in systems for cell in self._cells_of(system)]

    def notes(self) -> list[Note]:
        reasons = {name: reason for name, reason in self._reasons.items() if name not in self._placed}
        return [Note(environment=name, reason=reason) for name, reason in reasons.items()]

    def _cells_of(self, system: SystemImage) -> Iterator[PlannedCell]:
        places = {name: self._place(each, system) for name, each in self._environments.items()}
        self._reasons.update({name: each.reason for name, each in places.items() if each.reason is not None})
        by_python: dict[str | None, list[str]] = {}
        for name, place in places.items():
            if place.reason is None:
                by_python.setdefault(place.python, []).append(name)
        self._placed.update(name for names in by_python.values() for name in names)
        for interpreter in system.working():
            names = by_python.get(interpreter.python)
            if names and interpreter.implementation == "cpython":
                yield self._cell(interpreter.python, system, names)
        if None in by_python:
            names = self._with_dependencies(by_python[None], by_python, system)
            yield self._cell(None, system, names)

    def _cell(self, python: str | None, system: SystemImage, names: list[str]) -> PlannedCell:
        tool = choose_tool(python, self._tox)
        return PlannedCell(
            python=python,
            system=system.name,
            environments=tuple(names),
            tool=tool.name,
            variables=tool.variables,
        )

    def _place(self, environment: ToxEnvironment, system: SystemImage) -> _Place:
        try:
            requests = _requests(environment)
        except PlanError as error:
            return _Place(reason=error.sentence)
        place = self._find(requests, system)
        url = network_requirement(environment.deps, self._files)
        if place.reason is None and url is not None:
            return _Place(reason=f"unsupported: needs network ({url})")
        return place

    def _find(self, requests: list[PythonRequest], system: SystemImage) -> _Place:
        exact = [request for request in requests if request.exact]
        if len(exact) < len(requests) or not requests:
            wanted = self._pythons
            return _Place() if wanted is None else _Place(reason=_narrowed("no Python of its own", wanted))
        for request in exact:
            found = next((each for each in system.interpreters if request.fits(each) and each.works), None)
            if found is not None:
                return self._on(found)
        return _Place(reason=_missing(exact, system))

    def _on(self, interpreter: Interpreter) -> _Place:
        if self._pythons is not None and interpreter.python not in self._pythons:
            return _Place(reason=_narrowed(f"Python {interpreter.python}", self._pythons))
        refusal = choose_tool(interpreter.python, self._tox).refusal
        return _Place(reason=refusal) if refusal else _Place(python=interpreter.python)

    def _with_dependencies(
        self, names: list[str], by_python: dict[str | None, list[str]], system: SystemImage
    ) -> list[str]:
        """Add what the further cell depends on; of environments with a Python, those of the newest one."""
        wanted: list[str] = []
        for name in names:
            patterns = self._environments[name].depends
            for interpreter in reversed(system.working()):
                there = by_python.get(interpreter.python, [])
                found = [each for each in there if any(matches(each, pattern) for pattern in patterns)]
                if found:
                    wanted += found
                    break
        return [name for name in self._environments if name in names or name in wanted]


def _requests(environment: ToxEnvironment) -> list[PythonRequest]:
    """The Pythons that an environment may run on, best first; empty when it takes what tox itself runs on."""
    named = named_python(environment.name)
    texts = [named] if named is not None else list(environment.base_python)
    found = [read_request(text) for text in texts]
    return [request for request in found if request is not None]


def _missing(requests: list[PythonRequest], system: SystemImage) -> str:
    """Why none of these is in the image: not there at all, or there and broken."""
    for request in requests:
        broken = next((each for each in system.interpreters if request.fits(each) and not each.works), None)
        if broken is not None:
            why = broken.reason or "it did not start"
            return f"Python {broken.version} of {system.name} does not work: {why}"
    return f"no interpreter in {system.name} fits {' or '.join(request.text for request in requests)}"


def _narrowed(what: str, pythons: frozenset[str]) -> str:
    return f"narrowed away: {what}, and --python asks for {', '.join(sorted(pythons))}"


def _nothing(plan: Plan, systems: Sequence[SystemImage], narrowing: Narrowing) -> str:
    where = ", ".join(system.name for system in systems) or "no system"
    left_out = "; ".join(f"{note.environment or 'project'}: {note.reason}" for note in plan.notes[:5])
    advice = "drop --python" if narrowing.pythons else "choose another image"
    return f"nothing is left to run on {where} ({left_out or 'the project lists no environment'}); {advice}"
