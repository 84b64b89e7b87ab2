"""Payloads of whatever shape: a forge's module reads them or refuses them, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_api.errors import BodyError
from farm_api.webhooks.doors import forges
from farm_api.webhooks.forge import CLEAN, COMMIT, Message

from .conftest import PAYLOADS

KINDS = {
    "github": ["push", "create", "pull_request", "release", "check_run", "check_suite"],
    "gitea": ["push", "create", "pull_request", "pull_request_sync", "release"],
    "forgejo": ["push", "create", "pull_request", "release"],
    "gitlab": [""],
    "bitbucket": ["repo:push", "pullrequest:created"],
    "pagure": [""],
    "pypi": [""],
}
HEADERS = ("x-github-event", "x-gitea-event", "x-forgejo-event", "x-event-key", "x-gitlab-event")
SAMPLES = [json.loads(path.read_bytes()) for path in sorted(PAYLOADS.glob("*.json"))]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


def places(document, path=()):
    """Every place in a document."""
    if isinstance(document, dict):
        for name, inner in document.items():
            yield (*path, name)
            yield from places(inner, (*path, name))


def put(document, path, value):
    """The document with another value at a place."""
    if not path:
        return value
    return {**document, path[0]: put(document[path[0]], path[1:], value)}


@st.composite
def damaged(draw):
    """A real payload with one to three of its values exchanged."""
    document = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 3))):
        found = sorted(places(document))
        if not found:
            break
        document = put(document, draw(st.sampled_from(found)), draw(values))
    return document


@pytest.mark.parametrize("forge", forges(), ids=lambda forge: forge.name)
@given(document=damaged() | st.dictionaries(st.text(max_size=9), values, max_size=4), data=st.data())
def test_any_payload_is_read_or_refused(forge, document, data):
    """With any value anywhere the outcome is a reading or a BodyError, and every ref and commit in it is clean."""
    kind = data.draw(st.sampled_from(KINDS[forge.name]))
    message = Message(headers=dict.fromkeys(HEADERS, kind), body=b"", payload=document)
    try:
        forge.repository(document)
        forge.delivery_id(message)
        reading = forge.read(message)
    except BodyError:
        return
    assert isinstance(forge.kind(message), str)
    for wish in reading.wishes:
        assert wish.revision is None or COMMIT.fullmatch(wish.revision)
        assert wish.ref is None or CLEAN.fullmatch(wish.ref)
        assert wish.source is None or CLEAN.fullmatch(wish.source)
    assert reading.wishes or reading.reason


def test_what_a_forge_says_is_cleaned_before_it_is_kept(doors):
    """A kind with NUL, an escape sequence or half a character neither fails nor is shown as it came."""
    document = json.loads((PAYLOADS / "gitlab-push.json").read_bytes()) | {
        "object_kind": "a\x00\x1b[2J\ud800b" * 99
    }
    answer = doors.send("gitlab", json.dumps(document).encode(), "Push Hook")
    assert (answer.status_code, answer.json()["outcome"]) == (202, "ignored")
    assert answer.json()["reason"].isprintable()
