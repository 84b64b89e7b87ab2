"""Project pages, fresh enough: from memory, from the store, or from the upstream, asked once at a time.

Called by `site`. A copy is fresh for as long as its upstream allows, and for a time of ours at least; then it is
asked for conditionally. When the upstream fails, the old copy is used, so that what was seen once can be installed
offline. It never serves a page of another upstream.
"""

import asyncio
import json
import logging
import os
import time
from collections import OrderedDict
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import partial
from typing import BinaryIO

from farm_workers.index.guests import Fetches
from farm_workers.index.pages import JSON_TYPE, ProjectPage, read_page, write_html, write_json
from farm_workers.index.store import Store
from farm_workers.index.upstream import PageAnswer, Upstream, UpstreamError

_LOG = logging.getLogger(__name__)
_MEMORY_BYTES = 24 * 1024 * 1024  # as they came; read, they are several times larger
_LARGE_PAGE = 256 * 1024
_FORMS = 4
_MISSING_SECONDS = 60.0  # and as long as a page is fresh for us
_MISSING_NAMES = 4096


@dataclass(slots=True, kw_only=True)
class CachedPage:
    """A page with its age, its validators, and the forms that were already written, by content type and cut-off."""

    page: ProjectPage
    fetched: float
    fresh_seconds: float
    etag: str | None
    last_modified: str | None
    size: int
    forms: dict[tuple[str, datetime | None], bytes] = field(default_factory=dict)

    async def form(self, kind: str, cutoff: datetime | None = None) -> bytes:
        """Give the page as a guest gets it, written the first time (a large one apart from the loop)."""
        key = (kind, cutoff)
        if key not in self.forms:
            large = self.size > _LARGE_PAGE
            form = await asyncio.to_thread(self._write, *key) if large else self._write(*key)
            if cutoff is not None and len(self.forms) >= _FORMS:  # machines with other cut-offs ask again
                self.forms.clear()
            self.forms[key] = form
        return self.forms[key]

    def _write(self, kind: str, cutoff: datetime | None) -> bytes:
        return (write_json if kind == JSON_TYPE else write_html)(self.page.as_of(cutoff))


class PageCache:
    """The pages of one upstream; `seconds` is how long a copy counts as fresh at least."""

    def __init__(self, store: Store, upstream: Upstream, *, seconds: float) -> None:
        self._store = store
        self._upstream = upstream
        self._seconds = seconds
        self._memory: OrderedDict[str, CachedPage] = OrderedDict()
        self._missing: OrderedDict[str, float] = OrderedDict()
        self._memory_bytes = 0
        self._running: dict[tuple[str, bool], asyncio.Task[CachedPage]] = {}

    async def get(self, name: str, fetches: Fetches, *, any_age: bool = False) -> CachedPage:
        """Give the page of a normalised name; `any_age` takes an old copy without asking.

        `fetches` is the requesting machine's share of upstream requests. Raises UpstreamError.
        """
        held = self._memory.get(name)
        if held and (any_age or self._fresh(held)):
            self._memory.move_to_end(name)
            return held
        if self._missing.get(name, 0.0) > time.monotonic():
            raise UpstreamError(f"The package index has no project {name}.", status=404)
        await fetches.acquire()
        try:
            key = (name, any_age)
            task = self._running.get(key)
            if task is None:
                task = self._running[key] = asyncio.create_task(self._renew(name, any_age=any_age))
                task.add_done_callback(partial(self._ended, key))
            held = await asyncio.shield(task)
            fetches.charge(held.size)
            return held
        finally:
            fetches.release()

    def _ended(self, key: tuple[str, bool], task: asyncio.Task[CachedPage]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # seen here too: every guest that waited may have left

    def _fresh(self, held: CachedPage) -> bool:
        return abs(time.time() - held.fetched) < max(self._seconds, held.fresh_seconds)

    async def _renew(self, name: str, *, any_age: bool) -> CachedPage:
        held = self._memory.get(name) or await self._load(name)
        if held and (any_age or self._fresh(held) or self._upstream.in_trouble):
            return self._remember(name, held)
        try:
            answer = await self._upstream.page(
                name, etag=held.etag if held else None, last_modified=held.last_modified if held else None
            )
            if answer is None and held:
                self._store.refresh("pages", name)
                held.fetched = time.time()
                return self._remember(name, held)
            if answer is None:
                raise _unasked(name)
            fresh = await asyncio.to_thread(_parse, name, answer, time.time())
        except UpstreamError as error:
            if error.status == 404:
                self._miss(name)
            elif held:
                return self._remember(name, held)
            raise
        await self._save(name, answer)
        return self._remember(name, fresh)

    def _remember(self, name: str, held: CachedPage) -> CachedPage:
        self._forget(name)
        self._memory[name] = held
        self._memory_bytes += held.size
        while self._memory_bytes > _MEMORY_BYTES and len(self._memory) > 1:
            self._forget(next(iter(self._memory)))
        return held

    def _forget(self, name: str) -> None:
        held = self._memory.pop(name, None)
        self._memory_bytes -= held.size if held else 0

    def _miss(self, name: str) -> None:
        self._forget(name)
        self._store.remove("pages", name)
        self._missing[name] = time.monotonic() + max(_MISSING_SECONDS, self._seconds)
        if len(self._missing) > _MISSING_NAMES:
            self._missing.popitem(last=False)

    async def _save(self, name: str, answer: PageAnswer) -> None:
        heading = {each.name: getattr(answer, each.name) for each in fields(answer) if each.name != "body"}
        draft = self._store.draft()
        try:
            draft.write(json.dumps(heading).encode() + b"\n" + answer.body)
            await self._store.keep("pages", name, draft)
        except OSError as error:  # the page can be served all the same
            self._store.discard(draft)
            _LOG.error("The page of %s could not be kept (%s); free some disk space.", name, error)

    async def _load(self, name: str) -> CachedPage | None:
        entry = self._store.open("pages", name)
        if entry is None:
            return None
        with entry:
            return await asyncio.to_thread(self._read, name, entry)

    def _read(self, name: str, entry: BinaryIO) -> CachedPage | None:
        try:
            answer = PageAnswer(**json.loads(entry.readline()), body=entry.read())
            known = answer.index == self._upstream.root
            return _parse(name, answer, os.fstat(entry.fileno()).st_mtime) if known else None
        except (ValueError, TypeError, UpstreamError):  # damaged, or of another version: fetched anew
            return None


def _unasked(name: str) -> UpstreamError:
    return UpstreamError(
        f"The package index answered 304 for {name} unasked; see what is wrong with it.", status=502
    )


def _parse(name: str, answer: PageAnswer, fetched: float) -> CachedPage:
    try:
        page = read_page(name=name, url=answer.url, content_type=answer.content_type, body=answer.body)
    except ValueError as error:
        sentence = (
            f"What the package index sent for {answer.url} is no project page; see what is wrong with it."
        )
        raise UpstreamError(sentence, status=502) from error
    return CachedPage(
        page=page,
        fetched=fetched,
        fresh_seconds=answer.fresh_seconds,
        etag=answer.etag,
        last_modified=answer.last_modified,
        size=len(answer.body),
    )
