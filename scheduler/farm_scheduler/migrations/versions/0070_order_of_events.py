"""When forges told of events, what tells a replay, and since when a project is followed.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0060"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the columns and two indexes."""
    op.add_column("redelivery", sa.Column("delivered", MOMENT, nullable=True))
    op.create_index("ix_event_ref", "event", ["project_id", "trigger", "ref", "created"])
    op.add_column("delivery", sa.Column("digest", sa.String(64), nullable=True))
    op.create_index("ix_delivery_digest", "delivery", ["project_id", "digest"])
    op.add_column("watch", sa.Column("followed", MOMENT, nullable=True))
    op.execute("UPDATE watch SET followed = CURRENT_TIMESTAMP")
    with op.batch_alter_table("watch") as watch:
        watch.alter_column("followed", existing_type=MOMENT, nullable=False)
