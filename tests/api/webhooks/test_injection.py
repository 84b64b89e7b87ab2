"""SQL, header and URL injection in what forges send: with a right signature as well it is text, or refused."""

import json

import pytest

from farm_scheduler.deliveries import LONGEST_TEXT

from .conftest import PAYLOADS, deliveries, events
from .test_hostile_payloads import KINDS, places, put

TEXTS = (
    "' OR '1'='1", "x'; DROP TABLE event; --", "--upload-pack=touch /tmp/x", "a\r\nX-Injected: 1", "\x00", "\ud800",
    "https://[x", "https://github.com:99999/me/demo", "https://github.com@evil.example/me/demo.git", "ext::sh -c true",
    "file:///etc/passwd", "../../x", "%s%n", "refs/heads/$(id)", "x" * 5000,
)  # fmt: skip
READ = frozenset(
    {
        "ref",
        "clone_url",
        "git_http_url",
        "http_url",
        "after",
        "sha",
        "tag_name",
        "tag",
        "action",
        "fullname",
        "hash",
    }
)
"""Words that some forge's module reads: each of the texts is tried there, and two elsewhere."""

SAMPLES = sorted(path.stem for path in PAYLOADS.glob("*.json"))


def _kind(forge, what):
    """The kind that a forge's header names for a sample."""
    if forge == "bitbucket":
        return "repo:push" if what.startswith("push") else "pullrequest:created"
    return next((kind for kind in KINDS[forge] if what.startswith(kind.replace("_", "-"))), "ping")


@pytest.mark.parametrize("sample", SAMPLES)
def test_text_in_any_place_of_a_payload_is_text(doors, record, sample):
    """Each word of a signed payload in turn is exchanged: it is taken as text or refused, and never fails."""
    forge, _, what = sample.partition("-")
    document = json.loads((PAYLOADS / f"{sample}.json").read_bytes())
    words = [path for path in places(document) if isinstance(_at(document, path), str)]
    for number, path in enumerate(words):
        texts = TEXTS if path[-1] in READ else [TEXTS[(number + step) % len(TEXTS)] for step in range(2)]
        for place, text in enumerate(texts):
            delivery = f"d-{number}-{place}"
            answer = doors.send(forge, put(document, path, text), _kind(forge, what), delivery)
            assert answer.status_code in {200, 202, 400, 401, 403}, (path, text, answer.text)
            assert "x-injected" not in answer.headers
    for event in events(record):
        assert event.ref is None or (event.ref.isprintable() and " " not in event.ref)
        assert event.revision is None or event.revision.isalnum()
        assert event.target.isprintable()
        assert "evil.example" not in event.target


def _at(document, path):
    for name in path:
        document = document[name]
    return document


def test_text_in_the_headers_of_a_delivery_is_text(doors, record):
    """A delivery's id and kind are kept as they are, bounded, or refused; nothing else happens."""
    texts = [text for text in TEXTS if text.isascii() and text.isprintable()]
    for number, text in enumerate(texts):
        for kind, delivery in ((text, f"d-{number}"), ("push", text)):
            answer = doors.send("github", "github-push-branch", kind, delivery)
            assert answer.status_code in {200, 202, 400}, (text, answer.text)
    for row in deliveries(record):
        assert row.delivery_id.startswith("d-") or row.delivery_id in texts
        assert len(row.kind) <= LONGEST_TEXT


def test_bytes_in_headers_are_refused(doors, record):
    """A header that is no ASCII is no signature, no id and no event: refused, and nothing is recorded."""
    body = (PAYLOADS / "github-push-branch.json").read_bytes()
    for name in (b"X-GitHub-Event", b"X-GitHub-Delivery", b"X-Hub-Signature-256"):
        headers = {b"X-GitHub-Event": b"push", b"X-GitHub-Delivery": b"d-1"}
        headers |= {b"X-Hub-Signature-256": b"sha256=" + b"0" * 64, name: b"\xff\xfe\xc3\xbc"}
        answer = doors.client.post("/webhooks/github", content=body, headers=headers)
        assert answer.status_code in {400, 401, 403}, name
    assert events(record) == []
