"""What decides which releases a cell has, and what its environments had; what a machine fetched.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0090"
down_revision = "0080"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns: so far everything was as the project had it."""
    op.add_column("cell", sa.Column("installer", sa.String(32), nullable=False, server_default="project"))
    op.add_column("cell", sa.Column("constraints", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("cell", sa.Column("cutoff", MOMENT, nullable=True))
    op.create_table(
        "installedset",
        sa.Column("id", sa.Integer(), nullable=False, primary_key=True),
        sa.Column("attempt_id", sa.String(), sa.ForeignKey("attempt.id"), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("installer", sa.String(), nullable=False),
        sa.Column("lock", sa.JSON(), nullable=True),
        sa.Column("constraints", sa.JSON(), nullable=False),
        sa.Column("packages", sa.JSON(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("yanked", sa.JSON(), nullable=False),
        sa.Column("pylock", sa.String(), nullable=True),
    )
    op.create_index("ix_installedset_attempt_id", "installedset", ["attempt_id"])
    op.create_table(
        "fetchedfile",
        sa.Column("id", sa.Integer(), nullable=False, primary_key=True),
        sa.Column("attempt_id", sa.String(), sa.ForeignKey("attempt.id"), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("bytes", sa.Integer(), nullable=False),
    )
    op.create_index("ix_fetchedfile_attempt_id", "fetchedfile", ["attempt_id"])
