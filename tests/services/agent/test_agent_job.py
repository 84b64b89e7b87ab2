"""The agent runs jobs: toy projects through the real agent, the real tox and the real pytest."""

import json

from .conftest import AgentHost, tox_ini

OUTCOMES = """
    import pytest

    def test_passes(): pass
    def test_fails():
        print("said on stdout")
        assert 1 == 2
    @pytest.mark.skip(reason="not today")
    def test_skips(): pass
    @pytest.mark.xfail(reason="known")
    def test_xfails(): assert False
    @pytest.mark.xfail
    def test_xpasses(): pass
    @pytest.fixture
    def broken(): raise RuntimeError("in setup")
    def test_setup(broken): pass
    @pytest.fixture
    def leaving():
        yield
        raise RuntimeError("in teardown")
    def test_teardown(leaving): pass
"""


def test_a_job_from_hello_to_the_end(agent: AgentHost) -> None:
    """A greeting is answered with its nonce, and a job gives its steps, its tests, its log and its end."""
    ready = agent.hello("abc")
    assert (ready.test_id, ready.status, ready.tags) == ("farm:ready", "success", {"abc"})
    stream = agent.run({"tox.ini": tox_ini(), "test_it.py": OUTCOMES})
    assert stream.tests() == {
        "test_it.py::test_passes": "success",
        "test_it.py::test_fails": "fail",
        "test_it.py::test_skips": "skip",
        "test_it.py::test_xfails": "xfail",
        "test_it.py::test_xpasses": "uxsuccess",
        "test_it.py::test_setup": "fail",
        "test_it.py::test_teardown": "fail",
    }, stream.log
    assert stream.attachment("test_it.py::test_skips", "reason") == b"not today"
    assert b"assert 1 == 2" in stream.attachment("test_it.py::test_fails", "traceback")
    assert stream.attachment("test_it.py::test_fails", "stdout") == b"said on stdout\n"
    assert stream.statuses("farm:source") == ["inprogress", "success"]
    assert stream.statuses("farm:create", "one") == ["inprogress", "success"]
    assert stream.statuses("farm:commands", "one") == ["inprogress", "fail"]
    assert stream.statuses("farm:tox") == ["inprogress", "fail"]
    assert "3 failed" in stream.log or "1 failed" in stream.log
    assert stream.job["exit_code"] == 1
    assert (stream.job["limit"], stream.job["cancelled"], stream.job["refused"]) == (None, False, 0)
    commands = json.loads(stream.attachment("farm:commands", "commands.json"))
    assert [(c["exit_code"], c["failed"], c["ignored"]) for c in commands] == [(1, True, False)]
    result = json.loads(stream.attachment("farm:tox", "tox-result.json"))
    assert list(result["testenvs"]) == ["one"]
