"""The agent gives a person a shell, or one command, in the source of a job whose environments it has made."""

import json
import time
from typing import Any

from farm_images.wire import FrameType, SessionFrame, TerminalSize, encode_frame

from .conftest import AgentHost, Stream, tox_ini

FILES = {"tox.ini": tox_ini("python -c 'raise SystemExit(9)'"), "hello.txt": "hello"}
SIZE = TerminalSize(rows=33, columns=99)


def type_in(agent: AgentHost, *pieces: bytes) -> None:
    """Send what a person types; an empty piece is the end."""
    for piece in pieces:
        agent.channel.sendall(encode_frame(FrameType.INPUT, piece))


def begin(agent: AgentHost, session: SessionFrame, **job: Any) -> Stream:
    """Start a session; the stream until the command or the shell is there."""
    agent.hello()
    agent.start(FILES, session=session, **job)
    return agent.until("farm:shell", "inprogress")


def written(stream: Stream, name: str = "terminal") -> str:
    """What the process wrote."""
    return stream.attachment("farm:shell", name).decode()


def until_written(agent: AgentHost, text: str) -> str:
    """Wait until the terminal shows a text; all that it showed meanwhile."""
    shown = ""
    deadline = time.monotonic() + 20
    while text not in shown and time.monotonic() < deadline:
        event = agent.next_event()
        if event.file_name == "terminal":
            shown += (event.file_bytes or b"").decode()
    assert text in shown
    return shown


def test_a_command_runs_beside_the_environments(agent: AgentHost) -> None:
    """The environments are made, nothing of them is run, and `python` is the first one's own."""
    script = "pwd; cat hello.txt; python -c 'import sys; print(sys.prefix)'; exit 7"
    stream = begin(agent, SessionFrame(argv=("sh", "-c", script)))
    assert stream.statuses("farm:tox") == ["inprogress", "success"]
    described = json.loads(stream.attachment("farm:shell", "session.json"))
    folder = f"{agent.root}/home/job/project/project"
    assert described["folder"] == folder
    assert described["again"] == ["tox", "run", "-e", "one"]
    one = described["interpreters"]["one"]
    assert one["path"] == f"{folder}/.tox/one/bin/python"
    assert one["version"].startswith("3.")
    stream = agent.until()
    assert written(stream, "stdout") == f"{folder}\nhello{folder}/.tox/one\n"
    assert (stream.job["exit_code"], stream.job["signal"]) == (7, None)


def test_pipes_carry_any_bytes_both_ways(agent: AgentHost) -> None:
    """A command without a terminal reads what comes until its end, and its two outputs stay apart."""
    begin(agent, SessionFrame(argv=("sh", "-c", "echo told >&2; cat")))
    content = bytes(range(256)) * 8192
    type_in(agent, *(content[start : start + 65536] for start in range(0, len(content), 65536)), b"")
    stream = agent.until()
    assert stream.attachment("farm:shell", "stdout") == content
    assert written(stream, "stderr") == "told\n"
    assert stream.job["exit_code"] == 0


def test_a_shell_has_a_terminal(agent: AgentHost) -> None:
    """A shell has a controlling terminal of the person's size and kind, and ends with its own exit code."""
    begin(agent, SessionFrame(terminal=SIZE, name="xterm"))
    type_in(agent, b"stty size; echo $TERM; tty </dev/tty >/dev/null && echo control''led\n")
    shown = until_written(agent, "controlled")
    assert "33 99" in shown
    assert "xterm" in shown
    agent.channel.sendall(
        encode_frame(FrameType.RESIZE, TerminalSize(rows=10, columns=20).payload())
        + encode_frame(FrameType.RESIZE, b"no size")
    )
    type_in(agent, b"stty size\n")
    until_written(agent, "10 20")
    type_in(agent, b"exit 5\n")
    assert agent.until().job["exit_code"] == 5


def test_control_characters_reach_the_foreground(agent: AgentHost) -> None:
    """Ctrl-C interrupts what runs in the shell and not the shell, and Ctrl-D ends it."""
    begin(agent, SessionFrame(terminal=SIZE, name="xterm"))
    type_in(agent, b"PS1='next''> '; sh -c 'echo be\"\"gun; exec sleep 100'\n")
    until_written(agent, "begun")
    type_in(agent, b"\x03")
    until_written(agent, "next> ")
    # Another prompt, as Ctrl-D is lost when it comes while the line before it is at work.
    type_in(agent, b"STATUS=$?; PS1='last''> '; (exit $STATUS)\n")
    until_written(agent, "last> ")
    type_in(agent, b"\x04")
    assert agent.until().job["exit_code"] == 130


def test_a_killed_command_says_by_what(agent: AgentHost) -> None:
    """The signal that ended the command comes out, and what it left running is gone."""
    begin(agent, SessionFrame(argv=("sh", "-c", "sleep 100 & kill -TERM $$")))
    stream = agent.until()
    assert (stream.job["exit_code"], stream.job["signal"]) == (None, 15)


def test_a_session_survives_environments_that_fail(agent: AgentHost) -> None:
    """What tox could not make is told, and the session begins all the same."""
    stream = begin(agent, SessionFrame(argv=("true",)), environments=("nothing", "one"))
    described = json.loads(stream.attachment("farm:shell", "session.json"))
    assert stream.statuses("farm:tox") == ["inprogress", "fail"]
    assert described["interpreters"]["nothing"] is None
    assert agent.until().job["exit_code"] == 0


def test_a_closed_pipe_is_no_error(agent: AgentHost) -> None:
    """What a command does not want to read is dropped, and a broken pipe inside it is as in any shell."""
    begin(agent, SessionFrame(argv=("sh", "-c", "exec 0<&-; yes | head -n 1")))
    type_in(agent, b"x" * 65536, b"")
    stream = agent.until()
    assert (written(stream, "stdout"), written(stream, "stderr")) == ("y\n", "")


def test_a_cancelled_session_ends(agent: AgentHost) -> None:
    """CANCEL ends a session, and the agent takes the next job."""
    begin(agent, SessionFrame(terminal=SIZE))
    agent.channel.sendall(encode_frame(FrameType.CANCEL))
    assert agent.until().job["cancelled"] is True
    assert agent.run(FILES).job["exit_code"] == 9
