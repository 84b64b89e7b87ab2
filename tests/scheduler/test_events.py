"""Events: each becomes one run, whatever is doubled, lost or killed."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from farm_scheduler import runs
from farm_scheduler.database import Database
from farm_scheduler.deliveries import Incoming, Notice, record_delivery
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.events import FEWEST_TRIES, due_events, expire_events, handle_event
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState, RunState
from farm_scheduler.tables import Image, Project, Run, now
from farm_scheduler.triggers import Trigger


class Sent:
    """An engine that keeps what is published; the real one is in tests/services."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def send_task(self, name: str, **_: object) -> None:
        """Keep one message."""
        self.messages.append(name)


def git(folder: Path, *command: str) -> str:
    """Run git in a folder."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    argv = ["git", "-C", str(folder), *who, *command]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


class Farm:
    """A record with a project, its repository, and a worker."""

    def __init__(self, database: Database, settings: Settings, repository: Path) -> None:
        self.database = database
        self.settings = settings
        self.target = f"git+file://{repository}"
        self.sent = Sent()
        with database.write() as session:
            session.add(Project(id="p-1", name="demo"))
            interpreters = [{"version": "3.11.2", "implementation": "cpython", "works": True, "path": ""}]
            session.add(
                Image(name="debian-12", state=ImageState.READY, digest="d", interpreters=interpreters)
            )

    def tell(self, delivery: str, *notices: Notice) -> tuple[str, ...]:
        """A delivery with these events; their ids."""
        incoming = Incoming(
            forge="github", delivery_id=delivery, project_id="p-1", kind="push", notices=notices
        )
        return record_delivery(self.database, incoming) or ()

    def push(self, delivery: str, revision: str | None, **other: object) -> str:
        """A push of a commit; the id of its event."""
        fields = {"trigger": Trigger.PUSH, "ref": "main", "target": self.target} | other
        (event,) = self.tell(delivery, Notice(revision=revision, **fields))  # type: ignore[arg-type]  # all of an engine that is used here
        return event

    def handle(self, event: str) -> None:
        """What the worker's task does."""
        handle_event(self.database, self.sent, self.settings, event, worker="host:1")  # type: ignore[arg-type]  # all of an engine that is used here

    def event(self, event: str) -> Event:
        """An event now."""
        with self.database.read() as session:
            return session.get_one(Event, event)

    def runs(self) -> list[Run]:
        """All runs."""
        with self.database.read() as session:
            return list(session.exec(select(Run)))

    def due_now(self, event: str) -> None:
        """Let what it waits for be over."""
        with self.database.write() as session:
            session.get_one(Event, event).not_before = now() - timedelta(seconds=1)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A project with a branch, a tag and a commit of a pull request."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    (folder / "tox.ini").write_text("[tox]\nenv_list = py311\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    git(folder, "tag", "-a", "v1", "-m", "v1")
    git(folder, "checkout", "--quiet", "-b", "fork")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "two")
    git(folder, "update-ref", "refs/pull/1/head", "HEAD")
    git(folder, "checkout", "--quiet", "main")
    git(folder, "branch", "-D", "fork")
    return folder


@pytest.fixture
def farm(tmp_path: Path, record: Database, record_url: str, repository: Path) -> Farm:
    """A farm that may ask git for folders of this host."""
    settings = Settings(
        home=tmp_path / "home",
        database_url=record_url,
        systems=("debian-12",),
        pyenv_root=None,
        git_files=True,
    )
    settings.prepare()
    return Farm(record, settings, repository)


def test_an_event_becomes_a_run(farm: Farm, repository: Path) -> None:
    """The run is of the pushed commit, and knows what asked for it."""
    commit = git(repository, "rev-parse", "main")
    event = farm.push("d-1", commit)
    farm.handle(event)
    (run,) = farm.runs()
    assert (run.project_id, run.trigger, run.ref, run.revision) == ("p-1", Trigger.PUSH, "main", commit)
    assert run.target == f"{farm.target}@{commit}"
    assert run.state is RunState.QUEUED
    assert (farm.event(event).state, farm.event(event).run_id) == (EventState.DONE, run.id)
    assert "wheelfarm.ticket" in farm.sent.messages


def test_an_event_makes_one_run_however_often_it_is_handled(farm: Farm, repository: Path) -> None:
    """Handled twice, or again after a worker that was killed behind the submission, there is one run."""
    event = farm.push("d-1", git(repository, "rev-parse", "main"))
    farm.handle(event)
    farm.handle(event)
    with farm.database.write() as session:
        row = session.get_one(Event, event)
        row.state, row.worker, row.work = EventState.WORKING, "host:dead", None
    expire_events(farm.database, dead_workers={"host:dead"})
    assert due_events(farm.database) == [event]
    farm.handle(event)
    assert len(farm.runs()) == 1
    assert farm.event(event).state is EventState.DONE


def test_the_same_commit_is_run_once(farm: Farm, repository: Path) -> None:
    """A push and a pull request of one commit, or a replayed body, share a run; asked again, it gets another."""
    commit = git(repository, "rev-parse", "main")
    first = farm.push("d-1", commit)
    second = farm.push("d-2", commit, trigger=Trigger.PULL_REQUEST, ref="pull/2")
    farm.handle(first)
    farm.handle(second)
    assert len(farm.runs()) == 1
    assert farm.event(second).run_id == farm.event(first).run_id
    assert "asked for before" in str(farm.event(second).reason)
    again = farm.push("d-3", commit, again=True)
    farm.handle(again)
    assert len(farm.runs()) == 2


