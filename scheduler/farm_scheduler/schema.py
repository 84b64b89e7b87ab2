"""The schema of the record: brings a database to the version of this program.

Called by entry points before anything else opens the record. Several processes may call it at once: the first
one upgrades, the others wait and find nothing to do. It never goes backwards.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from farm_scheduler.database import Database
from farm_scheduler.errors import RecordError

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Bring the record to this program's schema; does nothing when it is there.

    Raises:
        RecordError: the record was written by a newer program.
    """
    if _is_at_head(database):
        return
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = alembic_config()
    script = ScriptDirectory.from_config(config)
    with database.write_connection() as connection:
        here = MigrationContext.configure(connection).get_current_revision()
        if here == script.get_current_head():
            return
        if here is not None and here not in {revision.revision for revision in script.walk_revisions()}:
            sentence = f"the record has schema {here}, which this wheelfarm does not know; use the newer one"
            raise RecordError(sentence, revision=here)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest_revision() -> str:
    """The revision of this program's schema, by the names of the migrations: `NNNN_what_it_does.py`."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _is_at_head(database: Database) -> bool:
    """Whether there is nothing to do: the usual case, found without Alembic (whose import takes its time)."""
    try:
        with database.read() as session:
            here = session.connection().execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DatabaseError:
        return False  # a new record, or none: Alembic says more
    return bool(here == newest_revision())


def alembic_config() -> "Config":
    """The configuration of Alembic, without a file of its own."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
