"""A real Pagure: what it sends is read, what it is told it shows, and a push leads to a flag on its commit."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from tests.api.webhooks.conftest import served
from tests.services.test_engine_tasks import wait_for
from tests.workers.told_farm import Farm

from farm_scheduler.database import Database
from farm_scheduler.event_tables import Delivery, Event
from farm_scheduler.feedback_tables import Channel, ReportState
from farm_scheduler.listeners import add_listener
from farm_scheduler.project_secrets import add_secret
from farm_scheduler.projects import add_project
from farm_scheduler.secret_box import secret_box
from farm_scheduler.settings import Settings
from farm_scheduler.states import RunState
from farm_scheduler.tables import Project, Run

from .local_pagure import Pagure, PagureProject, git

NAMES = iter(f"demo-{number}" for number in range(1, 100))


class Doors:
    """A farm whose doors a real server serves, and a project of it that is at Pagure."""

    def __init__(self, pagure: Pagure, database: Database, settings: Settings, url: str) -> None:
        self.pagure, self.database, self.settings = pagure, database, settings
        self.name = next(NAMES)
        self.there: PagureProject = pagure.create_project(self.name, f"{url}/webhooks/pagure")
        with database.write() as session:
            project = add_project(session, self.name, self.there.repository, "pagure")
            add_secret(session, secret_box(settings), project.id, self.there.secret)

    def events(self, count: int) -> list[Event]:
        """The events, once there are so many, oldest first."""
        wait_for(lambda: len(self._rows(Event)) >= count)
        return sorted(self._rows(Event), key=lambda event: event.created)

    def deliveries(self) -> list[str]:
        """What came of each delivery."""
        return [each.reason or each.kind for each in self._rows(Delivery)]

    def _rows(self, table: Any) -> list[Any]:
        with self.database.read() as session:
            return list(session.exec(select(table)))


@pytest.fixture
def settings(settings: Settings, pagure: Pagure) -> Settings:
    """A farm that may ask this Pagure."""
    update = {"git_hosts": (pagure.host,), "public_url": "https://farm.example/"}
    return settings.model_copy(update=update)


@pytest.fixture
def doors(pagure: Pagure, database: Database, settings: Settings) -> Iterator[Doors]:
    """Open doors; messages stay with the engine, which is not there."""
    with served(settings.model_copy(update={"redis_url": "memory://"})) as client:
        yield Doors(pagure, database, settings, str(client.base_url).rstrip("/"))


def test_a_push_is_an_event(doors: Doors, work: Path) -> None:
    """A branch that is pushed is signed by Pagure with the project's key, and becomes an event of its commit."""
    commit = doors.pagure.push(work, doors.name)
    (event,) = doors.events(1)
    assert (event.trigger, event.ref, event.revision) == ("push", "main", commit)
    assert event.target == f"git+{doors.there.repository}"


def test_a_tag_and_a_new_branch_are_told_apart(doors: Doors, work: Path) -> None:
    """A tag is an event of a tag, a new branch with commits is one push, and a branch that goes is none."""
    doors.pagure.push(work, doors.name)
    doors.events(1)
    git(work, "tag", "-a", "-m", "v1", "v1")
    doors.pagure.push(work, doors.name, "v1")
    assert [(event.trigger, event.ref) for event in doors.events(2)][1:] == [("tag", "v1")]
    git(work, "commit", "-q", "--allow-empty", "-m", "two")
    commit = doors.pagure.push(work, doors.name, "HEAD:refs/heads/more")
    assert (doors.events(3)[2].ref, doors.events(3)[2].revision) == ("more", commit)
    doors.pagure.push(work, doors.name, ":refs/heads/more")
    wait_for(lambda: any("branch.deletion" in each for each in doors.deliveries()))
    assert len(doors.events(3)) == 3


def test_a_pull_request_of_a_fork_is_an_event(doors: Doors, work: Path) -> None:
    """A request from a fork names the fork's commit and its repository on the same host; so does its next push."""
    doors.pagure.push(work, doors.name)
    doors.events(1)
    fork = doors.pagure.fork(doors.name)
    git(work, "commit", "-q", "--allow-empty", "-m", "mended")
    commit = doors.pagure.push(work, fork, "HEAD:refs/heads/mended", user="friend")
    number = doors.pagure.request_pull(doors.name, "mended", "friend", fork)
    event = doors.events(2)[1]
    assert (event.trigger, event.ref, event.revision) == ("pull-request", f"pull/{number}", commit)
    assert event.target == f"git+{doors.pagure.url}{fork}.git"


def test_a_wrong_key_is_refused(doors: Doors, work: Path) -> None:
    """What Pagure signs with another key than the farm was given is refused, and leads to nothing."""
    with doors.database.write() as session:
        project = session.exec(select(Project)).one()
        for _ in range(2):
            add_secret(session, secret_box(doors.settings), project.id)
    before = doors.pagure.refused()
    doors.pagure.push(work, doors.name)
    wait_for(lambda: doors.pagure.refused() > before)
    assert doors.events(0) == []


@pytest.mark.parametrize(
    "outcome",
    [
        (0, RunState.FINISHED, "success"),
        (1, RunState.FINISHED, "failure"),
        (3, RunState.FINISHED, "error"),
        (130, RunState.CANCELLED, "canceled"),
    ],
)
def test_a_commit_has_one_flag_that_is_kept_up(
    pagure: Pagure, database: Database, settings: Settings, work: Path, outcome: tuple[int, RunState, str]
) -> None:
    """Pagure shows that a run waits, and then on the same flag each way in which it may end."""
    code, state, word = outcome
    name = next(NAMES)
    there = pagure.create_project(name)
    commit = pagure.push(work, name)
    farm = Farm(database, settings, pagure.host)
    farm.project("pagure")
    with database.write() as session:
        session.get_one(Project, "p-1").repository = there.repository
    farm.listen(Channel.STATUS, token=pagure.token)
    run_id = farm.run(None, RunState.QUEUED)
    farm.change(run_id, revision=commit)
    farm.tell()
    assert [flag["status"] for flag in pagure.flags(name, commit)] == ["pending"]
    farm.finish(run_id, code)
    farm.change(run_id, state=state)
    farm.tell()
    (flag,) = pagure.flags(name, commit)
    assert (flag["status"], flag["username"]) == (word, "wheelfarm")
    assert flag["url"] == f"https://farm.example/runs/{run_id}"
    assert {report.state for report in farm.reports()} == {ReportState.DONE}


def test_a_push_leads_to_a_flag_on_its_commit(
    doors: Doors, worker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, work: Path
) -> None:
    """From `git push` over webhook, event, clone, plan and jobs (without machines) to a green flag on the commit."""
    monkeypatch.setenv("WHEELFARM_GIT_HOSTS", doors.pagure.host)
    monkeypatch.setenv("WHEELFARM_PUBLIC_URL", "https://farm.example/")
    with doors.database.write() as session:
        project = session.exec(select(Project)).one()
        box = secret_box(doors.settings)
        add_listener(session, box, project, Channel.STATUS, token=doors.pagure.token)
    worker(takes=0.2)
    commit = doors.pagure.push(work, doors.name)

    def words() -> list[str]:
        return [flag["status"] for flag in doors.pagure.flags(doors.name, commit)]

    wait_for(lambda: words() == ["success"], 120)
    with doors.database.read() as session:
        (run,) = session.exec(select(Run))
    assert (run.revision, run.ref, run.exit_code) == (commit, "main", 0)
    (flag,) = doors.pagure.flags(doors.name, commit)
    assert flag["comment"] == "3 passed"
    assert json.dumps(flag).count(run.id) == 1
