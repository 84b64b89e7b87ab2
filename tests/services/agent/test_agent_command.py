"""The agent runs plain commands: what a person at a shell of the job's user would see, and nothing of ours."""

import hashlib
import json
from typing import Any

from farm_images.wire import CommandFrame, LimitsFrame, SourceFrame

from .conftest import AgentHost, Stream, project_archive, tox_ini

SCRIPT = """
    mkdir -p "$HOME/out/.deep"
    echo one >"$HOME/out/a.xml"
    echo two >"$HOME/out/.deep/b.xml"
    mkfifo "$HOME/out/pipe.xml"
    ln -s /etc/passwd "$HOME/out/link.xml"
    ln -s /etc "$HOME/out/folder"
    truncate -s 17M "$HOME/out/long.xml"
    exit 3
"""


def run(agent: AgentHost, *argv: str, files: dict[str, str] | None = None, **fields: Any) -> Stream:
    """Run a command to its end, in the source of these files or in the home."""
    archive = None if files is None else project_archive(files)
    if archive is not None:
        fields["source"] = SourceFrame(bytes=len(archive), sha256=hashlib.sha256(archive).hexdigest())
    agent.send(CommandFrame(job="c-1", argv=argv, **fields), archive)
    return agent.until()


def log(stream: Stream) -> str:
    """What the command wrote."""
    return stream.attachment("farm:command", "log").decode()


def test_a_command_runs_in_the_source(agent: AgentHost) -> None:
    """A command sees the unpacked source in a plain environment, and its output and exit code come out."""
    agent.hello()
    script = "pwd; cat hello.txt; env | cut -d= -f1 | sort | tr '\\n' ' '; exit 7"
    stream = run(agent, "sh", "-c", script, files={"hello.txt": "hello"}, env={"MINE": "1"})
    folder, text = log(stream).strip().splitlines()
    assert folder.endswith("/home/job/project/project")
    assert text == "helloHOME LANG LOGNAME MINE PATH PWD SHELL USER"
    assert stream.statuses("farm:source") == ["inprogress", "success"]
    assert stream.statuses("farm:command") == ["inprogress", "fail"]
    assert stream.job["exit_code"] == 7
    assert set(stream.job["seconds"]) == {"source", "command"}


def test_a_command_without_a_source(agent: AgentHost) -> None:
    """Without a source a command runs in the home, and the agent takes the next one."""
    agent.hello()
    for _ in range(2):
        stream = run(agent, "pwd")
        assert log(stream).strip() == str(agent.root / "home/job")
        assert stream.statuses("farm:command") == ["inprogress", "success"]
        assert stream.statuses("farm:source") == []


def test_an_unknown_command_ends_as_in_a_shell(agent: AgentHost) -> None:
    """A command that does not exist is the exit code 127 and a sentence in the log."""
    agent.hello()
    stream = run(agent, "no-such-command")
    assert stream.job["exit_code"] == 127
    assert "no-such-command" in log(stream)


def test_files_are_collected_within_bounds(agent: AgentHost) -> None:
    """Plain files of the home come out by their absolute paths; pipes, links out of it and long files do not."""
    agent.hello()
    patterns = ("/home/job/out/**/*.xml", "/home/job/out/folder/passwd", "/home/job/none")
    stream = run(agent, "sh", "-c", SCRIPT, collect=patterns)
    collected = json.loads(stream.attachment("farm:command", "collected.json"))
    assert collected["files"] == {"/home/job/out/a.xml": 4, "/home/job/out/.deep/b.xml": 4}
    assert set(collected["left_out"]) == {"/home/job/out/pipe.xml", "/home/job/out/long.xml"}
    assert stream.attachment("farm:command", "/home/job/out/.deep/b.xml") == b"two\n"


def test_a_command_is_ended_at_its_limit(agent: AgentHost) -> None:
    """A command that outlives its time is ended, with all its processes, and what it wrote is kept."""
    agent.hello()
    limits = LimitsFrame(seconds=1)
    stream = run(agent, "sh", "-c", "echo begun; sleep 100 & sleep 100", limits=limits)
    assert (stream.job["limit"], stream.job["exit_code"]) == ("time", None)
    assert log(stream) == "begun\n"


def test_tox_by_hand_reports_to_nobody(agent: AgentHost) -> None:
    """A tox that is started by a command runs without our plugins, and its own report can be brought out."""
    agent.hello()
    tox = str(agent.root / "opt/wheelfarm/bin/tox")
    argv = (tox, "run", "-x", "testenv.set_env+=PYTEST_ADDOPTS=--junitxml={env:HOME}/{env_name}.xml")
    files = {"tox.ini": tox_ini(), "test_it.py": "def test_it(): pass"}
    stream = run(agent, *argv, files=files, collect=("/home/job/*.xml",))
    assert stream.job["exit_code"] == 0, log(stream)
    assert stream.tests() == {}
    assert b'name="test_it"' in stream.attachment("farm:command", "/home/job/one.xml")
