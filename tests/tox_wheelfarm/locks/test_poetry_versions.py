"""The dialect of ranges that poetry writes, held against what poetry itself allows."""

import json

import pytest
from hypothesis import given, strategies

from tox_wheelfarm.locks.poetry_versions import versions

from . import recorded

SAID = json.loads((recorded.FILES / "poetry-ranges.json").read_text())
EVERY = SAID["*"]
OTHERWISE = {
    ("==1.2+local", "1.2"),
    ("==1.2", "1.2+local"),
    ("1.2", "1.2+local"),
    ("!=1.2", "1.2+local"),
    *(("!=1.2", version) for version in ("1.2.dev1", "1.2rc1", "1.2.post1", "1.2.post2")),
}
"""Where poetry and PEP 440 differ, and we go by PEP 440."""


@pytest.mark.parametrize("text", sorted(SAID))
def test_a_range_allows_what_poetry_allows(text):
    """Each range has in it the versions that poetry says are in it."""
    range_ = versions(text)
    ours = {version for version in EVERY if version in range_}
    assert {one for one in ours ^ set(SAID[text]) if (text, one) not in OTHERWISE} == set()


@given(strategies.text(max_size=40))
def test_no_text_is_more_than_a_value_error(text):
    """Any text is a range or a ValueError, never another error."""
    try:
        versions(text)
    except ValueError:
        return
    assert isinstance("1.0" in versions(text), bool)


@pytest.mark.parametrize(
    "text", [">=", "a b c", ">=1,<", "^", "^x", "1.2 - 2.0 -", "@main", "x" * 5000, "~=1", "^1.*"]
)
def test_what_is_no_range_is_refused(text):
    """Half a bound, or words, are no range."""
    with pytest.raises(ValueError, match=r"."):
        versions(text)
