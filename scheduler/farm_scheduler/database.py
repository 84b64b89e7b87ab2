"""The record's database: one engine per process, read sessions and write sessions apart.

Called by entry points, which build one `Database` and pass it on. SQLite runs in WAL with a busy timeout, and
a write takes its lock at the start (`BEGIN IMMEDIATE`), so that it waits in line and never fails half-way. On
PostgreSQL an advisory lock does the same, which writes that touch rows of their own only can share. No session
may stay open across a step of a machine.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlmodel import Session

from farm_scheduler.errors import RecordError

BUSY_SECONDS = 30.0
"""How long a connection waits for another's write on SQLite before it gives up."""

WRITES = "wheelfarm_writes"
WRITE_LOCK = 0x77686C66
"""The advisory lock of writers on PostgreSQL; any number will do, as long as it stays."""

CLAIM_LOCK = WRITE_LOCK + 1
"""That of claims."""
WORD_LOCK = WRITE_LOCK + 2
"""Those of words."""
_LOCK_WORD = text(f"SELECT pg_advisory_xact_lock({WORD_LOCK}, hashtext(:word))")


class _Writing(Enum):
    """How a transaction of PostgreSQL locks the record against other writers, as a statement."""

    ALONE = f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"
    TOGETHER = f"SELECT pg_advisory_xact_lock_shared({WRITE_LOCK})"
    CLAIM = f"{TOGETHER}, pg_advisory_xact_lock({CLAIM_LOCK})"


class Database:
    """The record, open. Safe to share between threads, not between processes (each opens its own).

    Args:
        url: an SQLAlchemy URL; `sqlite:///PATH` or `postgresql+psycopg://…`.

    Raises:
        RecordError: the URL is no database URL.
    """

    def __init__(self, url: str) -> None:
        self.engine = _open(url)
        self._reader = self.engine
        if self.engine.dialect.name == "postgresql":
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ")
        self._writer = self.engine.execution_options(**{WRITES: _Writing.ALONE})
        self._together = self.engine.execution_options(**{WRITES: _Writing.TOGETHER})
        self._claim = self.engine.execution_options(**{WRITES: _Writing.CLAIM})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the record and changes nothing; objects stay usable after it."""
        with Session(self._reader, expire_on_commit=False, autoflush=False) as session:
            try:
                yield session
            finally:
                session.expunge_all()
                session.rollback()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that holds the write lock from its first statement and commits at its end, or rolls back.

        What it read stays true until it has written. Keep it short: other writers wait for it.
        """
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write_together(self) -> Iterator[Session]:
        """As `write`, but on PostgreSQL beside others of its kind (never beside `write`); on SQLite the same.

        For what is frequent and touches rows that no other such session touches, or locks them itself.
        """
        with Session(self._together, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def claim_connection(self) -> Iterator[Connection]:
        """As `write_together` for Core statements, but one at a time: claims would wait for each other's rows."""
        with self._claim.begin() as connection:
            yield connection

    @contextmanager
    def write_connection(self) -> Iterator[Connection]:
        """The same as `write` for Core statements and migrations."""
        with self._writer.begin() as connection:
            yield connection

    @staticmethod
    def lock_word(session: Session, word: str) -> None:
        """Let no other `write_together` beside this one lock the same word; what one did then the next one sees."""
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            connection.execute(_LOCK_WORD, {"word": word})

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
        engine = create_engine(url, pool_pre_ping=True, connect_args=_server_options(url))
    except (ImportError, NoSuchModuleError) as error:
        shown = url.render_as_string(hide_password=True)
        sentence = f"the driver for {shown} is not installed ({error}); install it beside wheelfarm"
        raise RecordError(sentence, url=shown) from error
    if url.get_backend_name() == "postgresql":
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def _server_options(url: URL) -> dict[str, str]:
    """No compiling of statements (JIT): it took longer than the short ones that the farm has."""
    plain = url.drivername == "postgresql+psycopg" and "options" not in url.query
    return {"options": "-c jit=off"} if plain else {}


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
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    writing = connection.get_execution_options().get(WRITES)
    if writing is not None:
        connection.exec_driver_sql(writing.value)
