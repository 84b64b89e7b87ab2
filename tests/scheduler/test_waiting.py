"""Why a job waits and when it begins; superseded pushes; the simulation."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select, update

from farm_scheduler.capacity import Load, simulate
from farm_scheduler.claims import claim_job
from farm_scheduler.database import Database
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.forecast import forecast
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState, RunState
from farm_scheduler.superseded import supersede
from farm_scheduler.tables import Image, Job, Project, Run, now
from farm_scheduler.triggers import Trigger
from farm_scheduler.waiting import Wait, read_queue, wait_of
from farm_scheduler.worker_lives import say_alive

from .queued_runs import add_images, add_project, add_run, hold


def of(machines: int) -> Settings:
    """A farm with so many machines."""
    return Settings(slots=machines)


def claim_one(database: Database):
    """The next job."""
    return claim_job(database, worker="host:1", lease_seconds=60)


def test_the_forecast_has_the_order_of_the_claim(record: Database) -> None:
    """What is foreseen is what the claim then does, over shares, weights, systems, triggers and a quota."""
    with record.write() as session:
        add_images(session, "one", "two")
        heavy, small = add_project(session, "heavy", weight=3.0), add_project(session, "small", quota=2)
        for number, trigger in enumerate([Trigger.SCHEDULE, Trigger.PUSH, Trigger.PERSON]):
            add_run(session, heavy, [70.0 + number, 20.0, 45.0], systems=("one", "two"), trigger=trigger)
            add_run(session, small, [30.0, 31.0], trigger=trigger, systems=("two",))
            add_run(session, f"other{number}", [50.0] * 3, systems=("one",))
    with record.read() as session:
        foreseen = [each.job_id for each in forecast(session, machines=50)]
    claimed = []
    while claim := claim_one(record):
        claimed.append(claim.job_id)
    assert len(claimed) == 3 * 3 + 2 + 9
    assert [job for job in foreseen if job in claimed] == claimed
    assert len(foreseen) == 3 * 3 + 3 * 2 + 9


def test_each_reason_is_told(record: Database) -> None:
    """A free machine, no free machine, no image, a quota, a parent, a pause and a retry have a word each."""
    say_alive(record, "host:1")
    with record.write() as session:
        add_images(session)
        session.add(Image(name="forky", state=ImageState.BAKING, left_seconds=40.0))
        small = add_project(session, "small", quota=1)
        (working,) = add_run(session, small, [100.0], trigger=Trigger.PERSON)
    assert claim_one(record) is not None
    with record.write() as session:
        small = session.get_one(Project, small.id)
        (quota,) = add_run(session, small, [10.0])
        (paused,) = add_run(session, add_project(session, "paused", paused=True), [10.0])
        (image,) = add_run(session, "six", [10.0], systems=("forky",))
        parent, child = add_run(session, "seven", [30.0, 10.0])
        hold(session, child, parent)
        (retry,) = add_run(session, "eight", [10.0])
        retry.not_before = now() + timedelta(seconds=500)
    with record.read() as session:
        queue = read_queue(session, of(2), most=50)
        found = {job.job_id: job for job in queue.jobs}
        assert wait_of(session, of(2), working.id) is None
        assert wait_of(session, of(2), image.id) == found[image.id]
        assert [job.job_id for job in read_queue(session, of(2), most=50, project="seven").jobs] == [
            parent.id,
            child.id,
        ]
    assert (queue.machines, queue.at_work, queue.waiting) == (2, 1, 6)
    assert found[parent.id].wait is Wait.MACHINE
    assert found[quota.id].wait is Wait.QUOTA
    assert "small has 1 at work" in found[quota.id].sentence
    assert found[quota.id].seconds == pytest.approx(100, abs=5)
    assert (found[paused.id].wait, found[paused.id].seconds) == (Wait.PAUSED, None)
    assert (found[image.id].wait, found[image.id].seconds) == (Wait.IMAGE, 40.0)
    assert found[image.id].sentence == "forky is baking"
    assert found[child.id].wait is Wait.PARENT
    assert parent.id in found[child.id].sentence
    assert found[child.id].seconds == pytest.approx(30, abs=15)
    assert found[retry.id].wait is Wait.RETRY
    assert found[retry.id].seconds == pytest.approx(500, abs=5)


def test_without_a_worker_nobody_can_tell_when(record: Database) -> None:
    """Where no worker has been heard of, a job waits for one, and the sentence says what starts it."""
    with record.write() as session:
        add_images(session)
        (waits,) = add_run(session, "six", [10.0])
    with record.read() as session:
        found = wait_of(session, of(1), waits.id)
    assert found is not None
    assert (found.wait, found.seconds) == (Wait.MACHINE, None)
    assert "wheelfarm up starts one" in found.sentence


def test_a_quota_of_nothing_is_told_as_a_quota(record: Database) -> None:
    """It is no pause, and nobody can tell when it ends; a project that is paused as well is told as paused."""
    with record.write() as session:
        add_images(session)
        (none,) = add_run(session, add_project(session, "none", quota=0), [10.0])
        (both,) = add_run(session, add_project(session, "both", quota=0, paused=True), [10.0])
    with record.read() as session:
        found = {job.job_id: job for job in read_queue(session, of(2), most=50).jobs}
    assert (found[none.id].wait, found[none.id].seconds) == (Wait.QUOTA, None)
    assert "quota of none is 0" in found[none.id].sentence
    assert found[both.id].wait is Wait.PAUSED


@pytest.mark.parametrize("left", [None, 0.0])
def test_behind_a_job_over_its_time_one_waits_as_long_again(record: Database, left: float | None) -> None:
    """A job that took 300 s longer than expected is not foreseen to end in the next second."""
    say_alive(record, "host:1")
    with record.write() as session:
        add_images(session)
        (slow,) = add_run(session, "slow", [100.0], trigger=Trigger.PERSON)
    assert claim_one(record) is not None
    with record.write() as session:
        row = session.get_one(Job, slow.id)
        row.started, row.left_seconds = now() - timedelta(seconds=400), left
        (behind,) = add_run(session, "six", [10.0])
    with record.read() as session:
        found = wait_of(session, of(1), behind.id)
    assert found is not None
    assert found.seconds == pytest.approx(300, abs=5)


def test_a_newer_push_ends_the_older(record: Database) -> None:
    """Only open runs of pushes to the same ref of the project are superseded, with a note that names the new run."""
    with record.write() as session:
        add_images(session)
        six, seven = add_project(session, "six"), add_project(session, "seven")
        ids = {}
        for name, project, values in (
            ("old", six, {"ref": "main"}),
            ("working", six, {"ref": "main"}),
            ("branch", six, {"ref": "fix"}),
            ("person", six, {"ref": "main", "trigger": Trigger.PERSON}),
            ("tag", six, {"ref": "main", "trigger": Trigger.TAG}),
            ("pull", six, {"ref": "main", "trigger": Trigger.PULL_REQUEST}),
            ("other", seven, {"ref": "main"}),
        ):
            ids[name] = add_run(session, project, [60.0, 50.0], **values)[0].run_id
        session.exec(update(Job).where(Job.run_id == ids["working"]).values(rank=1e9))
    with record.write() as session:
        ended = Run(target="t", project="six", project_id=six.id, source_sha256="", ref="main")
        ended.trigger, ended.state = Trigger.PUSH, RunState.FINISHED
        session.add(ended)
    claim = claim_one(record)
    with record.write() as session:
        for name, run_id in ids.items():
            run = session.get_one(Run, run_id)
            if name != "person":
                add_event(session, run)
        new = Run(
            target="t", project="six", project_id=six.id, source_sha256="", ref="main", revision="c0ffee" * 6
        )
        new.trigger = Trigger.PUSH
        session.add(new)
        event = add_event(session, new)
        assert sorted(supersede(session, event)) == sorted([ids["old"], ids["working"]])
        assert supersede(session, event) == []
    with record.read() as session:
        found = {name: session.get_one(Run, run_id) for name, run_id in ids.items()}
    assert {name for name, run in found.items() if run.state is RunState.CANCELLED} <= {"old", "working"}
    assert found["old"].notes[-1]["reason"] == f"superseded by {new.id}: a newer push to main (c0ffeec0ffee)"
    assert claim is not None
    if claim.run_id == ids["working"]:
        assert found["working"].state is RunState.CANCELLING


def test_a_persons_run_supersedes_nothing(record: Database) -> None:
    """A run that a person asked for anew, or that has no ref, leaves the pushes alone."""
    with record.write() as session:
        add_images(session)
        six = add_project(session, "six")
        (job,) = add_run(session, six, [60.0], ref="main")
        add_event(session, session.get_one(Run, job.run_id))
    with record.write() as session:
        for ref, trigger in (("main", Trigger.PERSON), (None, Trigger.PUSH)):
            run = Run(
                target="t", project="six", project_id=six.id, source_sha256="", ref=ref, trigger=trigger
            )
            session.add(run)
            assert supersede(session, add_event(session, run)) == []
        assert {run.state for run in session.exec(select(Run))} == {RunState.QUEUED, RunState.PLANNED}


def add_event(session: Session, run: Run) -> Event:
    """The event that led to a run."""
    event = Event(project_id=run.project_id or "", trigger=run.trigger, target="git+t", run_id=run.id)
    event.ref, event.revision, event.state = run.ref, run.revision, EventState.DONE
    session.add(event)
    session.flush()
    return event


def test_forty_jobs_on_five_machines() -> None:
    """40 jobs of 8 minutes on 5 machines that boot in 60 s take 72 minutes, and the machines are never idle."""
    found = simulate([Load(project="six", seconds=(480.0,) * 40)], machines=5, boot_seconds=60.0)
    assert (found.makespan, found.bound, found.utilisation) == (4320.0, 4320.0, 1.0)
    assert (found.wait(0), found.wait(1)) == (0.0, 7 * 540.0)


@given(
    seconds=st.lists(st.floats(1, 1000), min_size=1, max_size=25),
    machines=st.integers(1, 6),
    later=st.lists(st.floats(1, 1000), max_size=8),
)
def test_a_simulation_is_possible_and_never_idle(
    seconds: list[float], machines: int, later: list[float]
) -> None:
    """Every job is done once, none overlaps another on its machine, and the result is within Graham's bound."""
    loads = [Load(project="a", seconds=tuple(seconds))]
    if later:
        loads.append(Load(project="b", seconds=tuple(later), arrives=100.0))
    found = simulate(loads, machines=machines)
    assert sorted(each.end - each.begin for each in found.work) == pytest.approx(sorted([*seconds, *later]))
    for machine in range(machines):
        mine = sorted((each.begin, each.end) for each in found.work if each.machine == machine)
        assert all(first[1] <= second[0] + 1e-6 for first, second in itertools.pairwise(mine))
    total = sum(seconds) + sum(later)
    assert found.bound <= found.makespan + 1e-6
    assert found.makespan <= (100.0 if later else 0.0) + total / machines + max([*seconds, *later]) + 1e-6


def test_shares_hold_in_a_simulation() -> None:
    """A project with a few jobs is done long before the one with many, and a heavier one before a lighter."""
    loads = [
        Load(project="large", seconds=(60.0,) * 40),
        Load(project="small", seconds=(60.0,) * 4),
        Load(project="heavy", seconds=(60.0,) * 40, weight=4.0),
    ]
    found = simulate(loads, machines=4)
    ends = {
        name: max(each.end for each in found.work if each.project == name)
        for name in ("large", "small", "heavy")
    }
    assert ends["small"] < ends["heavy"] < ends["large"]
    assert found.wait(1.0, "small") < found.wait(0.5, "large")
