"""Garbage: what of a home nobody wants any more, found by looking at the record and the disk.

Called by the command and the API; disposal removes it. Kept in any case: the newest image of each name, what a job that
has not ended needs, and what a machine of this host stands on. It changes nothing.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel import Session, col, func, select

from farm_images.catalogue import images
from farm_images.overlays import disks_in_use
from farm_scheduler.settings import Settings
from farm_scheduler.states import RUN_ENDED
from farm_scheduler.tables import Attempt, Image, Run

GONE = ".gone-"
"""In front of the name of a folder that is being removed: nothing finds it any more, and the next one takes it."""

UNKNOWN_DAYS = 1.0
"""How old a file must be that the record does not know (yet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """One file or folder to remove.

    Attributes:
        kind: `image`, `template`, `evidence`, `source`, `download record` or `remains`.
        name: what people call it.
        bytes: what it takes on the disk.
        reason: why it can go.
        attempt: of evidence, when the record knows it.
    """

    kind: str
    name: str
    path: Path
    bytes: int
    reason: str
    attempt: str | None = None


def find_garbage(session: Session, settings: Settings, moment: datetime) -> list[Garbage]:
    """All of it, as of now.

    Raises:
        ImageError: what the machines of this host stand on cannot be read.
    """
    evidence_before = moment - timedelta(days=settings.keep_evidence_days)
    old_images = list(_images(session, settings, moment))
    gone = {item.path.name for item in old_images}
    return [
        *_remains(settings),
        *old_images,
        *_templates(settings, gone),
        *_evidence(session, settings, evidence_before, moment),
        *_sources(session, settings, evidence_before, moment),
        *_download_records(settings, evidence_before),
    ]


def size_of(path: Path) -> int:
    """Bytes on the disk, holes not counted."""
    paths = [path, *path.rglob("*")] if path.is_dir() else [path]
    total = 0
    for each in paths:
        with contextlib.suppress(OSError):
            total += each.lstat().st_blocks * 512
    return total


def _images(session: Session, settings: Settings, moment: datetime) -> Iterator[Garbage]:
    baked = images(settings.images)
    wanted = set(session.exec(select(Image.digest)))
    wanted |= set(session.exec(select(Attempt.image_digest).where(col(Attempt.finished).is_(None))))
    wanted |= {
        next(image.digest for image in baked if image.name == name) for name in {i.name for i in baked}
    }
    used = disks_in_use(settings.home)
    last = _last_uses(session)
    for image in baked:
        if image.digest in wanted or image.disk in used:
            continue
        use = max(
            datetime.fromtimestamp(image.baked, UTC), last.get(image.digest, datetime.min.replace(tzinfo=UTC))
        )
        if moment - use > timedelta(days=settings.keep_images_days):
            yield _garbage(
                "image", f"{image.name} {image.digest[:12]}", image.folder, f"last used {use:%Y-%m-%d}"
            )


def _last_uses(session: Session) -> dict[str, datetime]:
    rows = session.exec(
        select(Attempt.image_digest, func.max(Attempt.leased)).group_by(col(Attempt.image_digest))
    ).all()
    return {digest: use for digest, use in rows if digest is not None}


def _templates(settings: Settings, going: Iterable[str]) -> Iterator[Garbage]:
    there = {image.digest for image in images(settings.images)} - set(going)
    used = {disk.parent for disk in disks_in_use(settings.home)}
    for key in sorted((settings.home / "templates").glob("[!.]*/key.json")):
        folder = key.parent
        # One that is being made is its maker's.
        if folder.suffix != ".part" and folder not in used and _image_of(key) not in there:
            yield _garbage("template", folder.name[:12], folder, "its image is gone")


def _image_of(key: Path) -> str | None:
    try:
        return str(json.loads(key.read_text(encoding="utf-8"))["image"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _evidence(session: Session, settings: Settings, before: datetime, moment: datetime) -> Iterator[Garbage]:
    rows = session.exec(
        select(Attempt.id, Attempt.finished, Attempt.stream_path).where(col(Attempt.stream_path).is_not(None))
    ).all()
    known = set()
    for attempt, finished, name in rows:
        path = settings.home / str(name)
        known.add(path)
        if finished is not None and finished < before:
            yield _garbage("evidence", attempt, path, f"of {finished:%Y-%m-%d}", attempt)
    for path in sorted(settings.streams.iterdir()):
        if path not in known and _age(path, moment) > UNKNOWN_DAYS:
            yield _garbage("evidence", path.name, path, "the record does not know it")


def _sources(session: Session, settings: Settings, before: datetime, moment: datetime) -> Iterator[Garbage]:
    wanted, known = set(), set()
    for digest, state, created, finished in session.exec(
        select(Run.source_sha256, Run.state, Run.created, Run.finished)
    ):
        known.add(digest)
        if state not in RUN_ENDED or (finished or created) >= before:
            wanted.add(digest)
    for path in sorted(settings.sources.iterdir()):
        digest = path.name.partition(".")[0]
        if digest in known - wanted:
            yield _garbage("source", digest[:12], path, f"no run since {before:%Y-%m-%d}")
        elif digest not in known and _age(path, moment) > UNKNOWN_DAYS:
            yield _garbage("source", path.name[:12], path, "no run has it")


def _download_records(settings: Settings, before: datetime) -> Iterator[Garbage]:
    records = [
        *(settings.home / "index" / "downloads").glob("*.jsonl"),
        *(settings.home / "releases").glob("*"),
        *(settings.home / "constraints").glob("*"),
    ]
    for path in sorted(records):
        if path.stat().st_mtime < before.timestamp():
            yield _garbage("download record", path.stem, path, f"older than {before:%Y-%m-%d}")


def _remains(settings: Settings) -> Iterator[Garbage]:
    """What a removal left that did not come to its end."""
    places = [*settings.images.glob(f"*/{GONE}*"), *(settings.home / "templates").glob(f"{GONE}*")]
    for path in sorted(places):
        yield _garbage(
            "remains", path.name.removeprefix(GONE)[:12], path, "an earlier removal was interrupted"
        )


def _age(path: Path, moment: datetime) -> float:
    """Days since the last change; 0 for what has gone meanwhile."""
    with contextlib.suppress(OSError):
        return (moment.timestamp() - path.stat().st_mtime) / 86400
    return 0.0


def _garbage(kind: str, name: str, path: Path, reason: str, attempt: str | None = None) -> Garbage:
    return Garbage(kind=kind, name=name, path=path, bytes=size_of(path), reason=reason, attempt=attempt)
