"""`wheelfarm run` as a process, with a real queue and no machines: its start, its end, and being killed."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest
from sqlmodel import select

from farm_cli import leftovers, supervisor
from farm_scheduler.sources import source_path
from farm_scheduler.states import RunState
from farm_scheduler.tables import Run

SECONDS = 30


@pytest.fixture
def project(tmp_path):
    """The folder of a project that would run, were there a machine."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "toy"\nversion = "1"\n')
    (folder / "tox.ini").write_text("[tox]\nenv_list = py311\n[testenv]\ncommands = pytest\n")
    return folder


@pytest.fixture
def farm(settings, database, monkeypatch):
    """A farm whose service is only its queue: a run waits for its image for ever. Nothing may be left in the end."""
    monkeypatch.setenv(supervisor.ONLY, "redis")
    yield database
    assert until(lambda: leftovers.marked(leftovers.mark(settings)) == []), "the service left processes"
    assert until(lambda: not settings.farm_socket.exists())


def until(condition, seconds=SECONDS):
    """Wait until a condition holds; whether it did."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def start(farm):
    """Starts a `wheelfarm` of its own, which does not outlive the test."""
    del farm
    started = []

    def begin(*arguments, **options):
        command = [sys.executable, "-m", "farm_cli", *map(str, arguments)]
        pipes = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "stdin": subprocess.DEVNULL,
        }
        process = subprocess.Popen(command, **{**pipes, **options})
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait(timeout=SECONDS)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def states(database):
    """The states of all runs."""
    with database.read() as session:
        return list(session.exec(select(Run.state)))


def submitted(database):
    """Whether a run waits in the record."""
    return until(lambda: states(database) == [RunState.PLANNED])


def test_ctrl_c_cancels_the_run(start, farm, project):
    """The first Ctrl-C ends with 130, a cancelled run, and nothing left."""
    process = start("run", project)
    assert submitted(farm)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, err
    assert states(farm) == [RunState.CANCELLED]
    assert "cancelled" in out


def test_a_second_ctrl_c_does_not_wait(start, farm, project, settings):
    """Two at once end the command within a second or two; the service ends behind it."""
    process = start("run", project)
    assert submitted(farm)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 130
    assert until(lambda: states(farm) == [RunState.CANCELLED])
    assert until(lambda: leftovers.marked(leftovers.mark(settings)) == [])


@pytest.fixture
def hangups():
    """Sets what processes that are started from now on inherit for SIGHUP; these tests may run below nohup."""
    before = signal.getsignal(signal.SIGHUP)
    yield lambda handler: signal.signal(signal.SIGHUP, handler)
    signal.signal(signal.SIGHUP, before)


def test_a_run_below_nohup_outlives_its_terminal(start, farm, project, hangups):
    """A command that was started with SIGHUP ignored goes on; SIGTERM still ends it."""
    hangups(signal.SIG_IGN)
    process = start("run", project)
    assert submitted(farm)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=2)
    assert states(farm) == [RunState.PLANNED]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_cancels_the_run(start, farm, project, number, hangups):
    """SIGTERM and SIGHUP are the same wish as Ctrl-C."""
    hangups(signal.SIG_DFL)
    process = start("run", project)
    assert submitted(farm)
    process.send_signal(number)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert states(farm) == [RunState.CANCELLED]


def test_a_killed_command_cancels_its_run(start, farm, project):
    """After kill -9 of the command its run is cancelled by the supervisor that it leaves behind."""
    process = start("run", project)
    assert submitted(farm)
    process.kill()
    process.communicate(timeout=SECONDS)
    assert until(lambda: states(farm) == [RunState.CANCELLED])


def test_the_next_start_cancels_what_was_killed_altogether(start, farm, project, settings):
    """When command and supervisor are killed together, the next service cancels the run before it works on it."""
    process = start("run", project)
    assert submitted(farm)
    (boss,) = [pid for pid in supervisors() if parent(pid) == process.pid]
    os.kill(boss, signal.SIGKILL)
    process.kill()
    process.communicate(timeout=SECONDS)
    assert states(farm) == [RunState.PLANNED]
    second = start("run", project)
    assert until(lambda: sorted(states(farm)) == [RunState.CANCELLED, RunState.PLANNED])
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=SECONDS)
    assert states(farm) == [RunState.CANCELLED] * 2
    assert list((settings.sockets / "owned").iterdir()) == []


def test_a_lost_service_is_started_again(start, farm, project):
    """When the supervisor is killed the command says so, starts another one, and follows its run on."""
    process = start("run", project)
    assert submitted(farm)
    (boss,) = [pid for pid in supervisors() if parent(pid) == process.pid]
    os.kill(boss, signal.SIGKILL)
    assert until(lambda: any(pid != boss and parent(pid) == process.pid for pid in supervisors()))
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, err
    assert "is started again" in out
    assert states(farm) == [RunState.CANCELLED]


def test_bad_input_ends_the_service_as_well(start, farm, tmp_path):
    """A folder that is no project is one sentence, exit code 2, and nothing is left running or recorded."""
    process = start("run", tmp_path)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert len(err.splitlines()) == 1
    assert states(farm) == []


def test_json_lines_are_all_that_stdout_has(start, farm, project):
    """With `--json` every line of stdout is an object, to the last one, the summary with its exit code."""
    process = start("run", project, "--json")
    assert submitted(farm)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=SECONDS)
    documents = [json.loads(line) for line in out.splitlines()]
    assert documents[-1]["type"] == "summary"
    assert documents[-1]["exit_code"] == 130


def test_a_terminal_is_left_in_order(start, farm, project):
    """On a terminal Ctrl-C gives the cursor back."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = start(
        "run", project, stdout=theirs, stderr=theirs, stdin=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    assert submitted(farm)
    process.send_signal(signal.SIGINT)
    written = b""
    try:
        while piece := os.read(ours, 65536):
            written += piece
    except OSError:
        written += b""  # the other side of the terminal is closed: the command has ended
    assert process.wait(timeout=SECONDS) == 130
    os.close(ours)
    assert written.rindex(b"\x1b[?25h") > written.rindex(b"\x1b[?25l")


