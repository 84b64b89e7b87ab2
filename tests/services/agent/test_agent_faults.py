"""The agent outlives the worst of jobs, and says exactly what happened."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from farm_images.wire import FrameType, SourceFrame, encode_frame

from .conftest import AgentHost, job_frame, project_archive, tox_ini

DYING = {
    "exit": "import os; os._exit(7)",
    "segfault": "import ctypes; ctypes.string_at(0)",
}
IN_TEST = tox_ini("python -m pytest -q -p no:cacheprovider -p no:faulthandler {posargs}")


def in_test(body: str) -> dict[str, str]:
    """A project whose only test does this."""
    return {"tox.ini": IN_TEST, "test_it.py": f"def test_it():\n    {body}\n"}


@pytest.mark.parametrize("body", DYING.values(), ids=DYING)
def test_a_test_that_ends_its_interpreter(agent: AgentHost, body: str) -> None:
    """The stream shows which test began and never ended, and a command that failed."""
    stream = agent.run(in_test(body))
    assert stream.tests() == {"test_it.py::test_it": "inprogress"}, stream.log
    assert stream.statuses("farm:commands") == ["inprogress", "fail"]
    assert stream.job["limit"] is None


def test_a_hang_ends_at_the_time_limit(agent: AgentHost) -> None:
    """At the time limit everything of the job is killed, and the limit is named."""
    stream = agent.run(in_test("import time; time.sleep(300)"), seconds=15)
    assert stream.tests() == {"test_it.py::test_it": "inprogress"}
    assert (stream.job["limit"], stream.job["signal"]) == ("time", signal.SIGKILL)
    assert 15 <= stream.job["seconds"]["tox"] < 20
    assert stream.statuses("farm:job") == ["fail"]


def test_a_flood_of_log_ends_at_its_limit(agent: AgentHost) -> None:
    """No more log than the limit is sent, and the job is ended for it."""
    flood = tox_ini("""python -c 'while True: print("x" * 1000)'""")
    stream = agent.run({"tox.ini": flood}, log_bytes=300_000)
    assert stream.job["limit"] == "log"
    assert len(stream.attachment("farm:tox", "log")) == 300_000
    assert all(len(event.file_bytes or b"") <= 256 << 10 for event in stream.events)


def test_a_flood_of_reports_ends_the_job(agent: AgentHost) -> None:
    """A job that writes without end to the results socket is ended; nothing of it is passed on."""
    stream = agent.run(
        in_test(f"""
    import socket
    channel = socket.socket(socket.AF_UNIX)
    channel.connect({str(agent.root / "run/wheelfarm/results.sock")!r})
    while True: channel.send(bytes([0xB3]) * 1_000_000)""")
    )
    assert stream.job["limit"] == "results"


def test_a_test_cannot_speak_for_the_farm(agent: AgentHost) -> None:
    """Packets with the farm's ids, from nowhere known, or of no form are refused, not passed on."""
    stream = agent.run(
        {
            "tox.ini": IN_TEST,
            "test_it.py": """
                import os, socket, sys
                def test_it():
                    plugin = sys.modules["wheelfarm_stream"]
                    stream = plugin.Stream(os.path.join(RUN, "results.sock"))
                    stream.write(plugin.packet("farm:job", "success", "one", False))
                    stream.write(plugin.packet("farm:commands", "success", "one", False))
                    stream.write(plugin.packet("x", None, "one", True, "job.json", b"{}", "application/json"))
                    stream.write(b"garbage")
                    stream.write(plugin.packet("spoken", "success", "elsewhere"))
                RUN = """
            + repr(str(agent.root / "run/wheelfarm")),
        }
    )
    assert stream.job["refused"] == 3, stream.log
    assert stream.statuses("farm:commands") == ["inprogress", "success"]
    assert {event.route_code for event in stream.events if event.test_id == "spoken"} == {"one"}
    assert stream.statuses("farm:job") == ["success"]


def test_a_test_that_closes_every_descriptor_is_still_reported(agent: AgentHost) -> None:
    """Closed or reused descriptors lose no report and get no packet into a file of the test."""
    stream = agent.run(
        {
            "tox.ini": tox_ini("python -m pytest -q -p no:cacheprovider --capture=no {posargs}"),
            "test_it.py": """
                import os
                kept = []
                def test_closes():
                    os.closerange(3, 2000)
                    kept.extend(open("file%d" % number, "wb") for number in range(1000))
                def test_after():
                    kept.clear()
                    assert all(os.path.getsize("file%d" % number) == 0 for number in range(1000))
            """,
        }
    )
    assert stream.tests() == dict.fromkeys(("test_it.py::test_closes", "test_it.py::test_after"), "success")


def test_a_test_that_kills_tox(agent: AgentHost) -> None:
    """The death of tox by a signal ends the job with that signal; what it started goes with it."""
    stream = agent.run(in_test("import os, time; os.kill(os.getppid(), 9); time.sleep(300)"))
    assert (stream.job["exit_code"], stream.job["signal"], stream.job["limit"]) == (None, 9, None)
    assert stream.tests() == {"test_it.py::test_it": "inprogress"}


