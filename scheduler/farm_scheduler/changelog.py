"""The changelog of a package index: which sdists came since a serial, by its XML-RPC.

Called by release_watch, only where whole patterns of names are followed. The answer is bounded in bytes and time, and
what is no entry of a changelog is the index's fault; today's expat bounds what entities may become. It never asks
for a list of names.
"""

import asyncio
import ssl
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from farm_scheduler.errors import IndexUnavailableError
from farm_scheduler.simple_index import LONGEST

MAX_ANSWER = 64 << 20
ADDED = "add source file "
"""What the changelog says when an sdist was uploaded; `new release` comes before there is any file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An sdist that came: of which normalized name and version, under which serial."""

    name: str
    version: str
    serial: int


def last_serial(url: str, seconds: float) -> int:
    """Where the changelog ends now.

    Raises:
        IndexUnavailableError: the index did not answer, or not with a number.
    """
    found = _call(url, seconds, "changelog_last_serial")
    if not isinstance(found, int):
        raise IndexUnavailableError(
            f"the changelog {url} has no last serial; check WHEELFARM_CHANGELOG_URL", url=url
        )
    return found


def uploads_since(url: str, seconds: float, serial: int) -> tuple[list[Upload], int]:
    """The sdists that came after a serial, oldest first, and how far the changelog was read.

    Raises:
        IndexUnavailableError: the index did not answer, or not with a changelog.
    """
    entries = _call(url, seconds, "changelog_since_serial", serial)
    try:
        read = [_upload(entry) for entry in entries]
        reached = max([serial, *(int(entry[4]) for entry in entries)])
    except (TypeError, ValueError, IndexError, KeyError) as error:
        sentence = f"{url} gave no changelog ({error}); check WHEELFARM_CHANGELOG_URL"
        raise IndexUnavailableError(sentence, url=url) from error
    return sorted((each for each in read if each is not None), key=lambda each: each.serial), reached


def _upload(entry: Sequence[Any]) -> Upload | None:
    name, version, _time, action, serial = entry
    if not version or not str(action).startswith(ADDED):
        return None
    try:
        normal = canonicalize_name(str(name), validate=True)
        return Upload(name=normal, version=str(Version(str(version))), serial=int(serial))
    except (InvalidName, InvalidVersion):
        return None


def _call(url: str, seconds: float, method: str, *arguments: int) -> Any:
    answer = _ask(url, seconds, xmlrpc.client.dumps(arguments, method))
    try:
        ((found,), _) = xmlrpc.client.loads(answer)
    except Exception as error:  # expat and xmlrpc raise half a dozen kinds for an answer that is none
        sentence = f"{url} gave no XML-RPC ({type(error).__name__}); check WHEELFARM_CHANGELOG_URL"
        raise IndexUnavailableError(sentence, url=url) from error
    return found


def _ask(url: str, seconds: float, body: str) -> bytes:
    try:
        return asyncio.run(_exchange(url, seconds, body))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        sentence = f"the changelog {url} cannot be read ({error}); check WHEELFARM_CHANGELOG_URL"
        raise IndexUnavailableError(sentence, url=url) from error
    except TimeoutError as error:
        raise _endless(url) from error


async def _exchange(url: str, seconds: float, body: str) -> bytes:
    """Async for its clock alone, as simple_index: it holds whatever comes byte by byte, the head of the answer too."""
    answer = bytearray()
    async with (
        asyncio.timeout(LONGEST * seconds),
        httpx.AsyncClient(verify=ssl.create_default_context(), timeout=seconds) as client,
        client.stream("POST", url, content=body, headers={"Content-Type": "text/xml"}) as response,
    ):
        response.raise_for_status()
        async for chunk in response.aiter_bytes():
            answer += chunk
            if len(answer) > MAX_ANSWER:
                raise _endless(url)
    return bytes(answer)


def _endless(url: str) -> IndexUnavailableError:
    return IndexUnavailableError(f"the changelog {url} does not end; try again later", url=url)
