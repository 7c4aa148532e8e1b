"""what people wrote back."""

import sqlalchemy as sa
from alembic import op

from duebell.ledger.columns import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inbound_text",
        sa.Column("sid", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("wish", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sid"),
    )
    with op.batch_alter_table("inbound_text", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inbound_text_received_at"), ["received_at"], unique=False)
