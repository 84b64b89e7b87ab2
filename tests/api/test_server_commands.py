"""The commands against a farm elsewhere, which a real server serves."""

import json
import stat
import threading
import time

import pytest
from sqlmodel import select

from farm_cli.main import outcome
from farm_cli.servers import logins_file
from farm_scheduler import runs, submissions
from farm_scheduler.access_tables import Submission, SubmissionState
from farm_scheduler.engine import celery_app
from farm_scheduler.roles import LOCAL, Role
from farm_scheduler.tables import Project
from farm_scheduler.tokens import make_token

from ..conftest import fill
from .serving import served

RUN = "r-fin23456"


@pytest.fixture
def farm(settings, database, tmp_path, monkeypatch):
    """The address of a farm with the realistic record; the person's own home is another, and empty."""
    fill(database, settings)
    with served(settings) as client:
        monkeypatch.setenv("WHEELFARM_HOME", str(tmp_path / "person"))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        yield str(client.base_url).rstrip("/")


@pytest.fixture
def token(database, monkeypatch):
    """An admin's token, as `WHEELFARM_TOKEN`."""
    with database.write() as session:
        _, secret = make_token(session, LOCAL, name="person", role=Role.ADMIN)
    monkeypatch.setenv("WHEELFARM_TOKEN", secret)
    return secret


class Worker(threading.Thread):
    """What a worker of that farm does with a submission; the run is then cancelled there, as nothing is baked."""

    def __init__(self, database, settings):
        super().__init__()
        self._farm = (database, celery_app(settings), settings)
        self.found = None

    def run(self):
        """Take the first one."""
        database = self._farm[0]
        deadline = time.monotonic() + 60
        while self.found is None and time.monotonic() < deadline:
            time.sleep(0.1)
            with database.read() as session:
                waiting = select(Submission).where(Submission.state == SubmissionState.WAITING)
                self.found = session.exec(waiting).first()
        submissions.carry_out(*self._farm, self.found.id)
        with database.read() as session:
            accepted = session.get(Submission, self.found.id).state is SubmissionState.ACCEPTED
        if accepted:
            runs.cancel(database, self.found.id)


def test_results_are_those_of_the_farm(farm, capsys):
    """Lists, summaries, files and logs of a farm elsewhere read as those of this machine."""
    assert outcome(["results", "--server", farm]) == 0
    assert "pluggy 1.7.0" in capsys.readouterr().out
    assert outcome(["results", RUN, "--server", farm]) == 0
    text = capsys.readouterr().out
    assert "test_register_validation" in text
    assert "finished, not as expected" in text
    assert outcome(["results", RUN, "--server", farm, "--json"]) == 0
    kinds = [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()]
    assert kinds.count("cell") == 7
    assert outcome(["logs", "j-fin22222", "--server", farm]) == 0
    log = capsys.readouterr().out
    assert log.count("PASSED") == 60
    assert "\x1b" not in log
    assert outcome(["logs", "j-fin22222", "-f", "--server", farm]) == 0
    assert capsys.readouterr().out.count("PASSED") == 60
    assert outcome(["results", "j-fin22222", "--attempt", "1", "--server", farm]) == 0
    job = capsys.readouterr().out
    assert "test_register_validation" in job
    assert "PASSED" in job
    assert outcome(["results", "j-fin22222", "--attempt", "2", "--server", farm]) == 2
    assert outcome(["doctor", "--server", farm]) == 0
    assert "debian-12 ready" in capsys.readouterr().out
    assert outcome(["plan", "six==1.17.0", "--ask-guest", "--server", farm]) == 2
    assert outcome(["images", "--server", farm]) == 0
    assert "3.12" in capsys.readouterr().out


def test_files_of_a_run_are_written(farm, tmp_path, capsys):
    """JUnit and the evidence of a run elsewhere become files here."""
    junit, stream = tmp_path / "j.xml", tmp_path / "s.subunit"
    options = ["--junit", str(junit), "--subunit", str(stream)]
    assert outcome(["results", RUN, "--server", farm, *options]) == 0
    assert "<testsuites" in junit.read_text("utf-8")
    assert stream.stat().st_size
    assert capsys.readouterr().err == ""


