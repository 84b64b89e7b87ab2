"""The newest runs, as lists show them: one line a run, its cells counted by word.

Called by the command and the pages. Two queries however many cells there are; it reads no test, no stream and no
file, and it never writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, and_, case, type_coerce
from sqlmodel import Session, col, func, select

from farm_scheduler.states import RUN_ENDED, JobState, RunState
from farm_scheduler.tables import Cell, Job, Run, now
from farm_scheduler.verdicts import GREEN, UNEXPECTED_PASS, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many cells of a run have the same word: the verdict, or the state while there is none.

    Attributes:
        verdict: of what passed although the project expects it to fail, the pass.
    """

    state: JobState
    verdict: Verdict | None
    word: str
    cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run in a list.

    Attributes:
        seconds: from its start, or from when it was opened again, to its end or to now.
        tallies: in the order of the cells in which the words first come.
        exit_code: None until the run has ended.
    """

    id: str
    target: str
    project: str
    version: str | None
    state: RunState
    created: datetime
    finished: datetime | None
    seconds: float
    inferred: bool
    exit_code: int | None
    tallies: tuple[Tally, ...]

    @property
    def title(self) -> str:
        """`pluggy 1.7.0`, or the name alone when the version is not known."""
        return f"{self.project} {self.version}" if self.version else self.project

    @property
    def ended(self) -> bool:
        """Whether the run is finished or cancelled."""
        return self.state in RUN_ENDED

    @property
    def cells(self) -> int:
        """How many there are."""
        return sum(tally.cells for tally in self.tallies)


def recent_runs(session: Session, *, limit: int, failed: bool = False) -> list[RunLine]:
    """The newest runs, newest first; with `failed` those that ended otherwise than expected."""
    chosen = select(Run).order_by(col(Run.created).desc(), col(Run.id)).limit(limit)
    if failed:
        chosen = chosen.where(col(Run.exit_code).is_not(None), Run.exit_code != 0)
    rows = session.exec(chosen).all()
    tallies = _tallies(session, [run.id for run in rows])
    return [_line(run, tallies.get(run.id, ())) for run in rows]


def _tallies(session: Session, runs: Sequence[str]) -> dict[str, list[Tally]]:
    odd = and_(col(Cell.expected) == Verdict.EXPECTED_FAILURE, col(Job.verdict).in_(GREEN))
    verdict_word = case((odd, UNEXPECTED_PASS), else_=type_coerce(col(Job.verdict), String))
    rows = session.exec(
        select(Job.run_id, Job.state, verdict_word, func.count())
        .join(Cell, col(Cell.id) == col(Job.cell_id))
        .where(col(Job.run_id).in_(runs))
        .group_by(col(Job.run_id), col(Job.state), verdict_word)
        .order_by(func.min(Cell.position))
    ).all()
    found: dict[str, list[Tally]] = {}
    for run_id, state, word, cells in rows:
        verdict = Verdict.PASSED if word == UNEXPECTED_PASS else Verdict(word) if word else None
        tally = Tally(state=JobState(state), verdict=verdict, word=word or state, cells=cells)
        found.setdefault(run_id, []).append(tally)
    return found


def _line(run: Run, tallies: Sequence[Tally]) -> RunLine:
    return RunLine(
        id=run.id,
        target=run.target,
        project=run.project,
        version=run.version,
        state=run.state,
        created=run.created,
        finished=run.finished,
        seconds=((run.finished or now()) - (run.reopened or run.created)).total_seconds(),
        inferred=run.inferred,
        exit_code=run.exit_code,
        tallies=tuple(tallies),
    )
