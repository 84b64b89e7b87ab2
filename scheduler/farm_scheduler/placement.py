"""Where the environments of a tox configuration go: on each system into the cell of a Python, or nowhere, and why.

Called by planning for a project with tox configuration. Names and versions only; it reads no file but requirements.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from farm_scheduler.errors import PlanError
from farm_scheduler.interpreters import Interpreter, PythonRequest, SystemImage, read_request
from farm_scheduler.network_needs import network_requirement
from farm_scheduler.plan import NARROWED_AWAY, Note, PlannedCell
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.project_metadata import ProjectMetadata
from farm_scheduler.tox_choice import Tool, choose_tool, requiring, uv_environments
from farm_scheduler.tox_environment import ToxConfiguration, ToxEnvironment
from farm_scheduler.tox_factors import impossible_python, matches, named_python

DEFAULT_ENVIRONMENT = "py"
"""What a bare `tox` runs when the project lists no environment."""

ADDED_TOX_UV = (
    "tox-uv is added to what tox requires: the runner of {} comes with it, and `requires` does not name it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where an environment goes on one system.

    Attributes:
        python: its Python; None for the further cell.
        reason: why it goes nowhere.
        lacking: the Python that is asked for and that the farm cannot offer there.
        missing: the Pythons that would do, when none of them works there.
    """

    python: str | None = None
    reason: str | None = None
    lacking: str | None = None
    missing: tuple[PythonRequest, ...] = ()


