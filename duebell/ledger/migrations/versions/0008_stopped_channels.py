"""when a stopped channel is tried again."""

import sqlalchemy as sa
from alembic import op

from duebell.ledger.columns import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("brake", sa.Column("retry_at", UtcDateTime(), nullable=True))
