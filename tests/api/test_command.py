"""The `wheelfarm` command as a person meets it, without the service."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from farm_cli import main
from farm_cli.completion_script import NAMES
from farm_scheduler.tables import Image


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
        ("logs", "j-nonsense"),
        ("cancel", "r-nonsense"),
        ("results", "r-nonsense"),
        ("results", "--junit", "x.xml"),
        ("results", "r-nonsense", "--junit", "-"),
        ("results", "r-nonsense", "--junit", "-", "--subunit", "-"),
        ("results", "r-nonsense", "--junit", "-", "--json"),
        ("rerun", "j-nonsense"),
        ("completion", "tcsh"),
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


@pytest.fixture
def systems(runs, monkeypatch):
    """A farm of two systems, one of them baked, with a Python that works and others that are less plain."""
    monkeypatch.setenv("WHEELFARM_SYSTEMS", "debian-12, debian-13")
    tags = ["cp314-cp314t-linux_x86_64", "cp314-none-any", "py3-none-any"]
    with runs.write() as session:
        image = session.get(Image, "debian-12")
        image.note = "uv could not fetch 3.15: no network"
        image.interpreters = [
            {"version": "3.11.13", "implementation": "PyPy", "works": True, "path": "/usr/bin/pypy3"},
            {"version": "3.14.1", "implementation": "CPython", "threaded": True, "works": True, "tags": tags},
            {"version": "3.9.1", "works": False, "reason": "lacks ssl\x1b[2J"},
            {"version": "3.10.1", "works": True, "provider": "pyenv", "tags": ["cp310-cp310-linux_x86_64"]},
        ]


def test_images_are_listed_with_their_interpreters(wheelfarm, systems):
    """Each image has a head and a table of its Pythons; one that is not baked says what it should have."""
    del systems
    _, out, _ = wheelfarm("images")
    lines = out.splitlines()
    assert lines[0].startswith("debian-12  ready  ab12ab12ab12  baked ")
    assert [line.split()[0] for line in lines[1:6]] == ["python", "3.9", "3.10", "3.14t", "pypy3.11"]
    assert "  3.10      CPython 3.10.1  pyenv  cp310-cp310" in lines
    assert "  3.14t     CPython 3.14.1         cp314-cp314t" in lines
    assert "does not work: lacks ssl" in lines[2]
    assert lines[6] == "  note: uv could not fetch 3.15: no network"
    assert lines[8:] == [
        "debian-13  missing",
        "  the first run that needs it bakes it, in about 3 min",
        "  it should have Python 3.13",
    ]
    assert "\x1b" not in out


def test_images_tell_all_tags(wheelfarm, systems):
    """`-v` has paths and every tag."""
    del systems
    lines = wheelfarm("images", "-v")[1].splitlines()
    assert {"    cp314-cp314t-linux_x86_64", "    py3-none-any", "    /usr/bin/pypy3"} <= set(lines)


def test_images_as_json_are_documented(wheelfarm, systems, root):
    """`--json` gives an object for each system, whose every field stands in docs/json-lines.md."""
    del systems
    documents = [json.loads(line) for line in wheelfarm("images", "--json")[1].splitlines()]
    assert [(each["type"], each["name"], each["state"]) for each in documents] == [
        ("system", "debian-12", "ready"),
        ("system", "debian-13", "missing"),
    ]
    assert documents[1]["expected"] == ["3.13"]
    threaded = documents[0]["interpreters"][2]
    assert (threaded["name"], threaded["threaded"], len(threaded["tags"])) == ("3.14t", True, 3)
    page = (root / "docs/json-lines.md").read_text("utf-8").partition("### `system`")[2]
    fields = {*documents[0], *threaded} - {"schema_version", "type"}
    assert [field for field in sorted(fields) if f"`{field}`" not in page] == []


def test_cancelling_what_has_ended_changes_nothing(wheelfarm, runs):
    """Cancelling a finished run says what it is."""
    del runs
    code, out, _ = wheelfarm("cancel", "r-fin23456")
    assert code == 0
    assert out == "run r-fin23456 is finished already; nothing was changed\n"


def test_results_may_be_narrowed_to_what_failed(wheelfarm, runs):
    """`--failed` shows the cells to look into and no other; without a run, the runs that ended unexpectedly."""
    del runs
    _, out, _ = wheelfarm("results", "r-fin23456", "--failed")
    assert "py3.12 · debian-12" in out
    assert "py3.10 · debian-12" not in out
    _, out, _ = wheelfarm("results", "r-fin23456", "--failed", "--json")
    cells = [found for line in out.splitlines() if (found := json.loads(line))["type"] == "cell"]
    assert {cell["verdict"] for cell in cells} == {"install-failed", "failed", "lost", "timed-out"}
    _, out, _ = wheelfarm("results", "--failed")
    assert [line.split()[0] for line in out.splitlines()] == ["r-fin23456", "r-can23456"]


def test_results_are_written_as_files(wheelfarm, runs, tmp_path):
    """Both files are written beside the summary, whole, and nothing else is left in their folder."""
    del runs
    files = {"--junit": tmp_path / "report.xml", "--subunit": tmp_path / "evidence"}
    arguments = [str(part) for pair in files.items() for part in pair]
    code, out, err = wheelfarm("results", "r-fin23456", *arguments)
    assert (code, err) == (0, "")
    assert "r-fin23456" in out
    assert sorted(tmp_path.glob("[!h]*")) == sorted(files.values())
    assert files["--junit"].read_bytes().startswith(b"<?xml")
    assert files["--subunit"].read_bytes().startswith(b"\xb3")


def test_a_file_that_cannot_be_written_is_wrong_use(wheelfarm, runs, tmp_path):
    """A folder that is not there gives one sentence that names the file."""
    del runs
    code, out, err = wheelfarm("results", "r-fin23456", "--junit", str(tmp_path / "no" / "x.xml"))
    assert (code, out) == (2, "")
    assert "x.xml cannot be written" in err


def test_a_file_may_be_stdout(settings, runs):
    """With `-` nothing but the file is on stdout."""
    del runs
    environment = {"PATH": "/usr/bin:/bin", "WHEELFARM_HOME": str(settings.home)}
    argv = [sys.executable, "-m", "farm_cli", "results", "r-fin23456", "--junit", "-"]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=True, env=environment)
    assert ElementTree.fromstring(done.stdout).tag == "testsuites"


def test_a_rerun_that_cannot_be_is_one_sentence(wheelfarm, runs):
    """A job that runs is refused before any service is started."""
    del runs
    code, _, err = wheelfarm("rerun", "j-run22221")
    assert code == 2
    assert err == "wheelfarm: job j-run22221 is running; it can be run again when it has ended\n"


def test_cancelling_says_what_it_did(wheelfarm, runs):
    """Each kind of job of the run is counted, once and again the second time."""
    del runs
    _, out, _ = wheelfarm("cancel", "r-run23456")
    assert out == (
        "run r-run23456 is being cancelled (1 never starts; 2 at work are stopped; 1 had ended and keeps its verdict); "
        "no service is up, so it ends when the next one starts\n"
    )
    _, out, _ = wheelfarm("cancel", "r-run23456")
    assert out.startswith("run r-run23456 is being cancelled already (2 at work are stopped; 2 had ended")


def test_garbage_is_told_before_it_goes(wheelfarm, runs, settings, monkeypatch):
    """A dry run names what would go with its size and removes nothing; the real one says what it freed."""
    del runs
    monkeypatch.setenv("WHEELFARM_KEEP_EVIDENCE_DAYS", "0")
    code, out, _ = wheelfarm("gc", "--dry-run")
    assert code == 0
    assert out.count("evidence ") == 7
    assert "would free" in out.splitlines()[-1]
    assert len(list(settings.streams.iterdir())) == 7
    _, out, _ = wheelfarm("gc")
    assert out.splitlines()[-1].startswith("freed ")
    assert list(settings.streams.iterdir()) == []
    assert wheelfarm("gc")[1] == "nothing to remove\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(wheelfarm, shell):
    """The script names the program that it calls, both its names, and the variable that asks it."""
    code, out, _ = wheelfarm("completion", shell)
    assert code == 0
    assert "_WHEELFARM_COMPLETE" in out
    program = str(Path(sys.executable).with_name("wheelfarm"))
    assert all(ours.format(program=program) in out for _, ours in NAMES[shell])


def test_bash_completes_the_program_of_a_clone(wheelfarm, tmp_path):
    """`./farm resu` becomes `./farm results`, wherever the shell stands."""
    script = tmp_path / "script"
    script.write_text(wheelfarm("completion", "bash")[1])
    command = (
        f"source {script}; complete -p farm wheelfarm; COMP_WORDS=(./farm resu); COMP_CWORD=1; "
        '_wheelfarm_completion ./farm; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines() == [
        "complete -o nosort -F _wheelfarm_completion farm",
        "complete -o nosort -F _wheelfarm_completion wheelfarm",
        "results",
    ]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("results r-f", ["r-fin23456"]),
        ("logs j-run2222", ["j-run22220", "j-run22221", "j-run22222", "j-run22223"]),
        ("rerun j-can", ["j-can22220"]),
        ("cancel nothing", []),
        ("run six --os ", ["debian-12"]),
        ("resu", ["results"]),
    ],
)
def test_ids_and_images_are_completed(settings, runs, typed, offered):
    """A shell is offered what the record holds, without the modules that take their time to start."""
    del runs
    environment = {
        "PATH": "/usr/bin:/bin",
        "WHEELFARM_HOME": str(settings.home),
        "_WHEELFARM_COMPLETE": "bash_complete",
        "COMP_WORDS": f"wheelfarm {typed}",
        "COMP_CWORD": str(len(typed.split(" "))),
    }
    argv = [sys.executable, "-X", "importtime", "-m", "farm_cli"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True, env=environment)
    found = [line.partition(",")[2] for line in done.stdout.splitlines() if line]
    assert found == offered
    assert not re.search(r"\b(sqlalchemy|pydantic|rich|celery)\b", done.stderr)


def test_reading_commands_start_without_what_only_runs_need(settings, runs):
    """`results` and `logs` import neither the engine nor the migrations when the record is up to date."""
    del runs
    for arguments in (("results",), ("logs", "j-fin22222")):
        argv = [sys.executable, "-X", "importtime", "-m", "farm_cli", *arguments]
        environment = {"PATH": "/usr/bin:/bin", "WHEELFARM_HOME": str(settings.home)}
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True, env=environment)
        assert not re.search(r"\b(celery|alembic|rich|httpx)\b", done.stderr)


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
