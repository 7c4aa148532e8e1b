"""what verdicts rested on: earlier versions of records, policy texts, verdicts."""

import sqlalchemy as sa
from alembic import op

from duebell.ledger.columns import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _records()
    _verdicts()


def _records() -> None:
    op.create_table(
        "earlier_version",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("first_read_at", UtcDateTime(), nullable=True),
        sa.Column("replaced_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "category", "record_id", "version"),
    )
    op.create_index("ix_earlier_version_replaced_at", "earlier_version", ["replaced_at"])
    for table in ("invoice", "contact"):
        op.add_column(table, sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
        op.add_column(table, sa.Column("first_read_at", UtcDateTime(), nullable=True))


def _verdicts() -> None:
    op.create_table(
        "policy_text",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_used_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "kept_verdict",
        sa.Column("verdict_id", sa.Integer(), nullable=False),
        sa.Column("notification_id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("policy_sha256", sa.String(), nullable=False),
        sa.Column("invoice_version", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=True),
        sa.Column("contact_version", sa.Integer(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["notification_id"], ["notification.notification_id"]),
        sa.PrimaryKeyConstraint("verdict_id"),
    )
    for column in ("notification_id", "at", "policy_sha256"):
        op.create_index(f"ix_kept_verdict_{column}", "kept_verdict", [column])
