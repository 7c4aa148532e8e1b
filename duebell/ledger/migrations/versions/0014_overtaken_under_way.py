"""what happens while Twilio is still asked to hold a message makes it due as soon as Twilio has it."""

import sqlalchemy as sa
from alembic import op

from duebell.ledger.columns import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempt", sa.Column("overtaken_at", UtcDateTime(), nullable=True))
