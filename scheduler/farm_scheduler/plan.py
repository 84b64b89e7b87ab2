"""A plan: the cells of a run, and what was left out of them and why.

Made by planning, stored by runs, printed by the doors. Data only; it never decides.
"""

from dataclasses import dataclass, field


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
        python: `3.12`, or None for the further cell of environments without a Python of their own.
        tool: `tox`, or `tox3` where tox 4 cannot go.
        variables: added to the environment of tox, such as `TOX_OVERRIDE`.
        inferred: the text of a tox.ini for a project that has no tox configuration.
    """

    python: str | None
    system: str
    environments: tuple[str, ...]
    tool: str = "tox"
    variables: dict[str, str] = field(default_factory=dict)
    inferred: str | None = None

    @property
    def label(self) -> str:
        """What people see: `py3.12 · debian-12`; the further cell is `other · debian-12`."""
        return f"py{self.python} · {self.system}" if self.python else f"other · {self.system}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All cells of a run in the order in which they are shown."""

    cells: tuple[PlannedCell, ...]
    notes: tuple[Note, ...]
    inferred: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What a person asked for of the matrix; empty means all of it."""

    pythons: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