class Placement:
    """Distributes the environments of one configuration over the cells.

    Args:
        tox: the configuration.
        files: for requirement files.
        metadata: for requires-python.
        pythons: what `--python` leaves; None for all.
        whole: whether nothing was narrowed; only then what is lacking is a cell.
    """

    def __init__(
        self,
        tox: ToxConfiguration,
        files: ProjectFiles,
        metadata: ProjectMetadata,
        pythons: frozenset[str] | None,
        *,
        whole: bool,
    ) -> None:
        self._tox = tox
        self._files = files
        self._metadata = metadata
        self._pythons = pythons
        self._whole = whole
        self._reasons: dict[str, str] = {}
        self._placed: set[str] = set()
        self._without: dict[str, str] = {}
        empty = {DEFAULT_ENVIRONMENT: ToxEnvironment(name=DEFAULT_ENVIRONMENT)}
        self._environments = dict(tox.environments) or empty

    def cells(self, systems: Sequence[SystemImage], *, spread: bool) -> list[PlannedCell]:
        """The cells of all systems; those at the end have a Python that no system offers.

        With `spread` those at the end are one for each system, else one for all of them.
        """
        places = {
            system.name: {name: self._place(each, system) for name, each in self._environments.items()}
            for system in systems
        }
        cells = [cell for system in systems for cell in self._cells_of(system, places[system.name])]
        if self._whole:
            groups = [[system] for system in systems] if spread else [systems]
            cells += [cell for group in groups for cell in self._lacking(group, places)]
        return cells

    def notes(self) -> list[Note]:
        """What is in no cell, and why."""
        reasons = {name: reason for name, reason in self._reasons.items() if name not in self._placed}
        notes = [Note(environment=name, reason=reason) for name, reason in reasons.items()]
        notes += [Note(environment=None, reason=reason) for reason in self._without.values()]
        lacking = [name for name in uv_environments(self._tox) if name in self._placed]
        return [Note(environment=None, reason=ADDED_TOX_UV.format(lacking[0])), *notes] if lacking else notes

    def _cells_of(self, system: SystemImage, places: dict[str, _Place]) -> Iterator[PlannedCell]:
        self._reasons.update({name: each.reason for name, each in places.items() if each.reason is not None})
        by_python: dict[str | None, list[str]] = {}
        for name, place in places.items():
            if place.reason is None:
                by_python.setdefault(place.python, []).append(name)
        self._placed.update(name for names in by_python.values() for name in names)
        for interpreter in system.working():
            names = by_python.get(interpreter.name)
            if names:
                yield self._cell(interpreter.name, system, names)
        if None in by_python:
            names = self._with_dependencies(by_python[None], by_python, system)
            yield self._cell(None, system, names)

    def _lacking(
        self, systems: Sequence[SystemImage], places: dict[str, dict[str, _Place]]
    ) -> Iterator[PlannedCell]:
        """A cell for each Python that is asked for and lacking on these systems, of environments that run nowhere."""
        by_python: dict[str, dict[str, _Place]] = {}
        for name in self._environments:
            found = [places[system.name][name] for system in systems]
            place = next((each for each in found if each.lacking is not None), None)
            if place is not None and place.lacking is not None and name not in self._placed:
                by_python.setdefault(place.lacking, {})[name] = place
        for python, names in by_python.items():
            first = next(iter(names.values()))
            for name in names:
                self._reasons.pop(name, None)
            yield PlannedCell(
                python=python,
                system=systems[0].name,
                environments=tuple(names),
                unsupported=_why_missing(first.missing, systems) if first.missing else first.reason,
            )

    def _cell(self, python: str | None, system: SystemImage, names: list[str]) -> PlannedCell:
        tool = choose_tool(python, self._tox)
        variables = tool.variables if python is not None else self._default_python(system, names)
        return PlannedCell(
            python=python,
            system=system.name,
            environments=tuple(names),
            tool=tool.name,
            variables=requiring(variables, names, self._tox),
        )

    def _default_python(self, system: SystemImage, names: list[str]) -> dict[str, str]:
        """The variables of the further cell: the system's Python does not do where requires-python forbids it.

        The newest that the project allows does instead, as on the machine of whoever develops it.
        """
        own = next((each for each in system.working() if each.path.startswith("/usr/")), None)
        installs = any(self._environments[name].installs for name in names)
        if own is None or not installs or not self._metadata.requires_python:
            return {}
        if self._metadata.allows(own.version):
            return {}
        fits = [
            each
            for each in system.working()
            if each.implementation == "cpython"
            and self._metadata.allows(each.version)
            and choose_tool(each.name, self._tox) == Tool()
        ]
        if not fits:
            return {}
        return {"TOX_OVERRIDE": f"{self._tox.overridable}.default_base_python=python{fits[-1].python}"}

    def _place(self, environment: ToxEnvironment, system: SystemImage) -> _Place:
        try:
            requests = _requests(environment)
        except PlanError as error:
            return _Place(reason=error.sentence)
        place = self._find(environment, requests, system)
        url = network_requirement(environment.deps, self._files)
        if place.reason is None and url is not None:
            return _Place(reason=f"unsupported: needs network ({url})")
        return place

    def _find(
        self, environment: ToxEnvironment, requests: list[PythonRequest], system: SystemImage
    ) -> _Place:
        wrong = None if requests else impossible_python(environment.name)
        if wrong is not None:
            return _Place(reason=f"unsupported: {wrong} is no Python that there could be; correct its name")
        exact = [request for request in requests if request.exact]
        if len(exact) < len(requests) or not requests:
            wanted = self._pythons
            return _Place() if wanted is None else _Place(reason=_narrowed("no Python of its own", wanted))
        for request in exact:
            found = next((each for each in system.interpreters if request.fits(each) and each.works), None)
            if found is not None:
                return self._on(found, environment)
        return self._missing(exact, environment, system)

    def _on(self, interpreter: Interpreter, environment: ToxEnvironment) -> _Place:
        if self._pythons is not None and interpreter.name not in self._pythons:
            return _Place(reason=_narrowed(f"Python {interpreter.name}", self._pythons))
        says = self._metadata.requires_python
        if environment.installs and says and not self._metadata.allows(interpreter.version):
            return _Place(reason=f"requires-python {says} does not allow it")
        refusal = choose_tool(interpreter.name, self._tox).refusal
        return _Place(python=interpreter.name, reason=refusal, lacking=interpreter.name if refusal else None)

    def _missing(
        self, requests: list[PythonRequest], environment: ToxEnvironment, system: SystemImage
    ) -> _Place:
        allowed = [each for each in requests if each.python is None or self._metadata.may_allow(each.python)]
        if environment.installs and not allowed:
            return _Place(reason=f"requires-python {self._metadata.requires_python} does not allow it")
        reason = _why_missing(requests, [system])
        return _Place(reason=reason, lacking=requests[0].name, missing=tuple(requests))

    def _with_dependencies(
        self, names: list[str], by_python: dict[str | None, list[str]], system: SystemImage
    ) -> list[str]:
        """Add what the further cell depends on, as far as one tox can run it on this system."""
        together = {each.name for each in system.working() if choose_tool(each.name, self._tox) == Tool()}
        there = {name for python in together for name in by_python.get(python, [])}
        wanted: set[str] = set()
        for name in names:
            patterns = self._environments[name].depends
            asked = [each for each in self._environments if any(matches(each, one) for one in patterns)]
            wanted.update(each for each in asked if each in there)
            lacking = [each for each in asked if each not in there and each not in names]
            if lacking:
                reason = f"{name} runs without {', '.join(lacking)}, on which it depends: not in its machine"
                self._without.setdefault(name, reason)
        return [name for name in self._environments if name in names or name in wanted]


def _requests(environment: ToxEnvironment) -> list[PythonRequest]:
    """The Pythons that an environment may run on, best first; empty when it takes what tox itself runs on."""
    named = named_python(environment.name)
    texts = [named] if named is not None else list(environment.base_python)
    found = [read_request(text) for text in texts]
    return [request for request in found if request is not None]


def _why_missing(requests: Sequence[PythonRequest], systems: Sequence[SystemImage]) -> str:
    """Why none of these is in the images: not there at all, or there and broken."""
    for request in requests:
        for system in systems:
            fitting = (each for each in system.interpreters if request.fits(each) and not each.works)
            broken = next(fitting, None)
            if broken is not None:
                why = broken.reason or "it did not start"
                return f"Python {broken.version} of {system.name} does not work: {why}"
    *names, last = [system.name for system in systems]
    where = f"{', '.join(names)} or {last}" if names else last
    return f"no interpreter in {where} fits {' or '.join(request.text for request in requests)}"


def _narrowed(what: str, pythons: frozenset[str]) -> str:
    return f"{NARROWED_AWAY}: {what}, and --python asks for {', '.join(sorted(pythons))}"
