"""The watcher of releases: looks at what is followed on the package index, and records what is new as events.

Called by the worker's beat, and by the command and the API (follow, unfollow). What was seen is recorded in the same
transaction as the events of what is new: whatever comes while the farm is down, or while an index fails, is new at the
next look. It never fetches a release: the worker that makes its run does.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from packaging.version import Version
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, select

from farm_scheduler.changelog import Upload, last_serial, part_since
from farm_scheduler.database import Database
from farm_scheduler.deliveries import Incoming, Notice, record_in
from farm_scheduler.errors import FarmError, InputError, TargetError
from farm_scheduler.projects import add_project
from farm_scheduler.settings import Settings
from farm_scheduler.simple_index import Listing, SimpleIndex, SourceFile
from farm_scheduler.tables import Project, now
from farm_scheduler.triggers import Trigger
from farm_scheduler.watch_tables import Changelog, Watch, WatchPattern

LOG = logging.getLogger(__name__)

INDEX = "index"
"""The sender of the deliveries that the watcher records."""

AT_ONCE = 50
"""Pages that one round looks at."""

CLOCKS = timedelta(minutes=5)
"""By how much an index's clock may be behind the farm's."""

UNDATED = "the index tells no upload times"
"""How it is said what was taken for history because of that; it stays said until something is new."""

MOST_NAMED = 10
"""Versions that such a note names."""

BEHIND = "the index is behind"
"""How it is said that a page or the changelog ends before what was seen."""

GO_BACK = 50_000
"""Serials that are read again after that: what PyPI sends at once, of some days."""

PATTERN = re.compile(r"(?=.*[*?])[a-z0-9*?]([a-z0-9*?-]{0,98}[a-z0-9*?])?")
"""A pattern of normalized names: `*` for any letters, `?` for one."""


def follow(session: Session, project: Project) -> bool:
    """Follow the releases of a project from now on; whether it was not followed before."""
    if session.get(Watch, project.id) is not None:
        return False
    session.add(Watch(project_id=project.id))
    return True


def unfollow(session: Session, project: Project) -> bool:
    """Follow it no longer; whether it was followed."""
    watch = session.get(Watch, project.id)
    if watch is None:
        return False
    session.delete(watch)
    return True


def read_pattern(text: str) -> str:
    """A pattern as names are compared with it: in the spelling that the index's names have (PEP 503).

    Raises:
        InputError: it is none.
    """
    pattern = re.sub(r"[-_.]+", "-", text.lower())
    if not PATTERN.fullmatch(pattern):
        sentence = f"{text!r} is no pattern of names; write letters, digits, -, and * or ? for what may vary"
        raise InputError(sentence, pattern=text[:100])
    return pattern


def follow_pattern(session: Session, pattern: str) -> bool:
    """Follow every name that a pattern fits; whether it was not followed before."""
    if session.get(WatchPattern, pattern) is not None:
        return False
    session.add(WatchPattern(pattern=pattern))
    return True


def unfollow_pattern(session: Session, pattern: str) -> bool:
    """Follow it no longer; with the last pattern the place in the changelog is forgotten as well."""
    found = session.get(WatchPattern, pattern)
    if found is None:
        return False
    session.delete(found)
    session.flush()
    if session.exec(select(WatchPattern)).first() is None:
        for changelog in session.exec(select(Changelog)):
            session.delete(changelog)
    return True


def look_around(database: Database, settings: Settings) -> Iterator[str]:
    """Look at all that is due; the ids of the events that were recorded, one by one."""
    index = SimpleIndex(settings.index_url, settings.index_seconds)
    for project_id, name in _claim_due(database, settings):
        yield from _look_safely(database, index, project_id, name)
    yield from _look_at_changelog(database, settings)


def _claim_due(database: Database, settings: Settings) -> list[tuple[str, str]]:
    """What is to be looked at now; nobody else will look at it meanwhile."""
    due = select(Watch, Project.name).join(Project, col(Project.id) == col(Watch.project_id))
    due = due.where(col(Watch.next_look) <= now()).order_by(col(Watch.next_look)).limit(AT_ONCE)
    with database.read() as session:
        if session.exec(due.limit(1)).first() is None:
            return []
    with database.write() as session:
        rows = session.exec(due).all()
        for watch, _name in rows:
            watch.next_look = now() + timedelta(seconds=settings.watch_seconds)
        return [(watch.project_id, name) for watch, name in rows]


def _look_safely(database: Database, index: SimpleIndex, project_id: str, name: str) -> tuple[str, ...]:
    """Look at one page; whatever goes wrong with it is a note on that project, and does not keep the others back."""
    try:
        return _look_at_page(database, index, project_id, name)
    except OperationalError:
        raise  # the record does not answer, and would not take the note either
    except Exception:
        LOG.exception("the look at the page of %s failed unexpectedly", name)
        _say(
            database, project_id, "the look at its page failed unexpectedly; the worker's log has the reason"
        )
        return ()


def _look_at_page(database: Database, index: SimpleIndex, project_id: str, name: str) -> tuple[str, ...]:
    with database.read() as session:
        watch = session.get(Watch, project_id)
    if watch is None:
        return ()
    try:
        listing = index.sdists(name, watch.etag)
    except TargetError as error:
        # No page yet, or not any more.
        return _compare(
            database, project_id, name, Listing(files=(), etag=None, fresh_seconds=0), error.sentence
        )
    except FarmError as error:
        LOG.warning("%s was not looked at: %s", name, error)
        _say(database, project_id, error.sentence)
        return ()
    if listing is None:
        _say(database, project_id, None)
        return ()
    return _compare(database, project_id, name, listing, None)


def _compare(
    database: Database, project_id: str, name: str, listing: Listing, note: str | None
) -> tuple[str, ...]:
    """Record what is new on a page, and that it was seen."""
    with database.write() as session:
        watch = session.get(Watch, project_id)
        if watch is None:
            return ()
        watch.looked = now()
        if listing.serial is not None and watch.serial is not None and listing.serial < watch.serial:
            # Said, not believed: what the page has that was never seen is new all the same.
            note = f"{BEHIND}: its page has serial {listing.serial}, seen was {watch.serial}"
        files = [file for file in listing.files if file.yanked is None]
        there = {str(file.version) for file in files}
        new, history = (there.difference(watch.versions), None) if watch.versions else _since(watch, files)
        if new:
            watch.note = history
        watch.note = _note(watch, note)
        # What vanished stays known: a mirror that has lost it for an hour does not make it new.
        watch.versions = sorted(there.union(watch.versions or ()))
        watch.etag, watch.serial = listing.etag, listing.serial or watch.serial
        return tuple(_record(session, project_id, name, sorted(new)))


def _since(watch: Watch, files: Sequence[SourceFile]) -> tuple[set[str], str | None]:
    """What is new of a name of which nothing is known, and what is to be said of it.

    New is what was uploaded since it is followed. A page that was missing, empty or not to be had is no proof that
    there was nothing. Of versions without a time the newest is new; the note names those that are taken for history.
    """
    first: dict[Version, datetime] = {}
    for file in files:
        if file.uploaded is not None:
            first[file.version] = min(first.get(file.version, file.uploaded), file.uploaded)
    new = {str(version) for version, uploaded in first.items() if uploaded > watch.followed - CLOCKS}
    undated = sorted({file.version for file in files}.difference(first), reverse=True)
    if not undated:
        return new, None
    newest, *history = [str(version) for version in undated]
    if not history:
        return {*new, newest}, None
    more = [f"{len(history) - MOST_NAMED} more"] if len(history) > MOST_NAMED else []
    named = ", ".join(history[:MOST_NAMED] + more)
    return {*new, newest}, f"{UNDATED}: {newest} counts as new, and as its history {named}"


def _note(watch: Watch, said: str | None) -> str | None:
    """What is to be said of a watch that has nothing new; what was taken for history stays said."""
    _, begin, rest = (watch.note or "").partition(UNDATED)
    return "; ".join(part for part in (said, begin + rest) if part) or None


def _record(session: Session, project_id: str, name: str, versions: Iterable[str]) -> Iterator[str]:
    """One event for each version that is not recorded yet, whoever told of it."""
    for version in versions:
        target = f"{name}=={version}"
        incoming = Incoming(
            forge=INDEX,
            delivery_id=target,
            project_id=project_id,
            kind="release",
            notices=[Notice(trigger=Trigger.RELEASE, target=target)],
        )
        yield from record_in(session, incoming) or ()


def _say(database: Database, project_id: str, note: str | None) -> None:
    with database.write() as session:
        watch = session.get(Watch, project_id)
        if watch is not None:
            watch.looked, watch.note = now(), _note(watch, note)


def _look_at_changelog(database: Database, settings: Settings) -> tuple[str, ...]:
    url, seconds = settings.changelog_url, settings.index_seconds
    with database.read() as session:
        patterns = session.exec(select(WatchPattern)).all()
        place = session.get(Changelog, url)
    if not patterns or (place is not None and place.next_look > now()):
        return ()
    next_look = now() + timedelta(seconds=settings.watch_seconds)
    try:
        if place is None:
            _begin_changelog(
                database, Changelog(url=url, serial=last_serial(url, seconds), next_look=next_look)
            )
            return ()
        uploads, reached, note = _read_on(place, seconds)
    except FarmError as error:
        LOG.warning("%s", error)
        with database.write() as session:
            if (row := session.get(Changelog, url)) is not None:
                row.note, row.next_look = error.sentence, next_look
        return ()
    wanted = [(each.name, each.version) for each in uploads if _is_wanted(each, patterns)]
    with database.write() as session:
        row = session.get(Changelog, url)
        if row is None or row.serial != place.serial:
            return ()  # somebody else read the same part
        row.serial, row.note, row.next_look = reached, note, next_look
        found: list[str] = []
        for name, version in dict.fromkeys(wanted):
            found.extend(_record(session, _project(session, name).id, name, [version]))
    return tuple(found)


def _begin_changelog(database: Database, place: Changelog) -> None:
    with database.write() as session:
        if session.get(Changelog, place.url) is None:
            session.add(place)


def _read_on(place: Changelog, seconds: float) -> tuple[list[Upload], int, str | None]:
    """What came since the last look, how far the changelog is read now, and what is to be said of it.

    One that ends before the place is an older copy, or the place is of a wrong answer. That is said, and the next look
    reads its last part again: what is recorded already is not new.
    """
    start = place.serial
    if (place.note or "").startswith(BEHIND):
        start = min(start, max(0, last_serial(place.url, seconds) - GO_BACK))
    part = part_since(place.url, seconds, start)
    reached = part.reached if part.reached > start else place.serial
    note = f"{BEHIND}: its changelog ends at serial {part.end}, read was {reached}"
    return part.uploads, reached, note if part.end < reached else None


def _is_wanted(upload: Upload, patterns: Sequence[WatchPattern]) -> bool:
    """Whether it fits a pattern, and came since that is followed, as far as the index tells."""
    fitting = [each for each in patterns if fnmatchcase(upload.name, each.pattern)]
    return any(upload.uploaded is None or upload.uploaded > each.created - CLOCKS for each in fitting)


def _project(session: Session, name: str) -> Project:
    known = session.exec(select(Project).where(Project.name == name)).first()
    return known or add_project(session, name, None, None)
