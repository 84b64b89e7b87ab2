"""Whose turn it is: shares, weights, priority, quota, pauses, and dependent jobs."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select, update

from farm_scheduler import runs
from farm_scheduler.claims import Claim, claim_job, finish, give_up, move
from farm_scheduler.clock import simulated_time
from farm_scheduler.database import Database
from farm_scheduler.dependents import released
from farm_scheduler.judgement import Judgement
from farm_scheduler.lanes import sweep_lanes
from farm_scheduler.states import ImageState, JobState, RunState
from farm_scheduler.tables import Job, Lane, Project, Run, Share
from farm_scheduler.triggers import Trigger
from farm_scheduler.verdicts import Verdict

from .queued_runs import add_images, add_project, add_run, hold

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> datetime:
        """The time that was set."""
        return BEGIN + timedelta(seconds=self.seconds)


@pytest.fixture(autouse=True)
def clock():
    """The time of the test, which stands still unless it is moved."""
    clock = Clock()
    with simulated_time(clock):
        yield clock


def claim_one(database: Database) -> Claim | None:
    """The next job, if there is one."""
    return claim_job(database, worker="host:1", lease_seconds=60)


def projects_claimed(database: Database, count: int) -> list[str]:
    """The projects of the next jobs, which all stay at work."""
    found = []
    for _ in range(count):
        claim = claim_one(database)
        assert claim is not None
        with database.read() as session:
            found.append(session.get_one(Run, claim.run_id).project)
    return found


def end(database: Database, claim: Claim, verdict: Verdict = Verdict.PASSED) -> None:
    """Bring an attempt through to a verdict."""
    for state in (JobState.BOOTING, JobState.RUNNING, JobState.FINISHING):
        move(database, claim, state)
    finish(database, claim, Judgement(verdict=verdict, reason="why"))


def test_projects_take_turns(record: Database, clock: Clock) -> None:
    """A project with a few jobs does not wait behind the hundred of another."""
    with record.write() as session:
        add_images(session)
        add_run(session, "large", [60.0] * 100)
        clock.seconds = 5
        add_run(session, "small", [60.0] * 3)
    assert Counter(projects_claimed(record, 6)) == {"large": 3, "small": 3}


def test_weights_divide_the_farm(record: Database) -> None:
    """A project of weight three is given three times as much work, counted in seconds."""
    with record.write() as session:
        add_images(session)
        add_run(session, add_project(session, "heavy", weight=3.0), [30.0] * 60)
        add_run(session, "light", [60.0] * 60)
    counted = Counter(projects_claimed(record, 35))
    assert counted["heavy"] * 30.0 == pytest.approx(3 * counted["light"] * 60.0, rel=0.1)


def test_what_was_really_used_counts(record: Database, clock: Clock) -> None:
    """A project whose jobs take longer than expected pays for it with its next turns."""
    with record.write() as session:
        add_images(session)
        add_run(session, "slow", [60.0] * 20)
        add_run(session, "quick", [60.0] * 20)
    first, second = claim_one(record), claim_one(record)
    assert first is not None
    assert second is not None
    clock.seconds = 60
    with record.read() as session:
        slow = first if session.get_one(Run, first.run_id).project == "slow" else second
    end(record, first if slow is second else second)
    clock.seconds = 300
    end(record, slow)
    assert projects_claimed(record, 4) == ["quick"] * 4
    assert "slow" in projects_claimed(record, 2)


def test_nobody_saves_turns_while_away(record: Database) -> None:
    """A project that comes late shares with those that are there, and does not take what it missed."""
    with record.write() as session:
        add_images(session)
        add_run(session, "early", [60.0] * 100)
    projects_claimed(record, 50)
    with record.write() as session:
        add_run(session, "late", [60.0] * 50)
    assert 9 <= Counter(projects_claimed(record, 20))["late"] <= 11


def test_a_person_goes_before_a_sweep(record: Database, clock: Clock) -> None:
    """The run of a person who waits begins before the jobs of a sweep that stood in the queue for hours."""
    with record.write() as session:
        add_images(session)
        add_run(session, "six", [60.0] * 20, trigger=Trigger.SCHEDULE)
        for number in range(5):
            add_run(session, f"other{number}", [60.0] * 20, trigger=Trigger.SCHEDULE)
    projects_claimed(record, 12)
    clock.seconds = 5 * 3600
    with record.write() as session:
        add_run(session, "six", [60.0] * 2, trigger=Trigger.PERSON)
    claims = [claim_one(record) for _ in range(2)]
    with record.read() as session:
        assert {session.get_one(Run, each.run_id).trigger for each in claims} == {Trigger.PERSON}


def test_a_sweep_does_not_starve(record: Database, clock: Clock) -> None:
    """However many persons' runs come, the job of a sweep begins: a day later at most in its project."""
    with record.write() as session:
        add_images(session)
        (swept,) = add_run(session, "six", [60.0], trigger=Trigger.SCHEDULE)
    for hour in range(30):
        clock.seconds = hour * 3600
        with record.write() as session:
            add_run(session, "six", [60.0] * 2, trigger=Trigger.PERSON)
        claims = [claim_one(record) for _ in range(2)]
        if swept.id in [claim.job_id for claim in claims if claim]:
            assert 23 <= hour <= 25
            return
    pytest.fail("the sweep's job never began")


