"""The estimate of a bake: how many seconds are left.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nothing that is baked now has an estimate."""
    op.add_column("image", sa.Column("left_seconds", sa.Float(), nullable=True))