def test_nothing_of_a_job_stays(agent: AgentHost) -> None:
    """A process that left its session and its parents is gone when the job has ended."""
    stream = agent.run(
        in_test("""
    import os, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open("pid", "w").write(str(os.getpid()))
            os.close(1); os.close(2)
            time.sleep(300)
        os._exit(0)
    while not os.path.exists("pid") or not open("pid").read(): time.sleep(0.01)""")
    )
    assert stream.tests() == {"test_it.py::test_it": "success"}, stream.log
    pid = (agent.root / "home/job/project/project/pid").read_text()
    assert not Path("/proc", pid).exists()


def test_cancel_ends_a_running_job(agent: AgentHost) -> None:
    """CANCEL while tests run ends the job at once, with what is known so far."""
    agent.start(in_test("import time; time.sleep(300)"))
    agent.until("test_it.py::test_it", "inprogress")
    begun = time.monotonic()
    agent.channel.sendall(encode_frame(FrameType.CANCEL))
    stream = agent.until()
    assert stream.job["cancelled"]
    assert time.monotonic() - begun < 5


def test_cancel_instead_of_the_source(agent: AgentHost) -> None:
    """CANCEL before the source is complete ends the job, and the agent goes on."""
    agent.send(job_frame(b"never sent"))
    agent.channel.sendall(encode_frame(FrameType.CANCEL))
    assert agent.until().job["cancelled"]
    assert agent.hello().test_id == "farm:ready"


@pytest.mark.parametrize("announced", [SourceFrame(bytes=5, sha256="a" * 64)], ids=["digest"])
def test_a_source_that_is_not_as_announced(agent: AgentHost, announced: SourceFrame) -> None:
    """A source with another length or digest is the farm's error, never a verdict on the project."""
    source = project_archive({"tox.ini": IN_TEST})
    agent.send(job_frame(source, sha256=announced.sha256), source)
    stream = agent.until()
    assert stream.statuses("farm:error") == ["fail"]
    assert b"SourceError" in stream.attachment("farm:error", "text")
    assert (stream.job["exit_code"], stream.statuses("farm:job")) == (None, ["fail"])


@pytest.mark.parametrize("name", ["../../outside", "/absolute"], ids=["parent", "absolute"])
def test_a_source_that_leaves_its_folder(agent: AgentHost, name: str) -> None:
    """An archive with paths out of its folder fails the source step, with the reason."""
    stream = agent.run({name: "", "tox.ini": IN_TEST})
    assert stream.statuses("farm:source") == ["inprogress", "fail"]
    assert b"leaves the folder" in stream.attachment("farm:source", "reason")
    assert stream.statuses("farm:error") == []


def test_bytes_that_are_no_archive(agent: AgentHost) -> None:
    """A source that is no tar.gz fails the source step, with the reason."""
    source = os.urandom(3000)
    agent.send(job_frame(source), source)
    stream = agent.until()
    assert b"not a whole tar.gz" in stream.attachment("farm:source", "reason")


def test_a_host_that_does_not_read(agent: AgentHost) -> None:
    """A slow host slows the job down; nothing is lost and the agent does not grow."""
    agent.start({"tox.ini": tox_ini("""python -c 'for n in range(30000): print(str(n) * 200)'""")})
    time.sleep(3)
    status = Path(f"/proc/{agent.process.pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 60_000
    assert "29999" * 200 in agent.until().log


def test_a_job_frame_that_is_none(agent: AgentHost) -> None:
    """A JOB frame that cannot be read is the farm's error, and the agent goes on."""
    agent.channel.sendall(encode_frame(FrameType.JOB, b"{}"))
    assert agent.until("farm:error").events
    assert agent.hello().test_id == "farm:ready"


def test_one_agent_two_jobs(agent: AgentHost) -> None:
    """After a job, and whatever it did to its first process, the agent greets and runs another."""
    first = agent.run(in_test("pass"))
    agent.hello()
    second = agent.run({"tox.ini": IN_TEST, "test_other.py": "def test_it(): pass"})
    assert first.tests() == {"test_it.py::test_it": "success"}
    assert set(second.tests()) == {"test_other.py::test_it"}, second.log


def test_an_agent_that_died_says_so_when_it_is_started_anew(guest_root: Path) -> None:
    """When the agent is killed amid a job and started anew, the job ends as the farm's fault."""
    script = 'import time\nprint("begun", flush=True)\ntime.sleep(15)\n'
    first = AgentHost(guest_root)
    first.start({"tox.ini": tox_ini("python script.py"), "script.py": script})
    while b"begun\n" not in (first.next_event().file_bytes or b""):
        pass
    first.process.kill()
    first.close()
    (guest_root / "channel.sock").unlink()
    with contextlib.closing(AgentHost(guest_root)) as second:
        stream = second.until()
        assert b"died in the middle of the job" in stream.attachment("farm:error", "text")
        assert (stream.job["exit_code"], stream.job["limit"]) == (None, None)
        assert second.run({"tox.ini": tox_ini("python -c pass")}).job["exit_code"] == 0