def test_persons_do_not_starve_other_projects(record: Database) -> None:
    """A project in which persons never stop asking is an hour of work ahead at most."""
    with record.write() as session:
        add_images(session)
        add_run(session, "busy", [600.0] * 50, trigger=Trigger.PERSON)
        add_run(session, "nightly", [600.0] * 50, trigger=Trigger.SCHEDULE)
    found = projects_claimed(record, 20)
    assert found[:6] == ["busy"] * 6
    assert Counter(found[8:]) == {"busy": 6, "nightly": 6}


def test_priority_goes_first(record: Database) -> None:
    """Of two runs of one kind the one with the higher priority begins first."""
    with record.write() as session:
        add_images(session)
        add_run(session, "usual", [60.0])
        add_run(session, "urgent", [60.0], priority=1)
    assert projects_claimed(record, 2) == ["urgent", "usual"]


def test_the_longest_goes_first_on_all_systems(record: Database) -> None:
    """Within a run the longest job begins first, whichever system it needs."""
    with record.write() as session:
        add_images(session, "one", "two")
        add_run(session, "six", [10.0, 50.0, 40.0, 30.0, 20.0], systems=("one", "two"))
    claims = [claim_one(record) for _ in range(5)]
    assert [each.expected_seconds for each in claims] == [50.0, 40.0, 30.0, 20.0, 10.0]


def test_only_systems_with_an_image_are_served(record: Database) -> None:
    """A job whose image is not ready is passed over, however many wait for it, and comes when it is there."""
    with record.write() as session:
        add_images(session, "ready")
        add_images(session, "baking", state=ImageState.BAKING)
        for number in range(20):
            add_run(session, f"waits{number}", [60.0], systems=("baking",))
        add_run(session, "six", [60.0], systems=("ready",))
    assert projects_claimed(record, 1) == ["six"]
    assert claim_one(record) is None
    with record.write() as session:
        add_images(session, "baking")
    assert len(projects_claimed(record, 20)) == 20


def test_a_paused_project_waits(record: Database) -> None:
    """Nothing of a paused project begins, and the others go on."""
    with record.write() as session:
        add_images(session)
        add_run(session, add_project(session, "paused", paused=True), [60.0])
        add_run(session, "six", [60.0])
    assert projects_claimed(record, 1) == ["six"]
    assert claim_one(record) is None
    with record.write() as session:
        session.exec(update(Project).values(paused=False))
    assert projects_claimed(record, 1) == ["paused"]


def test_a_quota_is_kept(record: Database) -> None:
    """A project has no more jobs at work than its quota; the next begins when one of them ends."""
    with record.write() as session:
        add_images(session)
        add_run(session, add_project(session, "small", quota=2), [60.0] * 5)
    first, second = claim_one(record), claim_one(record)
    assert first is not None
    assert second is not None
    assert claim_one(record) is None
    give_up(record, first)
    assert claim_one(record) is not None
    assert claim_one(record) is None


def test_a_dependent_job_waits_for_its_parent(record: Database) -> None:
    """A held job is not claimed until its parent has ended green."""
    with record.write() as session:
        add_images(session)
        parent, child = add_run(session, "six", [10.0, 90.0])
        hold(session, child, parent)
    claim = claim_one(record)
    assert claim is not None
    assert claim.job_id == parent.id
    assert claim_one(record) is None
    end(record, claim, Verdict.PASSED)
    assert released(record, parent.id) == [child.system]
    claim = claim_one(record)
    assert claim is not None
    assert claim.job_id == child.id
    end(record, claim)
    with record.read() as session:
        assert session.get_one(Run, claim.run_id).exit_code == 0


