"""The life of jobs under random faults: whatever comes, no job is lost and none is recorded twice."""

import itertools
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import select
from tests.postgres import RECORDS

from farm_scheduler import runs
from farm_scheduler.claims import Claim, Standing, claim_job, expire_attempts, finish, give_up, move, renew
from farm_scheduler.clock import simulated_time
from farm_scheduler.database import Database
from farm_scheduler.errors import StateError
from farm_scheduler.judgement import Judgement
from farm_scheduler.lanes import sweep_lanes
from farm_scheduler.states import (
    ATTEMPT_ENDED,
    JOB_AT_WORK,
    JOB_ENDED,
    RUN_ENDED,
    ImageState,
    JobState,
)
from farm_scheduler.tables import Attempt, Image, Job, Lane, Project, Run
from farm_scheduler.verdicts import Verdict

from .queued_runs import SYSTEM, add_images, add_project, add_run, hold

LEASE = 60.0
STEPS = (JobState.BOOTING, JobState.RUNNING, JobState.FINISHING)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 200


class Worker:
    """A worker with one claim: it knows only what it was told."""

    def __init__(self, name: str, claim: Claim) -> None:
        self.name = name
        self.claim = claim
        self.steps = list(STEPS)


class Lifecycle(RuleBasedStateMachine):
    """Workers claim, work and die; leases expire, tickets are lost or doubled, clocks jump, runs are cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.time = BEGIN
        self.clock = simulated_time(lambda: self.time)
        self.clock.__enter__()
        # Ids decide between jobs of one moment; the same choices are to give the same history.
        self.ids = mock.patch("secrets.choice", random.Random(1).choice)
        self.ids.start()
        self.database = Database(self.new_url())
        self.workers: list[Worker] = []
        self.gone: list[Worker] = []
        self.tickets = 0
        self.names = itertools.count(1)
        self.recorded: dict[str, tuple[Verdict | None, int]] = {}

    def new_url(self) -> str:
        """An empty record of this example's own."""
        raise NotImplementedError

    def teardown(self) -> None:
        """After the faults the farm has time: every job comes to its end."""
        try:
            if hasattr(self, "project_id"):
                self._let_it_end()
        finally:
            self.ids.stop()
            self.database.close()
            self.clock.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        """A record with a ready image and a project with a quota."""
        with self.database.write() as session:
            add_images(session)
            self.project_id = add_project(session, "six", quota=2, weight=2.0).id

    @rule(count=st.integers(1, 4), dependent=st.booleans(), known=st.booleans())
    def ask(self, count: int, dependent: bool, known: bool) -> None:
        """A run is asked for, perhaps with jobs that depend on its first; some of its tickets are lost, or doubled."""
        with self.database.write() as session:
            project = session.get_one(Project, self.project_id) if known else "other"
            jobs = add_run(session, project, [30.0 + place for place in range(count)])
            if dependent:
                for job in jobs[1:]:
                    hold(session, job, jobs[0])
        self.tickets += count

    @rule(times=st.integers(0, 3))
    def tickets_change(self, times: int) -> None:
        """Tickets are lost, or come again."""
        self.tickets = self.tickets * times // 2

    @precondition(lambda self: self.tickets)
    @rule()
    def claim(self) -> None:
        """A worker takes a ticket, and with it the best job, if there is any."""
        self.tickets -= 1
        name = f"host:{next(self.names)}"
        claim = claim_job(self.database, worker=name, lease_seconds=LEASE)
        if claim is not None:
            assert claim.job_id not in [each.claim.job_id for each in self._wanted()]
            self.workers.append(Worker(name, claim))

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), verdict=st.sampled_from([Verdict.PASSED, Verdict.FAILED, Verdict.FARM_ERROR]))
    def work(self, data: st.DataObject, verdict: Verdict) -> None:
        """A worker goes on by one step; whatever it says without its lease changes nothing."""
        worker = data.draw(st.sampled_from(self.workers))
        self._step(worker, verdict)

    @precondition(lambda self: self.workers)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """A worker is killed, in whatever state its job is."""
        worker = data.draw(st.sampled_from(self.workers))
        self.workers.remove(worker)
        self.gone.append(worker)

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        """A worker that was only stopped goes on as if nothing had happened."""
        worker = data.draw(st.sampled_from(self.gone))
        self.gone.remove(worker)
        self.workers.append(worker)

    @rule(seconds=st.sampled_from([1.0, 20.0, 61.0, 3600.0, -30.0, -7200.0, 90_000.0]))
    def clock_jumps(self, seconds: float) -> None:
        """Time passes, or the clock is set, backwards too."""
        self.time += timedelta(seconds=seconds)

    @precondition(lambda self: self.workers)
    @rule()
    def leases_expire(self) -> None:
        """Every worker is stopped for longer than its lease, and the sweep comes round meanwhile."""
        self.time += timedelta(seconds=LEASE + 1)
        self._sweep()

    @rule(known_dead=st.booleans())
    def sweep(self, known_dead: bool) -> None:
        """The sweep comes round: leases expire, tickets are issued again."""
        dead = frozenset(worker.name for worker in self.gone) if known_dead else frozenset[str]()
        self._sweep(dead)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """A person cancels a run, or does so again."""
        with self.database.read() as session:
            ids = sorted(session.exec(select(Run.id)).all())
        if ids:
            runs.cancel(self.database, data.draw(st.sampled_from(ids)))

    @rule(state=st.sampled_from([ImageState.READY, ImageState.BAKING]))
    def image_changes(self, state: ImageState) -> None:
        """The image goes away for a bake, and comes back."""
        with self.database.write() as session:
            session.get_one(Image, SYSTEM).state = state

    @invariant()
    def record_is_whole(self) -> None:
        """What the record says fits together, and what has ended stays as it is."""
        with self.database.read() as session:
            jobs = {job.id: job for job in session.exec(select(Job))}
            attempts = list(session.exec(select(Attempt)))
            found_runs = {run.id: run for run in session.exec(select(Run))}
            lanes = {(lane.share, lane.system) for lane in session.exec(select(Lane))}
        for job in jobs.values():
            mine = [each for each in attempts if each.job_id == job.id]
            open_ones = [each for each in mine if each.state not in ATTEMPT_ENDED]
            assert len(open_ones) == (1 if job.state in JOB_AT_WORK else 0), "one open attempt a job at work"
            assert sorted(each.number for each in mine) == list(range(1, len(mine) + 1)), (
                "no try counts twice"
            )
            assert (job.verdict is not None) == (job.state == JobState.FINISHED)
            if job.state == JobState.QUEUED:
                assert (job.share, job.system) in lanes, "what waits is found"
            if job.state == JobState.HELD:
                assert jobs[str(job.parent_id)].state not in JOB_ENDED, "nobody waits for what is over"
            if job.state in JOB_ENDED:
                end = self.recorded.setdefault(job.id, (job.verdict, len(mine)))
                assert end == (job.verdict, len(mine)), "an end is recorded once"
            assert len(mine) <= 6, "tries are bounded"
        for run in found_runs.values():
            mine_too = [job for job in jobs.values() if job.run_id == run.id]
            assert (run.state in RUN_ENDED) == all(job.state in JOB_ENDED for job in mine_too)
        quota = [job for job in jobs.values() if job.share == getattr(self, "project_id", "")]
        assert sum(job.state in JOB_AT_WORK for job in quota) <= 2, "the quota holds"

    def _step(self, worker: Worker, verdict: Verdict) -> None:
        claim, judgement = worker.claim, Judgement(verdict=verdict, reason="why")
        if worker not in self._wanted():
            assert renew(self.database, claim, lease_seconds=LEASE) is Standing.LOST
            with pytest.raises(StateError):
                move(self.database, claim, (worker.steps or STEPS)[0])
            give_up(self.database, claim)
        elif renew(self.database, claim, lease_seconds=LEASE) is Standing.CANCELLED:
            give_up(self.database, claim)
        elif worker.steps:
            move(self.database, claim, worker.steps.pop(0))
            return
        else:
            finish(self.database, claim, judgement)
        assert finish(self.database, claim, judgement) is False, "a second time, or too late: nothing"
        self.workers.remove(worker)

    def _sweep(self, dead: frozenset[str] = frozenset()) -> None:
        expire_attempts(self.database, dead_workers=dead)
        with self.database.write() as session:
            sweep_lanes(session)
        with self.database.read() as session:
            waiting = session.exec(select(Job.id).where(Job.state == JobState.QUEUED)).all()
        self.tickets = max(self.tickets, len(waiting))

    def _wanted(self) -> list[Worker]:
        """The workers whose attempt still has its job."""
        with self.database.read() as session:
            open_ones = {
                attempt.id for attempt in session.exec(select(Attempt)) if attempt.state not in ATTEMPT_ENDED
            }
        return [each for each in (*self.workers, *self.gone) if each.claim.attempt_id in open_ones]

    def _let_it_end(self) -> None:
        self.image_changes(ImageState.READY)
        self.gone += self.workers
        self.workers = []
        for _ in range(ROUNDS):
            self.time += timedelta(seconds=100_000)
            self._sweep()
            while self.tickets:
                self.claim()
            for worker in list(self.workers):
                while worker in self.workers:
                    self._step(worker, Verdict.PASSED)
            self.record_is_whole()
            with self.database.read() as session:
                if not [job for job in session.exec(select(Job)) if job.state not in JOB_ENDED]:
                    return
        pytest.fail("a job was lost: it never came to its end")


@pytest.mark.parametrize("kind", RECORDS)
def test_no_fault_loses_or_doubles_a_job(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """After any mixture of faults every job comes to one end, and the record fits together at every moment."""
    empty = request.getfixturevalue("empty_record")
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    numbers = itertools.count()

    class Here(Lifecycle):
        def new_url(self) -> str:
            if server is not None:
                return str(server.new_record())
            path = tmp_path / f"{next(numbers)}.sqlite"
            shutil.copyfile(empty, path)
            return f"sqlite:///{path}"

    many = 20 if kind == "postgresql" else 60
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=many, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
