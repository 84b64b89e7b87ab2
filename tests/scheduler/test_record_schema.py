"""The migrations and the tables say the same."""

import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel import SQLModel
from tests.postgres import RECORDS

from farm_scheduler.claims import claim_job
from farm_scheduler.database import Database
from farm_scheduler.errors import RecordError
from farm_scheduler.schema import alembic_config, newest_revision, upgrade

from .queued_runs import add_images

OLD_QUEUE = [
    statement
    for name, day in (("new", 2), ("old", 1))
    for statement in (
        (
            "INSERT INTO run (id, target, project, source_sha256, source_bytes, state, created, inferred, notes, "
            f"narrowing) VALUES ('r-{name}', 't', 'six', '0', 0, 'queued', "
            f"'2026-01-0{day} 00:00:00', false, '[]', '{{}}')"
        ),
        (
            "INSERT INTO cell (id, run_id, position, system, label, environments, tool, variables, expected) "
            f"VALUES ('c-{name}', 'r-{name}', 0, 'debian-12', 'l', '[]', 'tox', '{{}}', 'passed')"
        ),
        (
            "INSERT INTO job (id, run_id, cell_id, kind, state, cancel_requested, created, expected_seconds, "
            "tests_passed, tests_failed, tests_skipped, tests_other, tests_total) "
            f"VALUES ('j-{name}', 'r-{name}', 'c-{name}', 'test', 'queued', false, '2026-01-01', 60, 0, 0, 0, 0, 0)"
        ),
    )
]


def test_tables_and_migrations_agree(record: Database) -> None:
    """A record made by the migrations is what the classes describe."""
    with record.write_connection() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


@pytest.fixture(params=RECORDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'record.sqlite'}"
    server = request.getfixturevalue("postgres_server")
    return server.url(server.new_database())


def test_several_may_upgrade_at_once(empty_url: str) -> None:
    """Processes that start together bring the record up once, and none fails."""
    url = empty_url
    failures: list[BaseException] = []

    def start() -> None:
        database = Database(url)
        try:
            upgrade(database)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []


def test_a_newer_record_is_refused(record: Database) -> None:
    """A record of a newer program is left alone with a sentence."""
    database = record
    with database.write_connection() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RecordError, match="newer"):
        upgrade(database)


def test_migrations_are_named_by_their_revision() -> None:
    """What stands in front of the names of the migrations is their revision, and the last one is the head."""
    script = ScriptDirectory.from_config(alembic_config())
    assert newest_revision() == script.get_current_head()
    assert all(Path(found.path).name.startswith(f"{found.revision}_") for found in script.walk_revisions())


def test_a_queue_from_before_shares_goes_on(empty_url: str) -> None:
    """Jobs that waited in a record without shares have their place after the upgrade, the oldest run first."""
    database = Database(empty_url)
    config = alembic_config()
    with database.write_connection() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        for statement in OLD_QUEUE:
            connection.execute(text(statement))
    upgrade(database)
    with database.write() as session:
        add_images(session)
    claims = [claim_job(database, worker="host:1", lease_seconds=60) for _ in range(3)]
    assert [claim.job_id if claim else None for claim in claims] == ["j-old", "j-new", None]
    database.close()
