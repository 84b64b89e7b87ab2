"""What goes wrong between a client and a farm, with one root: ClientError.

Raised by connection and decoding. A problem that the server tells has its stable code. Nothing here prints.
"""

from typing import Any, Mapping


class ClientError(Exception):
    """Any error of this package; its text is one sentence."""


class UnreachableError(ClientError):
    """The server does not answer, or the connection broke and did not come back."""


class AnswerError(ClientError):
    """The server's answer is not that of a farm that this client knows."""


class ProblemError(ClientError):
    """The server told a problem (RFC 9457).

    Attributes:
        status: of HTTP.
        code: stable; the farm's docs/errors.md has all of them.
        data: what the sentence is about, in parts.
    """

    def __init__(self, status: int, code: str, sentence: str, data: Mapping[str, Any]) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.data = dict(data)


class DeniedError(ProblemError):
    """A token is needed, or the one that was sent is not enough (401, 403)."""


class MissingError(ProblemError):
    """There is no such thing, or none that the token may see (404)."""


class BusyError(ProblemError):
    """Too many requests, or the farm is out of order for a while (429, 503), after all retries."""


class RefusedError(ProblemError):
    """The source of a run was fetched or checked, and cannot be used."""


def problem_error(status: int, document: Mapping[str, Any]) -> ProblemError:
    """The error that a problem document describes."""
    kinds = {401: DeniedError, 403: DeniedError, 404: MissingError, 429: BusyError, 503: BusyError}
    kind = kinds.get(status, ProblemError)
    sentence = str(document.get("title") or f"the server answered {status}")
    data = document.get("data")
    return kind(status, str(document.get("code", "http")), sentence, data if isinstance(data, dict) else {})
