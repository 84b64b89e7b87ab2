"""Deliveries of forges, events, secrets of projects, and how a webhook finds its project.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables and the column."""
    with op.batch_alter_table("project") as project:
        project.add_column(sa.Column("address", sa.String(), nullable=True))
        project.create_unique_constraint("uq_project_address", ["forge", "address"])
    op.create_table(
        "delivery",
        sa.Column("forge", sa.String(32), nullable=False),
        sa.Column("delivery_id", sa.String(200), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("received", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("forge", "delivery_id"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
    )
    op.create_index("ix_delivery_project_id", "delivery", ["project_id"])
    op.create_table(
        "event",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("forge", sa.String(), nullable=True),
        sa.Column("delivery_id", sa.String(), nullable=True),
        sa.Column("trigger", sa.String(32), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=True),
        sa.Column("revision", sa.String(), nullable=True),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("work", sa.String(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("lease_expires", MOMENT, nullable=True),
        sa.Column("not_before", MOMENT, nullable=True),
        sa.Column("published", MOMENT, nullable=True),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("finished", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("work"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["forge", "delivery_id"], ["delivery.forge", "delivery.delivery_id"]),
    )
    op.create_index("ix_event_project_id", "event", ["project_id"])
    op.create_index("ix_event_state", "event", ["state", "not_before"])
    op.create_index("ix_event_delivery", "event", ["forge", "delivery_id"])
    op.create_table(
        "project_secret",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
    )
    op.create_index("ix_project_secret_project_id", "project_secret", ["project_id"])
