"""Events that come late, lean on others, or share a commit: every head of a branch gets a result, and once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from farm_scheduler import deliveries
from farm_scheduler.deliveries import Incoming, Notice
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.redelivery_tables import Redelivery
from farm_scheduler.states import JobState, RunState
from farm_scheduler.tables import Job, Run, now
from farm_scheduler.triggers import Trigger

from .test_events import Farm, farm, git, repository

__all__ = ["farm", "repository"]


def two(repository: Path) -> tuple[str, str]:
    """Two commits of main, the older first."""
    older = git(repository, "rev-parse", "main")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "newer")
    return older, git(repository, "rev-parse", "main")


def states(farm: Farm) -> dict[str, RunState]:
    """The state of the newest run of each commit."""
    return {str(run.revision): run.state for run in sorted(farm.runs(), key=lambda run: run.created)}


def told(farm: Farm, delivery: str, digest: str, notice: Notice) -> tuple[str, ...] | None:
    """A delivery whose signature proves its body only."""
    incoming = Incoming(
        forge="github", delivery_id=delivery, project_id="p-1", kind="x", digest=digest, notices=[notice]
    )
    return deliveries.record_delivery(farm.database, incoming)


def test_an_older_push_that_is_late_supersedes_nothing(farm: Farm, repository: Path) -> None:
    """A push that was put off comes after a newer one has its run: it gets none, and says why."""
    older, newer = two(repository)
    away = repository.with_name("away")
    first = farm.push("d-1", older)
    repository.rename(away)
    farm.handle(first)
    assert farm.event(first).state is EventState.WAITING
    away.rename(repository)
    second = farm.push("d-2", newer)
    farm.handle(second)
    farm.due_now(first)
    farm.handle(first)
    assert states(farm) == {newer: RunState.QUEUED}
    late = farm.event(first)
    assert late.state is EventState.DONE
    assert f"superseded by {farm.event(second).run_id}: a newer push to main" in str(late.reason)


def test_an_older_push_that_is_slow_is_superseded_at_its_end(farm: Farm, repository: Path) -> None:
    """Its run is recorded, and only then, by a worker that was slow, its event is settled: the newer run stays."""
    older, newer = two(repository)
    first = farm.push("d-1", older)
    farm.handle(first)
    with farm.database.write() as session:
        row = session.get_one(Event, first)
        row.state, row.worker = EventState.WORKING, "host:slow"
    farm.handle(farm.push("d-2", newer))
    with farm.database.write() as session:
        row = session.get_one(Event, first)
        row.state, row.not_before = EventState.WAITING, None
    farm.handle(first)
    assert states(farm) == {older: RunState.CANCELLED, newer: RunState.QUEUED}
    assert "a newer push to main" in str(farm.event(first).reason)


def test_a_push_that_is_delivered_again_is_as_old_as_it_was(farm: Farm, repository: Path) -> None:
    """What GitHub is asked to deliver again counts from when it was delivered first."""
    older, newer = two(repository)
    farm.handle(farm.push("d-2", newer))
    delivered = now() - timedelta(hours=1)
    with farm.database.write() as session:
        session.add(Redelivery(guid="d-1", project_id="p-1", kind="push", delivered=delivered))
    late = farm.push("d-1", older)
    farm.handle(late)
    assert states(farm) == {newer: RunState.QUEUED}
    assert "superseded by" in str(farm.event(late).reason)


def test_a_clock_that_is_set_back_supersedes_nothing(
    farm: Farm, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told later is newer, whatever the clock says; so it goes on until the clock has caught up."""
    older, newer = two(repository)
    monkeypatch.setattr(deliveries, "now", lambda: now() + timedelta(minutes=10))
    farm.handle(farm.push("d-1", older))
    monkeypatch.setattr(deliveries, "now", now)
    for number, commit in enumerate((newer, older, newer)):
        event = farm.push(f"d-{number + 2}", commit)
        farm.handle(event)
        assert farm.event(event).reason is None
        assert [run.revision for run in farm.runs() if run.state is RunState.QUEUED] == [commit]


def test_a_body_that_is_sent_again_after_it_failed_is_as_old_as_it_was(farm: Farm, repository: Path) -> None:
    """Under another id it may come again, but does not supersede what was pushed since."""
    older, newer = two(repository)

    def tell(delivery: str, revision: str) -> str:
        notice = Notice(trigger=Trigger.PUSH, target=farm.target, ref="main", revision=revision)
        (event,) = told(farm, delivery, f"of {revision}", notice) or ()
        return event

    first = tell("d-1", older)
    with farm.database.write() as session:
        session.get_one(Event, first).state = EventState.FAILED
    farm.handle(tell("d-2", newer))
    replayed = tell("d-3", older)
    farm.handle(replayed)
    assert states(farm) == {newer: RunState.QUEUED}
    assert "superseded by" in str(farm.event(replayed).reason)


def test_replays_at_once_are_one(farm: Farm) -> None:
    """The same body under eight ids at one moment is recorded once."""
    gate = threading.Barrier(8)

    def tell(number: int) -> bool:
        notice = Notice(trigger=Trigger.PERSON, target=farm.target, ref="main", revision="a" * 40, again=True)
        gate.wait(timeout=30)
        return told(farm, f"d-{number}", f"body {number // 8}", notice) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(tell, range(40))) == 5


