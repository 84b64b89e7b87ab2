"""The audit log of what is done at the farm's own host: who, what, to what, in the transaction that does it."""

import pytest
from sqlmodel import select

from farm_cli.record import Record, local_caller
from farm_cli.run_follower import NewRun
from farm_scheduler import runs as farm_runs
from farm_scheduler.access_tables import AuditEntry
from farm_scheduler.errors import TargetError
from farm_scheduler.plan import Narrowing
from farm_scheduler.reruns import rerun
from farm_scheduler.roles import Caller, Role
from farm_scheduler.sources import source_path
from farm_scheduler.tables import Run
from farm_scheduler.triggers import Cause

JOB, RUN = "j-fin22222", "r-fin23456"
ME = Caller(actor="local:me", role=Role.ADMIN)


class Sent:
    """An engine that keeps nothing; the real one is in tests/services."""

    def send_task(self, _name, args=(), **_):
        """Take one message."""
        del args


def noted(database):
    """The audit log, oldest first."""
    with database.read() as session:
        found = session.exec(select(AuditEntry).order_by(AuditEntry.id)).all()
    return [(each.actor, each.action, each.subject, each.project) for each in found]


def submit(database, settings, folder, cause):
    """A run of a folder."""
    (folder / "tox.ini").write_text("[tox]\nenv_list = py311\n")
    return farm_runs.submit(database, Sent(), settings, str(folder), Narrowing(), cause=cause)


def test_a_run_and_its_end_are_noted(runs, settings, tmp_path):
    """A run that a person asks for is noted with its priority kept, and its cancellation once."""
    run = submit(runs, settings, tmp_path, Cause(caller=ME, priority=3))
    for _ in range(2):
        farm_runs.cancel(runs, run.id, ME)
    assert noted(runs) == [
        ("local:me", "run.submit", run.id, run.project), ("local:me", "run.cancel", run.id, run.project),
    ]  # fmt: skip
    with runs.read() as session:
        assert session.get_one(Run, run.id).priority == 3


def test_a_rerun_is_noted(runs, settings):
    """A job that is run again is noted with its run's project."""
    source_path(settings, "0" * 64).write_bytes(b"")
    rerun(runs, Sent(), settings, JOB, caller=ME)
    assert noted(runs) == [("local:me", "job.rerun", JOB, "pluggy")]


def test_what_nobody_asked_for_is_not_noted(runs, settings, tmp_path):
    """A run of an event is in the events, a refused one nowhere, and neither in the audit log."""
    submit(runs, settings, tmp_path, Cause())
    with pytest.raises(TargetError):
        farm_runs.submit(runs, Sent(), settings, "./nowhere", Narrowing(), cause=Cause(caller=ME))
    farm_runs.cancel(runs, RUN, ME)  # has ended
    assert noted(runs) == []


@pytest.mark.parametrize(
    ("name", "actor"), [("alice", "local:alice"), ("Dom\\Bob Smith", "local:dom-bob-smith"), ("", None)]
)
def test_the_person_behind_sudo_is_named(monkeypatch, name, actor):
    """Root who was called by sudo is the one who called, in letters that the log is searched by."""
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", name)
    assert local_caller().actor == (actor or "local:root")


def test_the_command_gives_a_run_its_priority_and_its_person(runs, settings, tmp_path):
    """`wheelfarm run --priority 3` records both, as whoever calls it."""
    (tmp_path / "tox.ini").write_text("[tox]\nenv_list = py311\n")
    wish = NewRun(target=str(tmp_path), narrowing=Narrowing(), priority=3)
    wish.submit(Record(settings=settings, database=runs), Sent(), "r-22222222")
    with runs.read() as session:
        assert session.get_one(Run, "r-22222222").priority == 3
    assert noted(runs)[0][:3] == (local_caller().actor, "run.submit", "r-22222222")
