"""Tokens, the audit log, kept answers, uploads and submissions: what the API needs.

Called by Alembic through farm_scheduler.schema; never changed once released.
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0022"
branch_labels = None
depends_on = None


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _word(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(32), nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Add five tables."""
    op.create_table(
        "access_token",
        _text("id"),
        _text("name"),
        _text("secret_sha256"),
        _word("role"),
        _text("project", nullable=True),
        _text("maker"),
        _moment("created"),
        _moment("expires", nullable=True),
        _moment("revoked", nullable=True),
        _moment("used", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_access_token_secret_sha256", "access_token", ["secret_sha256"], unique=True)
    op.create_index("ix_access_token_project", "access_token", ["project"])
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        _moment("at"),
        _text("actor"),
        _text("action"),
        _text("subject"),
        _text("project", nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_entry_actor", "audit_entry", ["actor"])
    op.create_table(
        "kept_answer",
        _text("actor"),
        _text("key"),
        _text("request_sha256"),
        _moment("begun"),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("actor", "key"),
    )
    op.create_index("ix_kept_answer_begun", "kept_answer", ["begun"])
    op.create_table(
        "upload",
        _text("id"),
        _text("actor"),
        _text("name"),
        _word("kind"),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        _text("sha256"),
        sa.Column("received", sa.BigInteger(), nullable=False),
        _word("state"),
        _moment("created"),
        _moment("updated"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_upload_actor", "upload", ["actor"])
    op.create_index("ix_upload_updated", "upload", ["updated"])
    op.create_table(
        "submission",
        _text("id"),
        _text("actor"),
        _text("scope", nullable=True),
        _text("target"),
        _text("upload_id", nullable=True),
        sa.Column("narrowing", sa.JSON(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=True),
        _word("state"),
        _text("code", nullable=True),
        _text("reason", nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        _moment("created"),
        _moment("published", nullable=True),
        _moment("lease_expires", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_submission_state", "submission", ["state"])
