"""What a project declares of a cell: why it is expected to fail, and its time limit.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns; cells that are there declare nothing."""
    op.add_column("cell", sa.Column("expected_reason", sa.String(), nullable=True))
    op.add_column("cell", sa.Column("seconds", sa.Float(), nullable=True))
