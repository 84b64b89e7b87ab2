"""Events, with a real worker on a real Redis: from a signed push to jobs at work."""

import subprocess
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from farm_api.application import create_app
from farm_scheduler.deliveries import Incoming, Notice, record_delivery
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.events import PUBLISH_AGAIN
from farm_scheduler.project_secrets import add_secret
from farm_scheduler.secret_box import secret_box
from farm_scheduler.states import RunState
from farm_scheduler.tables import Project, Run, now
from farm_scheduler.triggers import Trigger

from .test_engine_tasks import (
    app,
    attempts,
    database,
    redis,
    settings,
    submit,
    wait_for,
    worker,
)

__all__ = ["app", "database", "redis", "settings", "worker"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a project."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "tox.ini").write_text("[tox]\nenv_list = py310, py311, py312\n")
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"]):
        git(folder, *command)
    return folder


def git(folder: Path, *command: str) -> str:
    """Run git in a folder."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    argv = ["git", "-C", str(folder), *who, *command]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def follow(database, settings, repository):
    """A project whose forge sends github's payloads, and its secret."""
    with database.write() as session:
        address, url = "github.com/codertocat/hello-world", f"file://{repository}"
        session.add(Project(id="p-1", name="demo", forge="github", repository=url, address=address))
        session.flush()
        return add_secret(session, secret_box(settings), "p-1")


def state_of_event(database):
    """Where the only event stands."""
    with database.read() as session:
        return session.exec(select(Event)).one().state


def runs_of(database):
    """All runs."""
    with database.read() as session:
        return list(session.exec(select(Run)))


def test_a_signed_push_runs_to_its_end(database, settings, worker, repository) -> None:
    """A push at the door becomes jobs at work within moments, and a run of that commit that ends."""
    import anyio

    from ..api.webhooks.conftest import PAYLOADS, signed

    secret = follow(database, settings, repository)
    commit = git(repository, "rev-parse", "HEAD")
    body = (PAYLOADS / "github-push-branch.json").read_bytes()
    body = body.replace(b"6113728f27ae82c7b1a177c8d03f9e96e0adf246", commit.encode())
    worker(takes=0.2)

    async def push():
        transport = httpx.ASGITransport(create_app(settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://farm") as client:
            headers = signed("github", body, secret, "push", "d-1")
            return await client.post("/webhooks/github", content=body, headers=headers)

    assert anyio.run(push).status_code == 202
    wait_for(lambda: [run.state for run in runs_of(database)] == [RunState.FINISHED])
    (run,) = runs_of(database)
    assert (run.trigger, run.revision, run.ref, run.exit_code) == (Trigger.PUSH, commit, "master", 0)
    assert state_of_event(database) is EventState.DONE


def test_a_lost_message_loses_no_event(database, settings, worker, repository) -> None:
    """An event whose message was never sent is found by the sweep."""
    follow(database, settings, repository)
    tell(database, repository)
    with database.write() as session:
        session.exec(select(Event)).one().published = now() - PUBLISH_AGAIN - timedelta(seconds=1)
    worker()
    wait_for(lambda: state_of_event(database) is EventState.DONE)


def test_an_event_does_not_wait_for_the_end_of_a_job(database, app, settings, worker, repository) -> None:
    """With every slot at work for long, an event is handled nevertheless, and its jobs wait in line."""
    follow(database, settings, repository)
    worker(takes=600)
    submit(database, app, settings)
    wait_for(lambda: len(attempts(database)) == 2)
    began = time.monotonic()
    event = tell(database, repository)
    app.send_task("wheelfarm.event", args=[event], queue="wheelfarm")
    wait_for(lambda: state_of_event(database) is EventState.DONE, 30)
    assert time.monotonic() - began < 30
    assert len(attempts(database)) == 2


def tell(database, repository):
    """A push that a door recorded; its event."""
    target = f"git+file://{repository}"
    notice = Notice(
        trigger=Trigger.PUSH, target=target, ref="main", revision=git(repository, "rev-parse", "HEAD")
    )
    incoming = Incoming(forge="github", delivery_id="d-1", project_id="p-1", kind="push", notices=[notice])
    (event,) = record_delivery(database, incoming) or ()
    return event
