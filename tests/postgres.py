"""A PostgreSQL of the tests' own, and a record on each kind of database.

`Cluster` is a real server in a temporary folder, on a unix socket, as a user without rights; it ends with the
process that started it, however that ends. Benchmarks start one as well. Nothing of the host's own PostgreSQL is
touched.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from farm_scheduler.database import Database
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings

RECORDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))
"""The kinds of record: a test that takes them runs in the parts `unit` and `postgresql` of a test run."""

START_SECONDS = 60.0
USER = "postgres"
TEMPLATE = "record"
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",  # what survives a crash of the host is not what is tested
    "max_connections": "60",
    "shared_buffers": "64MB",
    "log_min_messages": "warning",
}


def programs() -> Path | None:
    """The folder of `initdb` and `postgres` of the newest version that Debian installed; None without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


class Cluster:
    """One server with its data in a folder of its own.

    Args:
        folder: an empty folder with a short path (a socket goes into it).
        options: settings of the server, beside those that make it fit for tests.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        found = programs()
        if found is None:
            raise FileNotFoundError("PostgreSQL is not installed; apt-get install postgresql")
        self._programs = found
        self._folder = folder
        self._data = folder / "data"
        self._options = {**OPTIONS, "unix_socket_directories": str(folder), **options}
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        root = os.geteuid() == 0
        self._user = USER if root else pwd.getpwuid(os.geteuid()).pw_name
        self._become: list[str] = ["setpriv", "--pdeathsig=INT"]
        if root:
            account = pwd.getpwnam(USER)
            os.chown(folder, account.pw_uid, account.pw_gid)
            self._become += [f"--reuid={USER}", f"--regid={account.pw_gid}", "--init-groups"]

    def start(self) -> None:
        """Start the server, anew after `stop` or `kill`; returns when it answers."""
        if not self._data.exists():
            initdb = [str(self._programs / "initdb"), "-D", str(self._data), "-A", "trust", "-N"]
            made = [*self._become, *initdb, "-U", self._user, "--locale=C.UTF-8"]
            subprocess.run(made, check=True, capture_output=True, timeout=START_SECONDS, cwd="/")
        settings = [word for name, value in self._options.items() for word in ("-c", f"{name}={value}")]
        command = [*self._become, str(self._programs / "postgres"), "-D", str(self._data), *settings]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it in order; connections are closed."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash does, with every process of it (the kernel tells them)."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=START_SECONDS)
        self._process = None

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of a database of it."""
        return f"postgresql+psycopg://{self._user}@/{name}?host={self._folder}"

    def new_database(self, template: str = "template1") -> str:
        """The name of a fresh database, a copy of `template` (which nobody may be connected to)."""
        name = f"farm{next(self._numbers)}"
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def new_record(self) -> str:
        """The URL of a fresh record, at the schema of this program."""
        with self._connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (TEMPLATE,)).fetchone()
            if known is None:
                connection.execute(f'CREATE DATABASE "{TEMPLATE}"')
        if known is None:
            database = Database(self.url(TEMPLATE))
            upgrade(database)
            database.close()
        return self.url(self.new_database(TEMPLATE))

    def drop(self, url: str) -> None:
        """Remove a database and end what is still connected to it."""
        name = url.rpartition("/")[2].partition("?")[0]
        with self._connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=str(self._folder), dbname="postgres", user=self._user, autocommit=True, connect_timeout=5
        )


@contextlib.contextmanager
def cluster(**options: str) -> Iterator[Cluster]:
    """A running server for the length of the block; its folder goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="wheelfarm-pg-"))
    server = Cluster(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Cluster]:
    """A PostgreSQL for the whole session; tests make databases of their own in it."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed; apt-get install postgresql")
    with cluster() as server:
        yield server


@pytest.fixture(scope="session")
def empty_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite record without a row, made once: the migrations take their time."""
    path = tmp_path_factory.mktemp("record") / "record.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture(params=RECORDS)
def record_url(request: pytest.FixtureRequest, tmp_path: Path, empty_record: Path) -> Iterator[str]:
    """The URL of an empty record of this test's own, on SQLite and on PostgreSQL in turn."""
    if request.param == "sqlite":
        path = tmp_path / "record.sqlite"
        shutil.copyfile(empty_record, path)
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgres_server")
    url = server.new_record()
    yield url
    server.drop(url)


@pytest.fixture
def record(record_url: str) -> Iterator[Database]:
    """A fresh record, on SQLite and on PostgreSQL in turn."""
    database = Database(record_url)
    yield database
    database.close()


@pytest.fixture
def database(settings: Settings, empty_record: Path) -> Iterator[Database]:
    """The empty record in the home of the settings."""
    shutil.copyfile(empty_record, settings.home / "record.sqlite")
    opened = Database(settings.record_url)
    yield opened
    opened.close()
