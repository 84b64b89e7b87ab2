"""Why nothing is left of a matrix: one sentence with what took the last cells away, and what to do.

Called by planning. What the project or the person excluded comes before what never fitted; it never changes a plan.
"""

from collections.abc import Collection, Sequence

from farm_scheduler.declared_matrix import DECLARED
from farm_scheduler.inference import environment_name
from farm_scheduler.interpreters import SystemImage
from farm_scheduler.plan import Narrowing, Note

MOST_REASONS = 3
MOST_NAMES = 4
"""Names that are shown with a reason that they share."""


def why_empty(
    notes: Sequence[Note],
    declared: Sequence[Note],
    systems: Sequence[SystemImage],
    narrowing: Narrowing,
    pythons: Collection[str] | None,
) -> str:
    """The sentence of the error.

    Args:
        notes: of the matrix before the declaration.
        declared: of what the declaration took away from it.
        systems: those of the run.
        narrowing: what the person asked for.
        pythons: the Pythons that it leaves; None for all.
    """
    where = ", ".join(system.name for system in systems) or "no system"
    reasons: dict[str, list[str]] = {}
    for note in _those_that_matter(notes, declared, pythons):
        reasons.setdefault(note.reason, []).append(str(note.environment))
    said = [f"{_shown(names)}: {reason}" for reason, names in list(reasons.items())[:MOST_REASONS]]
    if len(reasons) > MOST_REASONS:
        said.append("and more")
    why = "; ".join(said) or "the project lists no environment"
    return (
        f"nothing is left to run on {where} ({why}); {_advice(reasons, narrowing, declared=bool(declared))}"
    )


def _those_that_matter(
    notes: Sequence[Note], declared: Sequence[Note], pythons: Collection[str] | None
) -> Sequence[Note]:
    excluded = [note for note in declared if "excludes" in note.reason]
    left_out = [note for note in notes if note.environment is not None]
    asked = {environment_name(python) for python in pythons or ()}
    wanted = [note for note in left_out if note.environment in asked]
    return excluded or declared or wanted or left_out


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _advice(reasons: Collection[str], narrowing: Narrowing, *, declared: bool) -> str:
    """What to do: about what the project says in a table of its own, then about what the person asked for."""
    said = [f"correct {DECLARED}"] if declared else []
    if any(reason.startswith("[tool.cibuildwheel]") for reason in reasons):
        said.append("correct [tool.cibuildwheel] or name Pythons by --python")
    options = [
        *(["--python"] if narrowing.pythons else []),
        *(["--os"] if narrowing.systems else []),
        *(["--installer"] if narrowing.installers else []),
    ]
    if options:
        said.append(f"drop {' or '.join(options)}")
    if said:
        return ", or ".join(said)
    if any("requires-python" in reason or "no classifier" in reason for reason in reasons):
        return "`wheelfarm images` lists the Pythons that there are"
    return "correct the list of environments"