def test_a_cancelled_run_is_no_reason_not_to_run(farm: Farm, repository: Path) -> None:
    """The commit comes back after its run was cancelled: it is run."""
    commit = git(repository, "rev-parse", "main")
    farm.handle(farm.push("d-1", commit))
    runs.cancel(farm.database, farm.runs()[0].id)
    farm.handle(farm.push("d-2", commit))
    assert len(farm.runs()) == 2


def test_a_tag_without_its_commit_is_looked_up(farm: Farm, repository: Path) -> None:
    """Of an annotated tag the commit is run, and its push and its creation are one run, apart from the branch's."""
    commit = git(repository, "rev-parse", "main")
    farm.handle(farm.push("d-1", commit))
    created = farm.push("d-2", None, trigger=Trigger.TAG, ref="v1")
    farm.handle(created)
    farm.handle(farm.push("d-3", commit, trigger=Trigger.TAG, ref="v1"))
    assert farm.event(created).revision == commit
    assert sorted(run.trigger for run in farm.runs()) == ["push", "tag"]


def test_the_commit_of_a_pull_request_is_found(farm: Farm, repository: Path) -> None:
    """A commit that no branch has is asked for by its hash, and gets a run like any other."""
    commit = git(repository, "rev-parse", "refs/pull/1/head")
    farm.handle(farm.push("d-1", commit, trigger=Trigger.PULL_REQUEST, ref="pull/1"))
    (run,) = farm.runs()
    assert (run.revision, run.ref, run.priority) == (commit, "pull/1", 0)


def test_a_commit_that_is_gone_is_told(farm: Farm) -> None:
    """After a force-push the commit is looked for a few times, and then the event has failed with its reason."""
    event = farm.push("d-1", "ab" * 20)
    for _ in range(3):
        assert farm.event(event).state is EventState.WAITING
        farm.handle(event)
        farm.due_now(event)
    assert farm.event(event).state is EventState.FAILED
    assert "no branch, tag or commit" in str(farm.event(event).reason)
    assert farm.runs() == []


def test_a_source_that_is_no_project_fails_at_once(farm: Farm, repository: Path) -> None:
    """What another try would not mend is not tried again."""
    git(repository, "rm", "--quiet", "tox.ini")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "bare")
    event = farm.push("d-1", git(repository, "rev-parse", "main"))
    farm.handle(event)
    assert farm.event(event).state is EventState.FAILED
    assert "no Python project" in str(farm.event(event).reason)


def test_a_server_that_does_not_answer_is_asked_again(farm: Farm, repository: Path) -> None:
    """Nobody's fault is tried again after a pause, and the event keeps what was said."""
    event = farm.push("d-1", git(repository, "rev-parse", "main"))
    slow = farm.settings.model_copy(update={"git_seconds": 0.0001})
    handle_event(farm.database, farm.sent, slow, event, worker="host:1")  # type: ignore[arg-type]  # see Sent
    waiting = farm.event(event)
    assert (waiting.state, waiting.tries) == (EventState.WAITING, 1)
    assert waiting.not_before is not None
    assert waiting.not_before > now()
    assert due_events(farm.database) == []
    farm.handle(event)
    assert farm.runs() == []
    farm.due_now(event)
    assert due_events(farm.database) == [event]
    farm.handle(event)
    assert len(farm.runs()) == 1


def test_an_event_that_waited_while_the_farm_was_off_has_its_tries(farm: Farm, repository: Path) -> None:
    """A push of Friday that fails at the first try on Monday is tried again, and becomes a run."""
    event = farm.push("d-1", git(repository, "rev-parse", "main"))
    with farm.database.write() as session:
        session.get_one(Event, event).created = now() - timedelta(hours=60)
    away = repository.rename(repository.with_name("away"))
    farm.handle(event)
    assert (farm.event(event).state, farm.event(event).tries) == (EventState.WAITING, 1)
    away.rename(repository)
    farm.due_now(event)
    farm.handle(event)
    assert farm.event(event).state is EventState.DONE


@pytest.mark.parametrize(
    ("tries", "hours", "state"),
    [
        (FEWEST_TRIES - 1, 25, EventState.FAILED),
        (FEWEST_TRIES - 2, 25, EventState.WAITING),
        (FEWEST_TRIES - 1, 23, EventState.WAITING),
    ],
)
def test_an_event_is_given_up_at_last(
    farm: Farm, repository: Path, tries: int, hours: int, state: EventState
) -> None:
    """What fails by nobody's fault ends after a day and as many tries as that has, and not before both."""
    event = farm.push("d-1", git(repository, "rev-parse", "main"))
    with farm.database.write() as session:
        row = session.get_one(Event, event)
        row.created, row.tries = now() - timedelta(hours=hours), tries
    farm.settings = farm.settings.model_copy(update={"git_seconds": 0.0001})
    farm.handle(event)
    assert farm.event(event).state is state
