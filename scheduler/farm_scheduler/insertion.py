"""A row that is inserted unless it is there already, on SQLite and PostgreSQL alike.

Called by shares and lanes. It never changes a row that is there.
"""

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel


def insert_new(session: Session, table: type[SQLModel], **values: object) -> None:
    """Insert one row; nothing happens when its key is taken."""
    if session.connection().dialect.name == "postgresql":
        session.execute(postgresql.insert(table).values(**values).on_conflict_do_nothing())
    else:
        session.execute(sqlite.insert(table).values(**values).on_conflict_do_nothing())