@pytest.mark.parametrize(
    ("verdict", "end_of_child"),
    [
        (Verdict.FAILED, Verdict.BUILD_FAILED),
        (Verdict.NO_TESTS, Verdict.BUILD_FAILED),
    ],
)
def test_dependents_end_with_a_parent_that_failed(
    record: Database, verdict: Verdict, end_of_child: Verdict
) -> None:
    """Whatever depends on a job that did not end well ends with a reason that names it, to the last grandchild."""
    with record.write() as session:
        add_images(session)
        parent, child, grandchild = add_run(session, "six", [10.0, 20.0, 30.0])
        hold(session, child, parent)
        hold(session, grandchild, child)
    claim = claim_one(record)
    assert claim is not None
    end(record, claim, verdict)
    with record.read() as session:
        ends = [session.get_one(Job, each.id) for each in (child, grandchild)]
        assert session.get_one(Run, parent.run_id).state is RunState.FINISHED
    assert [each.verdict for each in ends] == [end_of_child] * 2
    assert f"({parent.id}) makes, and that ended as {verdict.value}: why" in str(ends[0].reason)


def test_dependents_of_a_cancelled_job_are_cancelled(record: Database) -> None:
    """A run that is cancelled while its parent job is at work leaves no job behind."""
    with record.write() as session:
        add_images(session)
        parent, child = add_run(session, "six", [10.0, 20.0])
        hold(session, child, parent)
    claim = claim_one(record)
    assert claim is not None
    runs.cancel(record, parent.run_id)
    give_up(record, claim)
    with record.read() as session:
        assert session.get_one(Job, child.id).state is JobState.CANCELLED
        assert session.get_one(Run, parent.run_id).state is RunState.CANCELLED


def test_a_cancelled_run_leaves_no_lane(record: Database) -> None:
    """What is cancelled leaves the queue at once, and what a crash left goes with the sweep."""
    with record.write() as session:
        add_images(session)
        (job,) = add_run(session, "six", [10.0])
    runs.cancel(record, job.run_id)
    with record.read() as session:
        assert session.exec(select(Lane)).all() == []
    with record.write() as session:
        session.add(Lane(share="name:six", system="gone", turn=1e9))
        (job,) = add_run(session, "six", [10.0])
        session.exec(update(Lane).where(Lane.system != "gone").values(system="wrong"))
    assert claim_one(record) is None
    with record.write() as session:
        sweep_lanes(session, missing=True)
        assert len(session.exec(select(Lane)).all()) == 1
    assert claim_one(record) is not None


def test_many_workers_claim_each_job_once(record: Database) -> None:
    """Workers that claim at the same time get every job, and none of them twice."""
    with record.write() as session:
        add_images(session)
        for number in range(4):
            add_run(session, f"p{number % 3}", [60.0] * 10)
    found: list[str] = []

    def work() -> None:
        misses = 0
        while misses < 3:
            claim = claim_one(record)
            if claim is None:
                misses += 1
            else:
                found.append(claim.job_id)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(found) == len(set(found)) == 40


def test_a_quota_holds_under_concurrency(record: Database) -> None:
    """Workers that claim at the same time do not take more of a project than its quota."""
    with record.write() as session:
        add_images(session)
        add_run(session, add_project(session, "small", quota=3), [60.0] * 30)
    claims: list[Claim | None] = []
    threads = [threading.Thread(target=lambda: claims.append(claim_one(record))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert sum(claim is not None for claim in claims) == 3


def test_a_share_that_could_not_be_served_has_bounded_credit(record: Database) -> None:
    """A project that was paused for long is an hour of work ahead when it goes on, not all that it missed."""
    with record.write() as session:
        add_images(session)
        add_run(session, add_project(session, "paused", paused=True), [600.0] * 60)
        add_run(session, "six", [600.0] * 120)
    projects_claimed(record, 60)
    with record.write() as session:
        session.exec(update(Project).values(paused=False))
    found = Counter(projects_claimed(record, 30))
    assert 15 <= found["paused"] <= 20
    with record.read() as session:
        assert len(session.exec(select(Share)).all()) == 2


def test_who_asks_for_many_names_has_one_share(record: Database) -> None:
    """Beside a project a token that uploads under twenty names has half of the farm, as one that uploads under one."""
    with record.write() as session:
        add_images(session)
        add_run(session, add_project(session, "real"), [60.0] * 30)
        for number in range(20):
            add_run(session, f"name{number}", [60.0] * 30, actor="token:ci")
    assert projects_claimed(record, 40).count("real") == 20
