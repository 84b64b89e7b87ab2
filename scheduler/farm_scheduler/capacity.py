"""Capacity: how a load would go through a farm of so many machines, played through the real claim.

Called by the command and the benchmarks. The record is an SQLite in memory, the clock is simulated, and the jobs are
claimed and finished by the code that a farm at work uses. It never opens the farm's own record and starts nothing.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import Session, SQLModel

from farm_scheduler.claims import Claim, claim_job, finish
from farm_scheduler.clock import simulated_time
from farm_scheduler.database import Database
from farm_scheduler.judgement import Judgement
from farm_scheduler.lanes import enqueue, place
from farm_scheduler.states import ImageState, RunState
from farm_scheduler.tables import Cell, Image, Job, Project, Run
from farm_scheduler.triggers import Trigger
from farm_scheduler.verdicts import Verdict

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SYSTEM = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A run that is asked for.

    Attributes:
        seconds: of each of its jobs, without the boot of the machine.
        arrives: when it is asked for, in seconds from the beginning.
        weight: of its project, where that is new.
    """

    project: str
    seconds: tuple[float, ...]
    arrives: float = 0.0
    weight: float = 1.0
    trigger: Trigger = Trigger.PUSH


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One job as it was done: on which machine, and when it was asked for, begun and ended, in seconds."""

    project: str
    machine: int
    asked: float
    begin: float
    end: float

    @property
    def waited(self) -> float:
        """Seconds in the queue."""
        return self.begin - self.asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What came of a load.

    Attributes:
        bound: no order of the jobs is faster: the work over the machines, or the longest job, or the last to come.
    """

    machines: int
    work: tuple[Work, ...]
    bound: float

    @property
    def makespan(self) -> float:
        """Seconds until the last job has ended."""
        return max((each.end for each in self.work), default=0.0)

    @property
    def utilisation(self) -> float:
        """The part of the machines' time until then in which they worked, from 0 to 1."""
        busy = sum(each.end - each.begin for each in self.work)
        return busy / (self.makespan * self.machines) if self.work else 0.0

    def wait(self, part: float, project: str | None = None) -> float:
        """Seconds in the queue that this part of the jobs (0 to 1) did not exceed, of one project or of all."""
        waits = sorted(each.waited for each in self.work if project in {None, each.project})
        return waits[min(len(waits) - 1, int(part * len(waits)))] if waits else 0.0


def simulate(loads: Sequence[Load], *, machines: int, boot_seconds: float = 0.0) -> Simulation:
    """Play a load through; each job takes a machine for its boot and its time, which is what was expected."""
    database = Database("sqlite://")
    SQLModel.metadata.create_all(database.engine)
    try:
        work = tuple(_Play(database, machines, boot_seconds).run(loads))
    finally:
        database.close()
    lengths = [boot_seconds + seconds for load in loads for seconds in load.seconds]
    last = max(
        (load.arrives + boot_seconds + max(load.seconds) for load in loads if load.seconds), default=0.0
    )
    return Simulation(machines=machines, work=work, bound=max(sum(lengths) / machines, last))


class _Play:
    """One simulation on its way."""

    def __init__(self, database: Database, machines: int, boot_seconds: float) -> None:
        self._database = database
        self._boot = boot_seconds
        self._free = list(range(machines))
        self._at_work: list[tuple[float, int, Claim]] = []
        self._time = 0.0
        self._asked: dict[str, tuple[str, float]] = {}
        self._projects: dict[str, str] = {}

    def run(self, loads: Sequence[Load]) -> Iterator[Work]:
        coming = sorted(loads, key=lambda load: load.arrives)
        with simulated_time(lambda: BEGIN + timedelta(seconds=self._time)):
            with self._database.write() as session:
                session.add(Image(name=SYSTEM, state=ImageState.READY))
            while coming or self._at_work:
                ends = self._at_work[0][0] if self._at_work else float("inf")
                self._time = min(ends, coming[0].arrives if coming else float("inf"))
                while self._at_work and self._at_work[0][0] <= self._time:
                    self._end(*heapq.heappop(self._at_work))
                while coming and coming[0].arrives <= self._time:
                    self._ask(coming.pop(0))
                yield from self._begin()

    def _begin(self) -> Iterator[Work]:
        while self._free:
            claim = claim_job(self._database, worker="simulated:0", lease_seconds=1e9)
            if claim is None:
                return
            machine = heapq.heappop(self._free)
            end = self._time + claim.expected_seconds
            heapq.heappush(self._at_work, (end, machine, claim))
            project, asked = self._asked[claim.run_id]
            yield Work(project=project, machine=machine, asked=asked, begin=self._time, end=end)

    def _end(self, _time: float, machine: int, claim: Claim) -> None:
        finish(self._database, claim, Judgement(verdict=Verdict.PASSED))
        heapq.heappush(self._free, machine)

    def _ask(self, load: Load) -> None:
        with self._database.write() as session:
            run = Run(target=load.project, project=load.project, source_sha256="", state=RunState.QUEUED)
            run.trigger, run.project_id = load.trigger, self._project(session, load)
            session.add(run)
            session.flush()
            self._asked[run.id] = load.project, load.arrives
            jobs = []
            for position, seconds in enumerate(load.seconds):
                cell = Cell(run_id=run.id, position=position, system=SYSTEM, label=str(position))
                job = Job(run_id=run.id, cell_id=cell.id, expected_seconds=self._boot + seconds)
                session.add(cell)
                place(session, run, job, SYSTEM)
                jobs.append(job)
            session.flush()
            session.add_all(jobs)
            enqueue(session, jobs)

    def _project(self, session: Session, load: Load) -> str:
        if load.project not in self._projects:
            project = Project(name=load.project, weight=load.weight)
            session.add(project)
            session.flush()
            self._projects[load.project] = project.id
        return self._projects[load.project]
