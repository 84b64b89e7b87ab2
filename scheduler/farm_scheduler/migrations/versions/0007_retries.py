"""Second tries of what failed: how often, for a run as a person asked, and for each cell.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both columns: nothing was tried again so far."""
    op.add_column("run", sa.Column("retries", sa.Integer(), nullable=True))
    op.add_column("cell", sa.Column("retries", sa.Integer(), nullable=False, server_default="0"))
