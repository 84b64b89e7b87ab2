"""The queue: shares of the farm, their lanes, and of each job its place and its parent.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the claim goes by, and give every job that waits its place."""
    op.add_column("project", sa.Column("quota", sa.Integer(), nullable=True))
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("parent_id", sa.String(), nullable=True))
        job.add_column(sa.Column("share", sa.String(), nullable=False, server_default=""))
        job.add_column(sa.Column("system", sa.String(), nullable=False, server_default=""))
        job.add_column(sa.Column("head_start", sa.Float(), nullable=False, server_default="0"))
        job.add_column(sa.Column("rank", sa.Float(), nullable=False, server_default="0"))
        job.create_foreign_key("fk_job_parent", "job", ["parent_id"], ["id"])
        job.drop_index("ix_job_claim")
    op.create_index("ix_job_parent_id", "job", ["parent_id"])
    order = ["state", "share", "system", "rank", "expected_seconds", "id"]
    op.create_index("ix_job_claim", "job", order)
    _tables()
    _places()


def _tables() -> None:
    op.create_table(
        "share",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("project_id", sa.String(), nullable=True),
        sa.Column("tag", sa.Float(), nullable=False),
        sa.Column("served", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_share_served", "share", ["served"])
    op.create_table(
        "lane",
        sa.Column("share", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("head_start", sa.Float(), nullable=False),
        sa.Column("rank", sa.Float(), nullable=False),
        sa.Column("turn", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["share"], ["share.key"]),
        sa.PrimaryKeyConstraint("share", "system"),
    )
    op.create_index("ix_lane_turn", "lane", ["turn", "rank"])


def _places() -> None:
    """Every run so far was asked for by a person and has the same head start: the age alone gives the rank."""
    if op.get_bind().dialect.name == "postgresql":
        ages = "UPDATE job SET rank = 86400 - (SELECT EXTRACT(EPOCH FROM created) FROM run WHERE id = run_id)"
    else:
        ages = "UPDATE job SET rank = 86400 - (SELECT strftime('%s', created) FROM run WHERE id = run_id)"
    op.execute(ages)
    op.execute(
        "UPDATE job SET head_start = 3600, "
        "system = (SELECT system FROM cell WHERE id = job.cell_id), "
        "share = (SELECT COALESCE(project_id, 'name:' || project) FROM run WHERE id = job.run_id)"
    )
    op.execute(
        "INSERT INTO share (key, project_id, tag, served) SELECT DISTINCT job.share, run.project_id, 0, 0 "
        "FROM job JOIN run ON run.id = job.run_id WHERE job.state = 'queued'"
    )
    op.execute(
        "INSERT INTO lane (share, system, head_start, rank, turn) SELECT share, system, 3600, MAX(rank), 3600 "
        "FROM job WHERE state = 'queued' GROUP BY share, system"
    )
