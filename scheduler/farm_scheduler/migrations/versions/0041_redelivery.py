"""Which deliveries of GitHub are asked for again.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the two tables."""
    op.create_table(
        "relook",
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("app_id", sa.String(), nullable=True),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("looked", MOMENT, nullable=True),
        sa.Column("next_look", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
    )
    op.create_table(
        "redelivery",
        sa.Column("guid", sa.String(200), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("asked", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("guid"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
    )
