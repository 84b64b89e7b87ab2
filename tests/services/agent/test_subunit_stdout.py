"""Subunit packets on the standard output of a command are its tests, once and only where nothing else reports them."""

from farm_images.subunit_stream import Event, encode

from .conftest import AgentHost, Stream, tox_ini

EMIT = """
import os, sys
parts = PARTS
for part in parts:
    os.write(1, part)
sys.exit(CODE)
"""


def packets(*events: Event) -> bytes:
    """The bytes of these events."""
    return b"".join(map(encode, events))


def run(agent: AgentHost, *parts: bytes, code: int = 0, before: str = "") -> Stream:
    """A job whose only command writes these parts to its standard output."""
    script = EMIT.replace("PARTS", repr(list(parts))).replace("CODE", str(code))
    return agent.run({"tox.ini": tox_ini(f"{before}python emit.py"), "emit.py": script})


def test_packets_are_tests_and_text_is_log(agent: AgentHost) -> None:
    """Whole packets become tests of the environment with their attachments; what is around them is the log."""
    good, bad = (
        [
            Event(test_id=name, status="exists"),
            Event(test_id=name, status="inprogress", route_code="0"),
            Event(test_id=name, file_name="traceback", file_bytes=b"why", mime_type="text/plain"),
            Event(test_id=name, file_name="other", file_bytes=b"\\0", mime_type="image/png"),
            Event(test_id=name, status=status, tags=frozenset({"worker-0"})),
        ]
        for name, status in (("a.good", "success"), ("a.bad", "fail"))
    )
    data = packets(*good, *bad)
    cut = [data[:7], data[7:40], data[40:]]
    stream = run(agent, b"begin\n", *cut, "größer ³ · 3³ ó\n".encode(), b"\xb3)", b"end\n", code=1)
    assert stream.tests() == {"a.good": "success", "a.bad": "fail"}, stream.log
    assert {e.route_code for e in stream.events if e.runnable and e.status} == {"one"}
    assert stream.attachment("a.bad", "traceback") == b"why"
    assert stream.attachment("a.bad", "other") == b""
    assert "begin\ngrößer ³ · 3³ ó\n\ufffd)end\n" in stream.log
    assert "a.good" not in stream.log
    assert stream.job["refused"] == 0
    assert stream.statuses("farm:commands") == ["inprogress", "fail"]


def test_what_is_no_packet_is_text(agent: AgentHost) -> None:
    """A packet with a wrong checksum, a cut one and one behind a false start: the log has the first two, in order."""
    whole = packets(Event(test_id="a.good", status="success"))
    wrong = whole[:-1] + bytes([whole[-1] ^ 1])
    stream = run(agent, wrong, b"\xb3)\x01\xbf\xff", b"text\n", whole, b"rest\n", whole[:9])
    assert stream.tests() == {"a.good": "success"}, stream.log
    assert stream.log.index("text\n") < stream.log.index("rest\n")
    assert stream.log.count("a.good") == 1, stream.log


def test_steps_cannot_be_forged(agent: AgentHost) -> None:
    """Ids of the farm are refused, and tests that are only listed are not announced."""
    forged = packets(
        Event(test_id="farm:job", status="success", runnable=False),
        Event(test_id="a.listed", status="exists"),
    )
    stream = run(agent, forged)
    assert stream.statuses("farm:job") == ["success"]
    assert stream.statuses("a.listed") == []
    listed = run(agent, packets(Event(test_id="a.listed", status="exists")))
    assert listed.statuses("a.listed") == []


def test_a_hang_leaves_what_came_before(agent: AgentHost) -> None:
    """Results come while the command runs: what began before the time ran out began, and ended before, ended."""
    data = packets(Event(test_id="a.good", status="success"), Event(test_id="a.hangs", status="inprogress"))
    script = f"import os, time\nos.write(1, {data!r})\ntime.sleep(99)\n"
    stream = agent.run({"tox.ini": tox_ini("python emit.py"), "emit.py": script}, seconds=12)
    assert stream.job["limit"] == "time"
    assert stream.tests() == {"a.good": "success", "a.hangs": "inprogress"}, stream.log


CASES = """
import unittest
class Case(unittest.TestCase):
    def test_good(self): pass
    def test_bad(self): self.fail()
"""


def test_nothing_is_counted_twice(agent: AgentHost) -> None:
    """A runner that writes subunit and runs under unittest is reported once, and the next command speaks for itself."""
    native = packets(Event(test_id="native", status="success")).hex()
    ini = tox_ini(
        "- python -m subunit.run test_it\n    python -c \"import os; os.write(1, bytes.fromhex('"
        + native
        + "'))\""
    )
    stream = agent.run({"tox.ini": ini, "test_it.py": CASES})
    assert stream.tests() == {
        "test_it.Case.test_good": "success",
        "test_it.Case.test_bad": "fail",
        "native": "success",
    }, stream.log
    for name in ("good", "bad"):
        assert len(stream.statuses(f"test_it.Case.test_{name}")) == 3, stream.statuses(name)
