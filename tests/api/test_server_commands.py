"""The commands against a farm elsewhere, which a real server serves."""

import io
import json
import os
import stat
import threading
import time

import pytest
from sqlmodel import select

from farm_cli.main import outcome
from farm_cli.servers import logins_file
from farm_scheduler import runs, submissions
from farm_scheduler.access_tables import AuditEntry, Submission, SubmissionState
from farm_scheduler.engine import celery_app
from farm_scheduler.roles import LOCAL, Role
from farm_scheduler.tokens import make_token
from wheelfarm_client import Farm, ProblemError, UnreachableError

RUN = "r-fin23456"


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


@pytest.mark.parametrize(
    "away",
    [(3, ProblemError(502, "http", "", {}), 130), (9999, UnreachableError("it does not answer"), 3)],
)
@pytest.mark.usefixtures("token")
def test_a_farm_that_goes_away_is_asked_again(farm, database, settings, monkeypatch, capsys, away):
    """When it comes back the run is followed to its end; when it does not, one is told how to see it."""
    times, problem, expected = away
    answers, real = [problem] * times, Farm.get_report

    def get_report(*arguments, **named):
        if answers:
            raise answers.pop()
        return real(*arguments, **named)

    monkeypatch.setattr(Farm, "get_report", get_report)
    monkeypatch.setattr("farm_cli.server_run.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("farm_cli.server_run.AWAY_SECONDS", 2.0)
    project = settings.home / "project"
    project.mkdir()
    (project / "setup.py").write_text("")
    worker = Worker(database, settings)
    worker.start()
    assert outcome(["run", str(project), "--python", "3.12", "--server", farm]) == expected
    worker.join(timeout=60)
    said = capsys.readouterr()
    assert f"{farm} does not answer; it is asked again for a minute" in said.out
    assert (f"see it with: wheelfarm results {worker.found.id} --server {farm}" in said.err) == (
        expected == 3
    )


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


@pytest.mark.parametrize(
    "address",
    [
        "http://[::1",
        "https://xn--",
        "https://[v1.x]",
        "https://[::1",
        "https://h:x",
        "https://h:70000",
        "https://",
        "https://.",
        "https://h\x01",
    ],
)
def test_what_is_no_address_is_one_sentence(settings, capsys, address):
    """It is wrong use, and nothing is asked."""
    del settings
    for arguments in (["login", address], ["queue", "--server", address]):
        assert outcome(arguments) == 2
        said = capsys.readouterr().err
        assert "is no address of a farm" in said
        assert said.count("\n") == 1


@pytest.mark.parametrize("token", ["wf_\u00e9", "wf_a\nX: y", "wf_a\r", "wf a", "wf_a\n"])
def test_what_is_no_token_is_not_shown(farm, monkeypatch, capsys, token):
    """It is refused before anything is asked, in a sentence without it."""
    monkeypatch.setenv("WHEELFARM_TOKEN", token)
    assert outcome(["results", "--server", farm]) == 2
    said = capsys.readouterr().err
    assert "the token is none" in said
    assert "wf" not in said
    assert said.count("\n") == 1


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


@pytest.mark.usefixtures("token")
def test_the_garbage_there_is_removed(farm, settings, database, capsys):
    """`gc --server` says what would go, removes it there, and is for admins."""
    old = settings.streams / "a-22222222.subunit"
    old.write_bytes(b"x" * 5000)
    os.utime(old, (0, 0))
    assert outcome(["gc", "--dry-run", "--server", farm]) == 0
    said = capsys.readouterr().out
    assert "a-22222222.subunit" in said
    assert "would free" in said
    assert old.exists()
    assert outcome(["gc", "--server", farm]) == 0
    assert "freed" in capsys.readouterr().out
    assert not old.exists()
    assert outcome(["gc", "--server", farm]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    with database.read() as session:
        noted = session.exec(select(AuditEntry).where(AuditEntry.action == "garbage.remove")).all()
    assert len(noted) == 1


def test_the_garbage_there_is_the_admins(farm, database, monkeypatch, capsys):
    """A maintainer neither sees nor removes it."""
    with database.write() as session:
        _, secret = make_token(session, LOCAL, name="m", role=Role.MAINTAINER, project="six")
    monkeypatch.setenv("WHEELFARM_TOKEN", secret)
    for more in ([], ["--dry-run"]):
        assert outcome(["gc", *more, "--server", farm]) == 2
        assert "needs the role admin" in capsys.readouterr().err


def test_the_capacity_there_is_simulated_here(farm, capsys):
    """The recorded times and the number of machines are those of the farm elsewhere."""
    assert outcome(["capacity", "--run", RUN, "--server", farm, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["machines"], told["jobs"]) == (os.cpu_count(), 7)
    assert outcome(["capacity", "--run", "r-22222222", "--server", farm]) == 2


def test_a_priority_there_is_bounded_by_the_role(farm, database, monkeypatch, capsys):
    """A submitter asks for no head start; to wait behind others is anybody's to ask for."""
    with database.write() as session:
        _, secret = make_token(session, LOCAL, name="s", role=Role.SUBMITTER)
    monkeypatch.setenv("WHEELFARM_TOKEN", secret)
    assert outcome(["run", "six==1.17.0", "--priority", "1", "--server", farm]) == 2
    assert "priority" in capsys.readouterr().err
    with database.read() as session:
        assert session.exec(select(Submission)).first() is None
    assert outcome(["run", "six==1.17.0", "--priority", "25", "--server", farm]) == 2


@pytest.mark.parametrize("arguments", [["up"], ["completion", "bash"], ["shell", "j-fin22222"], ["login"]])
def test_commands_about_this_machine_say_so(settings, capsys, arguments):
    """With --server they are refused in one sentence, with exit code 2."""
    del settings
    assert outcome([*arguments, "--server", "https://farm.example"]) == 2
    said = capsys.readouterr().err
    assert f"`{arguments[0]}` takes no --server" in said
    assert said.count("\n") == 1
