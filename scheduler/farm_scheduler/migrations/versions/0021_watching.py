"""What is followed on the package index, and how far it has been read.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the three tables."""
    op.create_table(
        "watch",
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=True),
        sa.Column("etag", sa.String(), nullable=True),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("looked", MOMENT, nullable=True),
        sa.Column("next_look", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
    )
    op.create_table(
        "watch_pattern",
        sa.Column("pattern", sa.String(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("pattern"),
    )
    op.create_table(
        "changelog",
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("next_look", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("url"),
    )
