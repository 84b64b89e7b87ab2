"""Projects, and of each run what asked for it.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns: every run so far was asked for by a person."""
    op.create_table(
        "project",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("forge", sa.String(), nullable=True),
        sa.Column("repository", sa.String(), nullable=True),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_project_name", "project", ["name"], unique=True)
    with op.batch_alter_table("run") as run:
        run.add_column(sa.Column("project_id", sa.String(), nullable=True))
        run.add_column(sa.Column("trigger", sa.String(32), nullable=False, server_default="person"))
        run.add_column(sa.Column("ref", sa.String(), nullable=True))
        run.add_column(sa.Column("revision", sa.String(), nullable=True))
        run.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
        run.create_foreign_key("fk_run_project", "project", ["project_id"], ["id"])
        run.create_index("ix_run_project_id", ["project_id"])
