"""Signatures of webhooks: HMAC over the body, a plain token, and Standard Webhooks; each compared in constant time.

Called by the modules of the forges, with every valid secret of a project. All secrets are tried, whichever fits, and
nothing of a secret or a signature is kept or logged.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Sequence

PREFIX = "whsec_"
TOLERANCE_SECONDS = 300.0
"""How far the time of a signed message may be off: an older one is a replay."""


def hex_fits(given: str, body: bytes, secrets: Sequence[str]) -> bool:
    """Whether `given` is the hexadecimal HMAC-SHA256 of the body under one of the secrets."""
    return _any(given, [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets])


def token_fits(given: str, secrets: Sequence[str]) -> bool:
    """Whether `given` is one of the secrets itself."""
    return _any(given, secrets)


def standard_fits(
    message_id: str, timestamp: str, given: str, body: bytes, secrets: Sequence[str], now: float | None = None
) -> bool:
    """Whether one of the signatures in `given` is right (Standard Webhooks 1.0: `v1,` and base64, apart by spaces).

    `now` is in seconds since 1970; None for this moment.
    """
    try:
        age = abs((time.time() if now is None else now) - int(timestamp))
    except (ValueError, OverflowError):
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    right = [standard_signature(secret, signed) for secret in secrets]
    versions = [piece.partition(",") for piece in given.split(" ")]
    fit = [_any(value, right) for version, _, value in versions if version == "v1"]
    return True in fit and age <= TOLERANCE_SECONDS


def standard_signature(secret: str, signed: bytes) -> str:
    """The base64 HMAC-SHA256 of `id.timestamp.body` under a secret of the form `whsec_BASE64`, or a plain word."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = secret.encode()
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def _any(given: str, right: Sequence[str]) -> bool:
    # All are compared, so that the time does not tell which one it was.
    fit = [hmac.compare_digest(given.encode(), each.encode()) for each in right]
    return True in fit