def test_a_person_logs_in(farm, token, monkeypatch, capsys):
    """A good token is kept where only its owner can read it, a wrong one is not, and one is forgotten."""
    monkeypatch.delenv("WHEELFARM_TOKEN")
    assert _login(monkeypatch, farm, "wf_wrong") == 2
    assert not logins_file().exists()
    assert _login(monkeypatch, farm, token) == 0
    out = capsys.readouterr().out
    assert "as admin" in out
    assert token not in out
    assert stat.S_IMODE(logins_file().stat().st_mode) == 0o600
    assert outcome(["cancel", "r-run23456", "--server", farm]) == 0
    assert outcome(["login", farm, "--forget"]) == 0
    assert token not in logins_file().read_text()


def _login(monkeypatch, farm, token):
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.StringIO(token + "\n"))
    return outcome(["login", farm])


@pytest.mark.usefixtures("token")
def test_a_folder_is_run_elsewhere(farm, database, settings, tmp_path, capsys):
    """It is sent, checked there, followed, and its cancellation there ends the command with 130."""
    project = tmp_path / "my project"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "1"\n')
    (project / "test_a.py").write_text("def test_a(): pass\n")
    worker = Worker(database, settings)
    worker.start()
    code = outcome(["run", str(project), "--python", "3.12", "--server", farm])
    worker.join(timeout=60)
    out = capsys.readouterr().out
    assert (code, "demo 1" in out) == (130, True), out
    assert "py3.12" in out


@pytest.mark.usefixtures("token")
def test_what_the_farm_refuses_is_one_sentence(farm, database, settings, tmp_path, capsys):
    """A source that cannot be used, a run that is not there, and a wrong address end with 2 or 3."""
    bad = tmp_path / "demo-1.0.tar.gz"
    bad.write_bytes(b"\x1f\x8b no archive")
    worker = Worker(database, settings)
    worker.start()
    assert outcome(["run", str(bad), "--server", farm]) == 2
    worker.join(timeout=60)
    assert "damaged" in capsys.readouterr().err
    assert outcome(["results", "r-22222222", "--server", farm]) == 2
    assert "there is no run" in capsys.readouterr().err
    assert outcome(["results", "--server", "http://127.0.0.1:9"]) == 3
    assert outcome(["results", "--server", "http://farm.example"]) == 2
    assert "in the clear" in capsys.readouterr().err
    assert outcome(["results", "--server", "nonsense"]) == 2


def test_a_command_without_a_token_says_how_to_get_one(farm, capsys):
    """What needs a token is refused with the command that keeps one."""
    assert outcome(["cancel", "r-run23456", "--server", farm]) == 2
    assert f"wheelfarm login {farm}" in capsys.readouterr().err


@pytest.mark.usefixtures("token")
def test_tokens_are_made_here_and_elsewhere(farm, capsys):
    """`token` prints the secret alone on stdout, once, and lists without it."""
    for where in ([], ["--server", farm]):
        assert outcome(["token", "make", "ci", "--role", "reader", *where]) == 0
        made = capsys.readouterr()
        secret = made.out.strip()
        assert secret.startswith("wf_")
        name = made.err.split()[1].rstrip(":")
        assert outcome(["token", "list", *where]) == 0
        listed = capsys.readouterr().out
        assert name in listed
        assert secret not in listed
        assert outcome(["token", "revoke", name, *where]) == 0
        capsys.readouterr()
    assert outcome(["token", "make", "ci", "--role", "maintainer"]) == 2


def test_the_queue_there_is_shown_as_the_one_here(farm, capsys):
    """The same lines and objects, from the farm elsewhere; more than it tells is refused."""
    assert outcome(["queue", "--server", farm]) == 0
    assert "1 job waits; " in capsys.readouterr().out
    assert outcome(["queue", "--server", farm, "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (told[0]["waiting"], told[1]["run"]) == (1, "r-run23456")
    assert outcome(["queue", "--server", farm, "-n", "501"]) == 2


def test_a_project_there_is_paused(farm, token, database, capsys):
    """`project change --server` changes the farm elsewhere, and needs a token for it."""
    del token
    with database.write() as session:
        session.add(Project(name="six"))
    assert outcome(["project", "change", "Six", "--pause", "--quota", "1", "--server", farm]) == 0
    assert "six has weight 1 and quota 1; it is paused" in capsys.readouterr().out
    assert outcome(["project", "change", "nobody", "--pause", "--server", farm]) == 2
