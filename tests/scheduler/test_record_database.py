"""The record's database: sessions, locks, times and words."""

import threading
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError
from sqlmodel import select

from farm_scheduler.database import Database
from farm_scheduler.errors import RecordError
from farm_scheduler.schema import upgrade
from farm_scheduler.states import RunState
from farm_scheduler.tables import Image, Run, now


@pytest.fixture
def database(record: Database) -> Database:
    """A fresh record, on each kind of database."""
    return record


def new_run() -> Run:
    """A run that is complete enough to be stored."""
    return Run(target="six==1.17.0", project="six", version="1.17.0", source_sha256="0" * 64)


def test_a_row_comes_back_as_it_went(database: Database) -> None:
    """Enums, aware times and JSON survive the round trip."""
    with database.write() as session:
        run = new_run()
        run.notes = [{"environment": None, "reason": "no tox configuration"}]
        session.add(run)
    with database.read() as session:
        found = session.get(Run, run.id)
    assert found is not None
    assert found.state is RunState.PLANNED
    assert found.created == run.created
    assert found.created.tzinfo is not None
    assert found.notes == run.notes


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    """An error inside a write session rolls it back."""
    with pytest.raises(ZeroDivisionError), database.write() as session:  # noqa: PT012 - the write is the point
        session.add(new_run())
        session.flush()
        _ = 1 / 0
    with database.read() as session:
        assert session.exec(select(Run)).all() == []


def test_a_reader_sees_one_state(database: Database) -> None:
    """What is written between two looks of one read session is not seen in it."""
    with database.read() as reading:
        assert reading.exec(select(Run)).all() == []
        with database.write_together() as writing:
            writing.add(new_run())
        assert reading.exec(select(Run)).all() == []


def test_a_naive_time_is_refused(database: Database) -> None:
    """A time without a zone never reaches the record."""
    run = new_run()
    run.created = datetime(2026, 1, 1)  # noqa: DTZ001 - the naive time is what the test is about
    with pytest.raises(StatementError, match="without a zone"), database.write() as session:
        session.add(run)


def test_writers_wait_in_line(database: Database) -> None:
    """Many threads that read and then write in one transaction lose no update."""
    with database.write() as session:
        session.add(Image(name="debian-12", baked=now()))

    def add_ten() -> None:
        for _ in range(10):
            with database.write() as session:
                image = session.get(Image, "debian-12")
                assert image is not None
                image.progress += 1

    threads = [threading.Thread(target=add_ten) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with database.read() as session:
        image = session.get(Image, "debian-12")
        assert image is not None
        assert image.progress == 50


def test_reading_goes_on_while_one_writes(database: Database) -> None:
    """A reader sees the old state and does not wait while a write is open (WAL)."""
    with database.write() as writing:
        writing.add(new_run())
        writing.flush()
        with database.read() as reading:
            assert reading.exec(select(Run)).all() == []


def test_foreign_keys_hold(database: Database) -> None:
    """Foreign keys are checked, by SQLite as well."""
    with pytest.raises(Exception, match=r"(?i)foreign key"), database.write() as session:
        session.exec(text("INSERT INTO step (attempt_id, name, status) VALUES ('a-none', 'x', 'success')"))


def test_a_bad_url_is_told_plainly() -> None:
    """A URL that is none is a RecordError."""
    with pytest.raises(RecordError, match="no database URL"):
        Database("not a url")


def test_a_lock_held_elsewhere_is_seen(tmp_path: Path) -> None:
    """BEGIN IMMEDIATE takes the lock before the first statement of the session."""
    url = f"sqlite:///{tmp_path / 'record.sqlite'}"
    first, second = Database(url), Database(url)
    upgrade(first)
    with first.write() as session:
        session.connection()
        with second.engine.connect() as connection:
            connection.rollback()
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.execute("PRAGMA busy_timeout=10")
            with pytest.raises(Exception, match="locked"):
                raw.execute("BEGIN IMMEDIATE")
    first.close()
    second.close()


def test_a_missing_driver_is_told() -> None:
    """A database without its driver is a RecordError that hides the password."""
    with pytest.raises(RecordError, match="not installed") as caught:
        Database("postgresql+pg8000://user:secret@host/farm")
    assert "secret" not in caught.value.sentence
