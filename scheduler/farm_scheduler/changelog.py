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
from datetime import UTC, datetime
from typing import Any

import httpx
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from farm_scheduler.errors import IndexUnavailableError
from farm_scheduler.simple_index import LONGEST

MAX_ANSWER = 64 << 20
HIGHEST = 2**63 - 1
"""The highest serial that the record takes."""

FAR_FUTURE = 1 << 36
"""Seconds since 1970 that no changelog tells."""

ADDED = "add source file "
"""What the changelog says when an sdist was uploaded; `new release` comes before there is any file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An sdist that came: of which normalized name and version, under which serial, and when, where that is told."""

    name: str
    version: str
    serial: int
    uploaded: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What came since a serial: the sdists, oldest first; how far it was read, and where the changelog ends."""

    uploads: list[Upload]
    reached: int
    end: int


def last_serial(url: str, seconds: float) -> int:
    """Where the changelog ends now.

    Raises:
        IndexUnavailableError: the index did not answer, or not with a serial.
    """
    found = _call(url, seconds, "changelog_last_serial")
    if not isinstance(found, int) or not 0 <= found <= HIGHEST:
        raise IndexUnavailableError(
            f"the changelog {url} has no last serial; check WHEELFARM_CHANGELOG_URL", url=url
        )
    return found


def part_since(url: str, seconds: float, serial: int) -> Part:
    """What came after a serial. An entry beyond the end that the index tells afterwards does not count as reached.

    Raises:
        IndexUnavailableError: the index did not answer, or not with a changelog.
    """
    entries = _call(url, seconds, "changelog_since_serial", serial)
    try:
        read = [_upload(entry) for entry in entries]
        serials = [int(entry[4]) for entry in entries]
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        sentence = f"{url} gave no changelog ({error}); check WHEELFARM_CHANGELOG_URL"
        raise IndexUnavailableError(sentence, url=url) from error
    end = last_serial(url, seconds)
    return Part(
        uploads=sorted((each for each in read if each is not None), key=lambda each: each.serial),
        reached=max([serial, *(each for each in serials if each <= end)]),
        end=end,
    )


def _upload(entry: Sequence[Any]) -> Upload | None:
    name, version, moment, action, serial = entry
    if not version or not str(action).startswith(ADDED):
        return None
    try:
        normal = canonicalize_name(str(name), validate=True)
        found = str(Version(str(version)))
    except (InvalidName, InvalidVersion):
        return None
    known = isinstance(moment, int) and 0 < moment < FAR_FUTURE
    uploaded = datetime.fromtimestamp(moment, UTC) if known else None
    return Upload(name=normal, version=found, serial=int(serial), uploaded=uploaded)


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
