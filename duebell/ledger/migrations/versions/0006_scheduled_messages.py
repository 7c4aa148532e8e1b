"""messages that Twilio holds until their time."""

import sqlalchemy as sa
from alembic import op

from duebell.ledger.columns import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_attempt_settle", table_name="attempt")
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.add_column(sa.Column("send_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("absent_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("cancel_why", sa.Text(), server_default=sa.text("''"), nullable=False))
        batch_op.create_index(
            "ix_attempt_settle",
            ["settle_at"],
            unique=False,
            sqlite_where=sa.text("state in ('unknown', 'accepted')"),
            postgresql_where=sa.text("state in ('unknown', 'accepted')"),
        )
