"""Reruns and pages of tests: when a run was opened again, how many attempts a job had before, tests by status.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns (nothing was run again so far), and what finds the tests that ended in one way."""
    op.add_column("run", sa.Column("reopened", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_test_outcome", "test", ["attempt_id", "status"])
    op.add_column("job", sa.Column("attempts_before", sa.Integer(), nullable=False, server_default="0"))
