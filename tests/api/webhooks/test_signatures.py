"""Signatures, held against the vectors that their authors publish."""

import pytest

from farm_api.webhooks.signatures import hex_fits, standard_fits, token_fits

GITHUB = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
PAGURE_BODY = (
    b'{"i": 1, "msg": {"pagure_instance": "http://localhost.localdomain/", "payload": ["a", "b", "c"], '
    b'"project_fullname": "test"}, "msg_id": "2018-not_so_random", "timestamp": 2, "topic": "topic"}'
)
PAGURE = "f3d757796554466eac49a5282b24ee32a1ecfb65dedd6c6231fb207240a9fe58"
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
STANDARD_ID, STANDARD_TIME = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"


@pytest.mark.parametrize(
    ("given", "body", "secret"),
    [(GITHUB, b"Hello, World!", "It's a Secret to Everybody"), (PAGURE, PAGURE_BODY, "aaabbbccc")],
)
def test_published_hex_signatures_fit(given, body, secret):
    """GitHub's example in its documentation, and Pagure's in its tests, fit under one secret of several."""
    assert hex_fits(given, body, ["another", secret])
    assert not hex_fits(given, body + b" ", [secret])
    assert not hex_fits(given, body, ["another"])
    assert not hex_fits(given, body, [])
    assert not hex_fits("é" * 64, body, [secret])


def test_the_standard_signature_fits_in_its_time():
    """The example of Standard Webhooks fits beside others, and not once its time is over or its version unknown."""
    fits = {"now": float(STANDARD_TIME) + 60}
    several = f"v1a,xx v1,AAAA {STANDARD}"
    assert standard_fits(STANDARD_ID, STANDARD_TIME, several, STANDARD_BODY, [STANDARD_SECRET], **fits)
    late = {"now": float(STANDARD_TIME) + 301}
    assert not standard_fits(STANDARD_ID, STANDARD_TIME, STANDARD, STANDARD_BODY, [STANDARD_SECRET], **late)
    other = STANDARD.replace("v1", "v2")
    assert not standard_fits(STANDARD_ID, STANDARD_TIME, other, STANDARD_BODY, [STANDARD_SECRET], **fits)
    assert not standard_fits("msg_x", STANDARD_TIME, STANDARD, STANDARD_BODY, [STANDARD_SECRET], **fits)
    assert not standard_fits(STANDARD_ID, "9" * 400, STANDARD, STANDARD_BODY, [STANDARD_SECRET], **fits)
    assert not standard_fits(STANDARD_ID, "soon", STANDARD, STANDARD_BODY, [STANDARD_SECRET], **fits)


def test_a_token_is_compared_whole():
    """A token fits when it is one of the secrets, and a part of one is none."""
    assert token_fits("abc", ["x", "abc"])
    assert not token_fits("ab", ["abc"])
    assert not token_fits("", ["abc"])
