"""Where a test failed: only what its evidence names, whatever it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_scheduler.failure_places import LONGEST_PATH, Place, place_of

HOME = "/home/job/project/demo-1.0"
UNITTEST = f"""Traceback (most recent call last):
  File "{HOME}/tests/test_a.py", line 10, in test_bad
    self.fail('a real failure')
  File "/usr/lib/python3.11/unittest/case.py", line 703, in fail
    raise self.failureException(msg)
AssertionError: a real failure
"""
PYTEST = """tests/test_a.py:12: in test_bad
    demo.call()
src/demo/core.py:40: in call
    raise ValueError
E   ValueError
.tox/py312/lib/python3.12/site-packages/other.py:3: ValueError
"""


@pytest.mark.parametrize(
    ("name", "message", "place"),
    [
        ("tests/test_a.py::test_bad", PYTEST, Place(path="tests/test_a.py", line=12)),
        (
            "tests/test_a.py::T::test_bad[x]",
            "test_a.py:7: AssertionError",
            Place(path="tests/test_a.py", line=7),
        ),
        ("tests.test_a.T.test_bad", UNITTEST, Place(path="tests/test_a.py", line=10)),
        ("tests/test_b.py::test_bad", PYTEST, None),
        ("st_a.py::test_bad", "test_a.py:7: AssertionError", None),
        ("tests/test_a.py::test_bad", "it failed", None),
        ("tests/test_a.py::test_bad", None, None),
        ("tests/test_a.py::test_bad", "tests/test_a.py:0: x", None),
        ("x.T.t", f'  File "{HOME}/../../etc/passwd", line 1, in x', None),
        ("x.T.t", f'  File "{HOME}/.tox/py312/lib/x.py", line 1, in x', None),
        ("x.T.t", f'  File "{HOME}/src/a\\b.py", line 1, in x', None),
        ("/etc/passwd::x", "/etc/passwd:1: x", None),
    ],
)
def test_a_place_is_what_the_evidence_names(name: str, message: str | None, place: Place | None) -> None:
    """A line of the test's own file, or of the project's folder, and nothing that is guessed or foreign."""
    assert place_of(name, message) == place


FRAMES = st.sampled_from(["a.py:1: x", f'  File "{HOME}/a", line 2, in x'])


@given(
    name=st.text(max_size=40) | st.just("a.py::x"),
    lines=st.lists(
        st.text(max_size=40) | st.sampled_from(["a.py:1: x", f'  File "{HOME}/a", line 2, in x']), max_size=5
    ),
)
def test_whatever_is_said_leads_nowhere_else(name: str, lines: list[str]) -> None:
    """However a guest writes its name and message, a place is a short relative path and a line."""
    place = place_of(name, "\n".join(lines))
    if place is not None:
        assert not place.path.startswith("/")
        assert ".." not in place.path.split("/")
        assert len(place.path) <= LONGEST_PATH
        assert place.path.isprintable()
        assert place.line > 0
