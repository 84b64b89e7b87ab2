"""Requests to one farm: sent, made again where that is safe, and their answers told from problems.

Called by farm. It knows HTTP and nothing of runs. A request that may have done something is never made again without a
key that keeps it from being done twice.
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Dict, Iterator, Mapping, Optional, Type, TypeVar

from wheelfarm_client.errors import AnswerError, ClientError, ProblemError, UnreachableError, problem_error
from wheelfarm_client.event_parser import Event, EventParser
from wheelfarm_client.pauses import pause
from wheelfarm_client.retrying import is_worth_it, may_repeat, pause_seconds

if TYPE_CHECKING:
    from types import TracebackType

    import httpx

Self = TypeVar("Self", bound="Connection")
PREFIX = "/api/v1"
QUIET_SECONDS = 60.0
"""A live stream that says nothing for so long is broken: a farm sends a sign of life every 15 s."""

AGAIN_SECONDS = 1.0
"""Between a live stream that the farm ended and the next one."""


class Connection:
    """A farm at an address.

    Args:
        server: its address, such as `https://farm.example`.
        token: `wf_…`, or None to come as anybody.
        timeout: seconds for each step of a request (connect, send, receive).
        retries: how often a request is made again, where that is safe.
        transport: another way to send than over the network.

    Raises:
        ClientError: the address or the token is none.
    """

    def __init__(
        self,
        server: str,
        token: Optional[str] = None,
        *,
        timeout: float = 30.0,
        retries: int = 5,
        transport: Optional[httpx.BaseTransport] = None,
    ) -> None:
        import httpx  # here and below when it is used: it brings what backends there are

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if token and not (token.isascii() and token.isprintable()):
            raise ClientError("the token is none: it has a line's end, or a letter that none has")
        self.server = server.rstrip("/")
        self._retries = retries
        try:
            self._client = httpx.Client(
                base_url=self.server + PREFIX,
                headers={"User-Agent": "wheelfarm-client", **headers},
                timeout=timeout,
                transport=transport,
            )
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ClientError(f"{server} is no address ({error})") from error

    def __enter__(self: Self) -> Self:
        """The connection itself."""
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]] = None,
        error: Optional[BaseException] = None,
        trace: Optional[TracebackType] = None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let go of what is open."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Optional[Mapping[str, Any]] = None,
        body: Optional[Mapping[str, Any]] = None,
        content: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Any:
        """The JSON that the farm answers; None where it answers with nothing.

        Raises:
            ProblemError: the farm told a problem.
            UnreachableError: it does not answer.
            AnswerError: the answer is no JSON, or not to be read at all.
        """
        import httpx

        sent = _headers(method, headers)
        wanted = {name: value for name, value in (params or {}).items() if value is not None}
        request = self._client.build_request(
            method, path, params=wanted or None, json=body, content=content, headers=sent
        )
        repeatable = may_repeat(method, has_key="Idempotency-Key" in sent)
        tried = 0
        while True:
            after = None
            try:
                response = self._client.send(request)
                if response.status_code < 400:
                    return _document(response)
                error: Exception = _problem(response)
                after = response.headers.get("retry-after")
                again = is_worth_it(response.status_code, getattr(error, "code", ""))
            except httpx.TransportError as failure:
                error, again = _unreachable(self.server, failure), True
            except httpx.DecodingError as failure:
                raise _garbled(self.server) from failure
            if not (again and repeatable and tried < self._retries):
                raise error
            pause(pause_seconds(tried, after))
            tried += 1

    def pages(self, path: str, params: Optional[Mapping[str, Any]] = None) -> Iterator[Dict[str, Any]]:
        """The items of a list, page after page as they are wanted."""
        after: Optional[str] = None
        while True:
            page = self.request("GET", path, params={**(params or {}), "after": after})
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise AnswerError(f"{self.server} gave no page of a list")
            for item in page["items"]:
                yield item
            after = page.get("next")
            if after is None:
                return

    def file(self, path: str) -> Iterator[bytes]:
        """A file, in chunks. What has come is not asked for again: a connection that breaks is an error."""
        import httpx

        try:
            with self._open(path, {}) as response:
                for chunk in response.iter_bytes():
                    yield chunk
        except httpx.TransportError as failure:
            raise _unreachable(self.server, failure) from failure

    def events(self, path: str, last_id: Optional[str] = None) -> Iterator[Event]:
        """Live events up to the one called `end`; a stream that breaks, or is ended, goes on behind the last event.

        A farm ends each stream after a while, whether or not something happened: only what breaks counts as a try.

        Raises:
            ProblemError: the farm told a problem.
            UnreachableError: it does not answer, or its streams break again and again.
            AnswerError: what came is no stream of a farm.
        """
        import httpx

        tried, ended = 0, False
        while True:
            parser = EventParser()
            parser.last_id = last_id
            error: Optional[Exception] = None
            try:
                with self._open(path, _event_headers(last_id)) as response:
                    _check_stream(response)
                    for chunk in response.iter_raw():
                        for event in parser.feed(chunk):
                            tried, last_id = 0, event.id
                            ended = event.kind == "end"
                            yield event
            except httpx.TransportError as failure:
                error = _unreachable(self.server, failure)
            except ProblemError as problem:
                if not is_worth_it(problem.status, problem.code):
                    raise
                error = problem
            if ended:
                return  # read to its end, so that nothing stays open
            if error is None:
                tried = 0
                pause(AGAIN_SECONDS)
                continue
            if tried >= self._retries:
                raise error
            pause(pause_seconds(tried, None))
            tried += 1

    @contextmanager
    def _open(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """A response whose body is read piece by piece."""
        import httpx

        limits = httpx.Timeout(self._client.timeout.connect, read=QUIET_SECONDS)
        with self._client.stream("GET", path, headers=dict(headers), timeout=limits) as response:
            try:
                if response.status_code >= 400:
                    response.read()
                    raise _problem(response)
                yield response
            except httpx.DecodingError as failure:
                raise _garbled(self.server) from failure


def _headers(method: str, headers: Optional[Mapping[str, str]]) -> Dict[str, str]:
    key = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
    return {**key, **(headers or {})}


def _event_headers(last_id: Optional[str]) -> Dict[str, str]:
    return {
        "Accept": "text/event-stream",
        "Accept-Encoding": "identity",
        **({"Last-Event-ID": last_id} if last_id else {}),
    }


def _check_stream(response: httpx.Response) -> None:
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise AnswerError(f"{response.url.host} gave no live events; is the address that of a farm?")


def _document(response: httpx.Response) -> Any:
    if response.status_code == 204:
        return None
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError) as error:
        why = "JSON that is nested too deep" if isinstance(error, RecursionError) else "no JSON"
        raise AnswerError(
            f"{response.url.host} answered with {why}; is the address that of a farm?"
        ) from error


def _problem(response: httpx.Response) -> Exception:
    try:
        document = json.loads(response.content)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and "code" in document:
        return problem_error(response.status_code, document)
    return problem_error(
        response.status_code, {"title": f"{response.url.host} answered {response.status_code}"}
    )


def _garbled(server: str) -> AnswerError:
    return AnswerError(
        f"{server} answered with a body that is not in its Content-Encoding; is the address that of a farm?"
    )


def _unreachable(server: str, failure: Exception) -> UnreachableError:
    return UnreachableError(
        f"{server} does not answer ({type(failure).__name__}: {failure}); check the address and the network"
    )
