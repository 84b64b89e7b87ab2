"""A plan: the cells of a run, and what was left out of them and why.

Made by planning, stored by runs, printed by the doors. Data only; it never decides.
"""

from dataclasses import dataclass, field

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

    @property
    def label(self) -> str:
        """What people see: `py3.12 · debian-12`; the further cell is `other · debian-12`."""
        if self.python is None:
            return f"other · {self.system}"
        return f"{'py' if self.python[:1].isdigit() else ''}{self.python} · {self.system}"


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
    """

    pythons: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
