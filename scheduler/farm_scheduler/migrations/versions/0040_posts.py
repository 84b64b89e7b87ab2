"""Check runs and comments: what was made at a forge, and which pull request a report is about.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0031"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
KEY = ["run_id", "channel", "subject", "stage", "run_finished"]


def upgrade() -> None:
    """Add the table and the columns; reports that are there are about no pull request."""
    with op.batch_alter_table("report") as report:
        report.add_column(sa.Column("subject", sa.String(), nullable=False, server_default=""))
        report.add_column(sa.Column("taken", MOMENT, nullable=True))
        report.drop_constraint("uq_report", type_="unique")
        report.create_unique_constraint("uq_report", KEY)
    op.create_index("ix_event_run", "event", ["run_id"])
    op.create_table(
        "post",
        sa.Column("project_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=True),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "channel", "subject"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
    )
