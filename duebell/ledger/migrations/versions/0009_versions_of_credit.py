"""what waited of a credit before it was used."""

import sqlalchemy as sa
from alembic import op

from duebell.ledger.columns import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("credit", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("credit", sa.Column("first_read_at", UtcDateTime(), nullable=True))
