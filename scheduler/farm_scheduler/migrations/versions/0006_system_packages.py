"""What a project declares of a cell: the packages of the system that its machine installs first.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; cells that are there need none."""
    op.add_column("cell", sa.Column("packages", sa.JSON(), nullable=False, server_default="[]"))