def test_up_serves_the_pages(start, farm):
    """`wheelfarm up` says where the pages are, serves them, and ends with 0 when asked to."""
    process = start("up", "--port", "8653")
    assert process.stdout.readline().startswith("the farm is up: http://127.0.0.1:8653/")
    assert httpx.get("http://127.0.0.1:8653/", timeout=10, trust_env=False).status_code == 200
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert states(farm) == []


def test_up_mends_what_was_killed(start, farm):
    """When the supervisor or the server of the pages is killed, `up` starts it again and goes on."""
    process = start("up", "--port", "8654")
    assert process.stdout.readline().startswith("the farm is up")
    (boss,) = [pid for pid in supervisors() if parent(pid) == process.pid]
    (pages,) = [pid for pid in found("farm_api.server") if parent(pid) == process.pid]
    os.kill(pages, signal.SIGKILL)
    os.kill(boss, signal.SIGKILL)
    assert until(lambda: any(pid != boss and parent(pid) == process.pid for pid in supervisors()))
    assert until(lambda: any(pid != pages and parent(pid) == process.pid for pid in found("farm_api.server")))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert states(farm) == []


def test_a_taken_port_is_one_sentence(start, farm):
    """When the port is not to be had, `up` says so at once and names the way out."""
    del farm
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start("up", "--port", str(taken.getsockname()[1]))
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 3
    assert len(err.splitlines()) == 1
    assert "--port" in err


def supervisors():
    """The supervisors on this host."""
    return found("farm_cli.supervisor")


def found(module):
    """The processes on this host that run a module."""
    seen = subprocess.run(
        ["pgrep", "-f", "--", f"-m {module}"], capture_output=True, text=True, check=False, timeout=10
    )
    return [int(pid) for pid in seen.stdout.split()]


def parent(pid):
    """The parent of a process, or None when it is gone."""
    seen = subprocess.run(
        ["ps", "-o", "ppid=", str(pid)], capture_output=True, text=True, check=False, timeout=10
    )
    return int(seen.stdout) if seen.stdout.strip() else None


def test_a_rerun_is_followed_and_cancelled_like_a_run(start, farm, runs, settings):
    """`rerun` opens the run again and follows it; Ctrl-C cancels it, and what had ended keeps its verdict."""
    source_path(settings, "0" * 64).write_bytes(b"")
    process = start("rerun", "j-fin22222", "--json")
    assert until(lambda: state_of(farm) == RunState.QUEUED)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, err
    assert state_of(runs) == RunState.CANCELLED
    documents = [json.loads(line) for line in out.splitlines()]
    words = {found["label"]: found["verdict"] for found in documents if found["type"] == "cell"}
    assert words["py3.10 · debian-12"] == "passed"
    assert words["py3.11 · debian-12"] is None


def state_of(database):
    """The state of the finished run of the realistic record, as it is now."""
    with database.read() as session:
        return session.get(Run, "r-fin23456").state
