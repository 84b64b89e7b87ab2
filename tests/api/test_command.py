"""The `wheelfarm` command as a person meets it, without the service."""

import json
import subprocess
import sys

import pytest

from farm_cli import main


@pytest.fixture
def wheelfarm(settings, capsys):
    """Runs a command line; (exit code, stdout, stderr)."""
    del settings

    def run(*arguments):
        code = main.outcome(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.mark.parametrize("name", list(main.COMMANDS))
def test_every_subcommand_has_help_worth_reading(wheelfarm, name):
    """`--help` says what it does, and the list of commands says the same in a line."""
    code, out, _ = wheelfarm(name, "--help")
    assert code == 0
    assert len(out.splitlines()) > 6


def test_the_list_of_commands_is_complete(wheelfarm):
    """`--help` names every subcommand, examples and the exit codes."""
    _, out, _ = wheelfarm("--help")
    assert all(name in out for name in [*main.COMMANDS, "Examples", "130"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run",),
        ("run", "--nonsense", "six"),
        ("run", "six==not a version"),
        ("run", "./no-such-folder"),
        ("run", "not/../here"),
        ("plan", "six", "--python", "3.12"),
        ("logs", "j-nonsense"),
        ("cancel", "r-nonsense"),
        ("results", "r-nonsense"),
        ("up", "--port", "0"),
    ],
)
def test_wrong_use_is_one_sentence(wheelfarm, arguments):
    """What cannot be used ends with exit code 2 and one line on stderr that says why."""
    code, out, err = wheelfarm(*arguments)
    assert code == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("wheelfarm: ")


def test_a_setting_that_cannot_be_used_is_named(wheelfarm, monkeypatch):
    """A wrong value of a variable is wrong use, and the sentence names the variable."""
    monkeypatch.setenv("WHEELFARM_SLOTS", "many")
    code, _, err = wheelfarm("results")
    assert code == 2
    assert "WHEELFARM_SLOTS" in err


def test_a_home_that_cannot_be_written_is_the_farms_fault(wheelfarm, monkeypatch, tmp_path):
    """A home below a file gives exit code 3 and the variable to set."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("WHEELFARM_HOME", str(tmp_path / "file" / "home"))
    code, _, err = wheelfarm("results")
    assert code == 3
    assert "WHEELFARM_HOME" in err


def test_the_unexpected_is_one_sentence_and_a_file(wheelfarm, monkeypatch, settings):
    """A defect of the farm shows no traceback, and names the file that has it."""
    monkeypatch.setitem(main.COMMANDS, "results", ("farm_cli.no_such_module", ""))
    code, _, err = wheelfarm("results")
    assert code == 3
    assert len(err.splitlines()) == 1
    (log,) = settings.logs.glob("crash-*.log")
    assert str(log) in err
    assert "Traceback" in log.read_text()


def test_results_lists_and_shows(wheelfarm, runs):
    """Without a run the newest are listed, with one its summary is shown."""
    del runs
    code, out, _ = wheelfarm("results")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["r-run23456", "r-fin23456", "r-can23456"]
    code, out, _ = wheelfarm("results", "r-fin23456")
    assert code == 0
    assert "install-failed" in out


def test_results_as_json_end_with_a_summary(wheelfarm, runs):
    """`results RUN --json` gives the objects of `run --json` for a run that has ended."""
    del runs
    _, out, _ = wheelfarm("results", "r-fin23456", "--json")
    documents = [json.loads(line) for line in out.splitlines()]
    assert documents[-1]["type"] == "summary"
    assert documents[-1]["verdicts"]["passed"] == 1
    assert {entry["verdict"] for entry in documents[-1]["bad"]} == {
        "install-failed",
        "failed",
        "lost",
        "timed-out",
    }


def test_logs_are_whole_and_harmless(wheelfarm, runs):
    """The log of a job is printed from its stream, without its escape sequences."""
    del runs
    code, out, _ = wheelfarm("logs", "j-fin22222")
    assert code == 0
    assert out.count("PASSED") == 60
    assert "\x1b" not in out
    assert "\\u202e" in out


def test_a_job_without_a_log_is_told_so(wheelfarm, runs):
    """A job that waits has no log yet, and the sentence says how to wait for it."""
    del runs
    code, _, err = wheelfarm("logs", "j-run22223")
    assert code == 2
    assert "-f" in err


def test_images_are_listed_with_their_interpreters(wheelfarm, runs):
    """Each image has a line, and each of its interpreters one."""
    del runs
    _, out, _ = wheelfarm("images")
    assert out.splitlines()[0].startswith("debian-12  ready  ab12")
    assert len(out.splitlines()) == 3


def test_cancelling_what_has_ended_changes_nothing(wheelfarm, runs):
    """Cancelling a finished run says what it is."""
    del runs
    code, out, _ = wheelfarm("cancel", "r-fin23456")
    assert code == 0
    assert out == "run r-fin23456 is finished already; nothing was changed\n"


def test_a_reader_that_goes_away_is_no_error(settings, runs):
    """`wheelfarm results | head -1` ends without a word."""
    del runs
    command = f"{sys.executable} -m farm_cli results r-fin23456 --json | head -1"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "WHEELFARM_HOME": str(settings.home)},
    )
    assert done.stderr == ""