def test_a_newer_push_that_has_failed_is_no_newer_push(farm: Farm, repository: Path) -> None:
    """What came to nothing does not stand in the way of the push before it."""
    older, _ = two(repository)
    first, gone = farm.push("d-1", older), farm.push("d-2", "ab" * 20)
    for _try in range(3):
        farm.handle(gone)
        farm.due_now(gone)
    assert farm.event(gone).state is EventState.FAILED
    farm.handle(first)
    assert states(farm) == {older: RunState.QUEUED}


def test_a_push_back_to_an_older_commit_is_newer(farm: Farm, repository: Path) -> None:
    """Back and forth: whatever the branch was set to last has a result, and nothing else is at work."""
    older, newer = two(repository)
    for number, commit in enumerate([older, newer, older, newer]):
        farm.handle(farm.push(f"d-{number}", commit))
        at_work = [run.revision for run in farm.runs() if run.state is RunState.QUEUED]
        assert at_work == [commit]
    with farm.database.write() as session:
        for run in session.exec(select(Run)):
            run.state = RunState.FINISHED
        for job in session.exec(select(Job)):
            job.state = JobState.FINISHED
    between = git(repository, "commit-tree", "-m", "between", f"{newer}^{{tree}}")
    git(repository, "branch", "between", between)
    farm.handle(farm.push("d-5", between))
    farm.handle(farm.push("d-6", newer))
    assert states(farm)[between] is RunState.CANCELLED  # the result of the last one is there already


def test_a_fork_stands_in_for_nothing(farm: Farm, repository: Path) -> None:
    """A pull request of a fork that is gone does not take the push of the same commit along."""
    commit = git(repository, "rev-parse", "main")
    fork = f"git+file://{repository.with_name('gone')}"
    pulled = farm.push("d-1", commit, trigger=Trigger.PULL_REQUEST, ref="pull/7", target=fork)
    farm.handle(pulled)
    pushed = farm.push("d-2", commit)
    farm.handle(pushed)
    assert farm.event(pushed).reason is None
    assert states(farm) == {commit: RunState.QUEUED}
    for _try in range(3):
        farm.due_now(pulled)
        farm.handle(pulled)
    assert farm.event(pulled).state is EventState.FAILED


def test_nobody_leans_on_what_is_put_off(farm: Farm, repository: Path) -> None:
    """An event whose try failed leads nobody: the next that asks for the same is tried, and the first finds its run."""
    commit = git(repository, "rev-parse", "main")
    away = repository.with_name("away")
    first = farm.push("d-1", commit)
    repository.rename(away)
    farm.handle(first)
    second = farm.push("d-2", commit, trigger=Trigger.PULL_REQUEST, ref="pull/2")
    farm.handle(second)
    assert [farm.event(each).state for each in (first, second)] == [EventState.WAITING] * 2
    away.rename(repository)
    farm.due_now(second)
    farm.handle(second)
    farm.due_now(first)
    farm.handle(first)
    (run,) = farm.runs()
    assert {farm.event(each).run_id for each in (first, second)} == {run.id}
    assert "asked for before" in str(farm.event(first).reason)


def test_what_is_at_work_is_waited_for(farm: Farm, repository: Path) -> None:
    """While a worker makes the run of the same commit another event stands back, and does not count it as a try."""
    commit = git(repository, "rev-parse", "main")
    first, second = farm.push("d-1", commit), farm.push("d-2", commit, ref="dev")
    with farm.database.write() as session:
        row = session.get_one(Event, first)
        row.state, row.worker = EventState.WORKING, "host:2"
        row.work = f"p-1 {farm.target} commit {commit}"
    farm.handle(second)
    waiting = farm.event(second)
    assert (waiting.state, waiting.tries) == (EventState.WAITING, 0)
    with farm.database.write() as session:
        session.get_one(Event, first).state = EventState.FAILED
    farm.due_now(second)
    farm.handle(second)
    assert [run.id for run in farm.runs()] == [farm.event(second).run_id]


def test_a_commit_of_two_branches_is_superseded_on_both_or_not_at_all(farm: Farm, repository: Path) -> None:
    """A newer push to one branch leaves the run to the other; when that has moved on too, it ends."""
    older, newer = two(repository)
    farm.handle(farm.push("d-1", older))
    farm.handle(farm.push("d-2", older, ref="dev"))
    farm.handle(farm.push("d-3", newer))
    assert states(farm) == {older: RunState.QUEUED, newer: RunState.QUEUED}
    farm.handle(farm.push("d-4", newer, ref="dev"))
    assert states(farm) == {older: RunState.CANCELLED, newer: RunState.QUEUED}
    (ended,) = [run for run in farm.runs() if run.state is RunState.CANCELLED]
    assert "a newer push to dev" in ended.notes[-1]["reason"]


def test_a_pull_request_goes_on_with_its_branch(farm: Farm, repository: Path) -> None:
    """The run that a branch and its pull request share is superseded when both have the newer commit."""
    older, newer = two(repository)
    for number, commit in enumerate((older, newer)):
        farm.handle(farm.push(f"d-{number}", commit, ref="feature"))
        farm.handle(farm.push(f"p-{number}", commit, ref="pull/1", trigger=Trigger.PULL_REQUEST))
    assert states(farm) == {older: RunState.CANCELLED, newer: RunState.QUEUED}
    assert len(farm.runs()) == 2
