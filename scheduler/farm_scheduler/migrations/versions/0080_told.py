"""The order in which forges told of events, whatever clocks did meanwhile.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0080"
down_revision = "0070"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the column, as newer_than had it until now, and put it into the index."""
    op.add_column("event", sa.Column("told", MOMENT, nullable=False, server_default="1970-01-01 00:00:00"))
    op.execute(
        "UPDATE event SET told = coalesce("
        "(SELECT delivered FROM redelivery WHERE guid = event.delivery_id), created)"
    )
    op.drop_index("ix_event_ref", "event")
    op.create_index("ix_event_ref", "event", ["project_id", "trigger", "ref", "told"])
