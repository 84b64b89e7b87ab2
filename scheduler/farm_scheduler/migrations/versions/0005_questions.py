"""Questions: what a guest was asked of a source, and its answer.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of questions."""
    op.create_table(
        "question",
        sa.Column("source_sha256", sa.String(), primary_key=True, nullable=False),
        sa.Column("system", sa.String(), primary_key=True, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("lease_expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wanted_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
    )
