"""The record's database: one engine per process, read sessions and write sessions apart.

Called by entry points, which build one `Database` and pass it on. SQLite runs in WAL with a busy timeout, and
a write takes its lock at the start (`BEGIN IMMEDIATE`), so that it waits in line and never fails half-way; a
PostgreSQL URL works as well. No session may stay open across a step of a machine.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlmodel import Session

from farm_scheduler.errors import RecordError

BUSY_SECONDS = 30.0
"""How long a connection waits for another's write on SQLite before it gives up."""

WRITES = "wheelfarm_writes"


class Database:
    """The record, open. Safe to share between threads, not between processes (each opens its own).

    Args:
        url: an SQLAlchemy URL; `sqlite:///PATH` or `postgresql+psycopg://…`.

    Raises:
        RecordError: the URL is no database URL.
    """

    def __init__(self, url: str) -> None:
        self.engine = _open(url)
        self._writer = self.engine.execution_options(**{WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the record and changes nothing; objects stay usable after it."""
        with Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            try:
                yield session
            finally:
                session.expunge_all()
                session.rollback()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that holds the write lock from its first statement and commits at its end, or rolls back.

        Keep it short: other writers wait for it.
        """
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write_connection(self) -> Iterator[Connection]:
        """The same as `write` for Core statements and migrations."""
        with self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def _open(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        sentence = (
            f"{url!r} is no database URL; write sqlite:////path/record.sqlite or postgresql+psycopg://…"
        )
        raise RecordError(sentence, url=url) from error
    if parsed.get_backend_name() != "sqlite":
        return _open_server(parsed)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open_server(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True)
    except (ImportError, NoSuchModuleError) as error:
        shown = url.render_as_string(hide_password=True)
        sentence = f"the driver for {shown} is not installed ({error}); install it beside wheelfarm"
        raise RecordError(sentence, url=shown) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own BEGIN comes late and deferred; None hands transactions to _begin_sqlite.
    connection.isolation_level = None
    _enter_wal(connection)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _enter_wal(connection: Any) -> None:
    """Change to WAL. SQLite does not wait for its busy timeout here, and a new record is opened by several at once."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
