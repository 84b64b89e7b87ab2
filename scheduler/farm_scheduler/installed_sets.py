"""What the environments of an attempt had, and which files its machine fetched: into the record, and out of it.

Called by the worker when an attempt ends, and by doors and windows. It reads and writes rows, and never compares:
what they mean beside those of another job is set_comparison's.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version
from sqlalchemy import insert
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from farm_scheduler.errors import NotFoundError
from farm_scheduler.job_lookup import find_job
from farm_scheduler.set_tables import FetchedFile, InstalledSet
from farm_scheduler.tables import Attempt
from farm_scheduler.told_sets import ToldPackage, ToldSet

MOST_PYLOCKS = 8 << 20
"""Characters of all pylock.toml of an attempt together."""

MOST_PACKAGES = 20_000
"""Packages of all environments of an attempt together."""

MOST_FETCHED = 5000
"""Files of an attempt that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSets:
    """What one job had, by its newest attempt that tells.

    Attributes:
        label: the cell.
        sets: by environment.
        fetched: what its machine had from the index proxy, by name.
    """

    job_id: str
    run_id: str
    label: str
    attempt_id: str
    sets: tuple[InstalledSet, ...]
    fetched: tuple[FetchedFile, ...]


def store_sets(
    session: Session, attempt_id: str, told: Mapping[str, ToldSet], fetched: Iterable[FetchedFile]
) -> None:
    """Write what an attempt had, once; a second time changes nothing."""
    if session.get(Attempt, attempt_id) is None or _any(session, attempt_id):
        return
    files = list(islice(fetched, MOST_FETCHED))
    known = _by_release(files)
    rows, left, text_left = [], MOST_PACKAGES, MOST_PYLOCKS
    for environment, each in told.items():
        packages = [asdict(_with_file(package, known)) for package in each.packages[:left]]
        left -= len(packages)
        pylock = each.pylock if each.pylock is not None and len(each.pylock) <= text_left else None
        text_left -= len(pylock or "")
        rows.append(
            {
                "attempt_id": attempt_id,
                "environment": environment,
                "installer": each.installer,
                "lock": each.lock,
                "constraints": list(each.constraints),
                "packages": packages,
                "size": len(packages),
                "yanked": list(each.yanked),
                "pylock": pylock,
            }
        )
    if rows:
        session.execute(insert(InstalledSet), rows)
    if files:
        session.execute(insert(FetchedFile), [each.model_dump(exclude={"id"}) for each in files])


def read_fetched(record: Path, attempt_id: str) -> list[FetchedFile]:
    """The files of a machine's record at the index proxy, each once; none where there is no record."""
    found: dict[tuple[str, str | None], FetchedFile] = {}
    try:
        with record.open("rb") as lines:
            for line in lines:
                each = _fetched(line, attempt_id)
                if each is not None and len(found) < MOST_FETCHED:
                    key = (each.file, each.sha256)
                    before = found[key].bytes if key in found else 0
                    each.bytes = max(before, each.bytes)
                    found[key] = each
    except FileNotFoundError:
        return []
    return sorted(found.values(), key=lambda each: (each.file, each.sha256 or ""))


def read_sets(session: Session, job_id: str) -> JobSets:
    """What a job had.

    Raises:
        NotFoundError: there is no such job, or none of its attempts tells what it had.
    """
    found = find_sets(session, job_id)
    if found is None:
        sentence = f"job {job_id} has not told what it installed: its environments were not made, or not yet"
        raise NotFoundError(sentence, job=job_id)
    return found


def find_sets(session: Session, job_id: str) -> JobSets | None:
    """The same; None where it has not told.

    Raises:
        NotFoundError: there is no such job.
    """
    _job, run, cell = find_job(session, job_id)
    chosen = (
        select(Attempt.id)
        .where(Attempt.job_id == job_id, col(Attempt.id).in_(select(InstalledSet.attempt_id)))
        .order_by(col(Attempt.number).desc())
    )
    attempt_id = session.exec(chosen.limit(1)).first()
    if attempt_id is None:
        return None
    sets = select(InstalledSet).where(InstalledSet.attempt_id == attempt_id)
    fetched = select(FetchedFile).where(FetchedFile.attempt_id == attempt_id)
    return JobSets(
        job_id=job_id,
        run_id=run.id,
        label=cell.label,
        attempt_id=attempt_id,
        sets=tuple(session.exec(sets.order_by(col(InstalledSet.id)))),
        fetched=tuple(session.exec(fetched.order_by(col(FetchedFile.id)))),
    )


def sentences(session: Session, attempts: Sequence[str]) -> dict[str, str]:
    """What each of these attempts had, in a few words for people: `27 packages by uv.lock (sha256 3f2a1b0c)`."""
    told = (InstalledSet.attempt_id, InstalledSet.environment, InstalledSet.lock, InstalledSet.constraints)
    rows = session.execute(
        select_columns(*(col(each) for each in told), col(InstalledSet.size))
        .where(col(InstalledSet.attempt_id).in_(attempts))
        .order_by(col(InstalledSet.id))
    ).all()
    found: dict[str, list[str]] = {}
    for attempt, environment, lock, constraints, size in rows:
        sources = [_source(each, "path") for each in ([lock] if lock else [])]
        sources += [_source(each, "source") for each in constraints]
        by = f" by {', '.join(sources)}" if sources else ""
        packages = f"{size} package" + ("" if size == 1 else "s")
        found.setdefault(attempt, []).append(f"{environment}: {packages}{by}")
    return {attempt: "; ".join(parts) for attempt, parts in found.items()}


def _source(told: Mapping[str, Any], name: str) -> str:
    digest = str(told.get("sha256", ""))[:8]
    return f"{told.get(name, 'a file')}" + (f" (sha256 {digest})" if digest else "")


def _any(session: Session, attempt_id: str) -> bool:
    counted = [
        session.exec(select(func.count()).select_from(table).where(col(table.attempt_id) == attempt_id)).one()
        for table in (InstalledSet, FetchedFile)
    ]
    return any(counted)


def _fetched(line: bytes, attempt_id: str) -> FetchedFile | None:
    try:
        told = json.loads(line)
        sha256 = told["sha256"]
        return FetchedFile(
            attempt_id=attempt_id,
            file=str(told["file"])[:300].replace("\0", "\ufffd"),
            sha256=None if sha256 is None else str(sha256)[:64],
            bytes=int(told["bytes"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None  # the last line of a proxy that was killed


def _by_release(files: Iterable[FetchedFile]) -> dict[tuple[str, str], list[FetchedFile]]:
    found: dict[tuple[str, str], list[FetchedFile]] = {}
    for file in files:
        try:
            if file.file.endswith(".whl"):
                name, version, *_ = parse_wheel_filename(file.file)
            else:
                name, version = parse_sdist_filename(file.file)
        except (InvalidWheelFilename, InvalidSdistFilename):
            continue
        found.setdefault((name, str(version)), []).append(file)
    return found


def _with_file(package: ToldPackage, known: Mapping[tuple[str, str], list[FetchedFile]]) -> ToldPackage:
    """The package with the file that the machine fetched for it, where there was one only and nobody said another."""
    if package.file is not None or package.hash is not None:
        return package
    try:
        files = known.get((package.name, str(Version(package.version))), [])
    except InvalidVersion:
        return package
    if len(files) != 1 or files[0].sha256 is None:
        return package
    return replace(package, file=files[0].file, hash=f"sha256:{files[0].sha256}")
