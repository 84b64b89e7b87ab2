"""A plan: the cells of a run, and what was left out of them and why.

Made by planning, stored by runs, printed by the doors. Data only; it never decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from farm_scheduler.installers import Installer
from farm_scheduler.verdicts import Verdict

MOST_RETRIES = 5
"""Second tries of a cell at most."""

NARROWED_AWAY = "narrowed away"
"""How the reason of a note begins where the person's own choice left something out."""

ALL_SYSTEMS = "all"
"""Stands for every system of the farm in a narrowing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing that a person should know of a plan.

    Attributes:
        environment: the tox environment that was left out, or None for a note on the whole run.
        reason: a sentence.
    """

    environment: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """One Python on one system, with the tox environments that it runs, in order.

    Attributes:
        python: `3.12`, `pypy3.10`, or None for the further cell of environments without a Python of their own.
        tool: `tox`, or `tox3` where tox 4 cannot go.
        variables: added to the environment of tox, such as `TOX_OVERRIDE`.
        inferred: the text of a tox.ini for a project that has no tox configuration.
        unsupported: why no image can run it; such a cell has its verdict without a machine.
        expected: the verdict that the project declares.
        expected_reason: its reason for that.
        seconds: the time limit that the project declares; None for the farm's own.
        packages: of the system, which its machine installs first.
        retries: how often its job is tried again when tests fail, as the project declares.
        installer: what decides which releases it has.
        constraints: where the constraints are, if those decide: files of the source, or https URLs.
        cutoff: files that came to the index later do not exist for it; None for the index as it is.
    """

    python: str | None
    system: str
    environments: tuple[str, ...]
    tool: str = "tox"
    variables: dict[str, str] = field(default_factory=dict)
    inferred: str | None = None
    unsupported: str | None = None
    expected: Verdict = Verdict.PASSED
    expected_reason: str | None = None
    seconds: float | None = None
    packages: tuple[str, ...] = ()
    retries: int = 0
    installer: Installer = Installer.PROJECT
    constraints: tuple[str, ...] = ()
    cutoff: datetime | None = None

    @property
    def label(self) -> str:
        """What people see: `py3.12 · debian-12`; the further cell is `other · debian-12`.

        An installer that is not the project's own is named as well: `py3.12 · debian-12 · lowest`.
        """
        name = "other" if self.python is None else self.python
        parts = [f"py{name}" if name[:1].isdigit() else name, self.system]
        return " · ".join(parts if self.installer is Installer.PROJECT else [*parts, self.installer.value])


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All cells of a run in the order in which they are shown.

    Attributes:
        spread: whether each Python runs on every system that was named, not once.
    """

    cells: tuple[PlannedCell, ...]
    notes: tuple[Note, ...]
    inferred: bool
    spread: bool = False

    @property
    def systems(self) -> frozenset[str]:
        """The systems whose machines it wants."""
        return frozenset(cell.system for cell in self.runnable)

    @property
    def runnable(self) -> tuple[PlannedCell, ...]:
        """The cells that want a machine."""
        return tuple(cell for cell in self.cells if cell.unsupported is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What a person asked for of the matrix; empty means each Python once, on the first system that has it.

    Attributes:
        pythons: these Pythons only.
        systems: these systems, each with all of its Pythons; `all` for every system.
        installers: these installers, each in a cell of its own; empty for what planning finds.
        constraints: where constraints are, in place of what the project declares.
        cutoff: in place of what the project declares.
    """

    pythons: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    installers: tuple[Installer, ...] = ()
    constraints: tuple[str, ...] = ()
    cutoff: datetime | None = None

    def document(self) -> dict[str, Any]:
        """As the record keeps it."""
        return {
            "pythons": list(self.pythons),
            "systems": list(self.systems),
            "installers": [each.value for each in self.installers],
            "constraints": list(self.constraints),
            "cutoff": None if self.cutoff is None else self.cutoff.isoformat(),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Narrowing":
        """What the record has kept; what an older one does not say was not asked for."""
        cutoff = document.get("cutoff")
        return cls(
            pythons=tuple(document.get("pythons", ())),
            systems=tuple(document.get("systems", ())),
            installers=tuple(Installer(each) for each in document.get("installers", ())),
            constraints=tuple(document.get("constraints", ())),
            cutoff=None if cutoff is None else datetime.fromisoformat(cutoff),
        )
