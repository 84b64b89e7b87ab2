"""The priority of a run that is asked for over the API.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: nobody asked for a priority so far."""
    op.add_column("submission", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
