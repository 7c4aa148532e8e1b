"""connections, polling and payments."""

import sqlalchemy as sa
from alembic import op

from duebell.ledger.columns import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent",
        sa.Column("state_hash", sa.String(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.String(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("refused_why", sa.String(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("state_hash"),
    )
    op.create_table(
        "payment",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("amount", sa.String(), nullable=False),
        sa.Column("paid_on", sa.String(), nullable=True),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("gone_at", UtcDateTime(), nullable=True),
        sa.Column("known_before_connecting", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "payment_id"),
    )
    with op.batch_alter_table("payment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_payment_invoice_id"), ["invoice_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_payment_subject_id"), ["subject_id"], unique=False)

    op.create_table(
        "sequence_gap",
        sa.Column("first_missing", sa.Integer(), nullable=False),
        sa.Column("last_missing", sa.Integer(), nullable=False),
        sa.Column("noticed_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("first_missing"),
    )
    op.create_table(
        "webhook_sequence",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("highest", sa.Integer(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "xero_call",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "day", "endpoint", "purpose"),
    )
    with op.batch_alter_table("leg", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("email_subject", sa.Text(), server_default=sa.text("''"), nullable=False)
        )
        batch_op.add_column(sa.Column("takes_over", sa.Text(), server_default=sa.text("''"), nullable=False))
        batch_op.add_column(sa.Column("over", sa.Text(), server_default=sa.text("''"), nullable=False))
        batch_op.add_column(sa.Column("html", sa.Text(), server_default=sa.text("''"), nullable=False))

    with op.batch_alter_table("notification", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("invoice_id", sa.String(), server_default=sa.text("''"), nullable=False)
        )
        batch_op.add_column(sa.Column("step", sa.Text(), server_default=sa.text("''"), nullable=False))
        batch_op.add_column(sa.Column("recipient", sa.Text(), server_default=sa.text("''"), nullable=False))
        batch_op.add_column(
            sa.Column("leg_position", sa.Integer(), server_default=sa.text("0"), nullable=False)
        )
        batch_op.add_column(sa.Column("lead_id", sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f("ix_notification_invoice_id"), ["invoice_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_notification_lead_id"), ["lead_id"], unique=False)

    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempt_started_at"), ["started_at"], unique=False)

    with op.batch_alter_table("tenant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("organisation_read_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("xero_reminders", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("invoices_cursor", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("payments_cursor", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("contacts_cursor", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("polled_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("open_read_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("webhook_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("webhooks_suspect_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("parked_why", sa.Text(), server_default=sa.text("''"), nullable=False))
        batch_op.add_column(sa.Column("limits_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("day_began_with", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("paused_until", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("reading_by", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("reading_until", UtcDateTime(), nullable=True))

    with op.batch_alter_table("token_set", schema=None) as batch_op:
        batch_op.add_column(sa.Column("scopes", sa.Text(), server_default=sa.text("''"), nullable=False))
        batch_op.add_column(sa.Column("consented_at", UtcDateTime(), nullable=True))

    # Until now every notification was about an issued invoice, and told its contact.
    op.execute("UPDATE notification SET invoice_id = subject_id WHERE invoice_id = ''")
    op.execute(
        "UPDATE notification SET recipient = 'contact:' || coalesce(contact_id, 'none') WHERE recipient = ''"
    )
