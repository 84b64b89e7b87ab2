"""Workers that say that they live, and which of them has a submission.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the column."""
    op.create_table(
        "worker_life",
        sa.Column("name", sa.String(), nullable=False, primary_key=True),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("submission", sa.Column("worker", sa.String(), nullable=False, server_default=""))
