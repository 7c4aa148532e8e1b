"""messages that were taken back are looked at, too: a copy of one may come to light."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

LOOKED_AT = "state in ('unknown', 'accepted', 'cancelled')"


def upgrade() -> None:
    op.drop_index("ix_attempt_settle", table_name="attempt")
    op.create_index(
        "ix_attempt_settle",
        "attempt",
        ["settle_at"],
        unique=False,
        sqlite_where=sa.text(LOOKED_AT),
        postgresql_where=sa.text(LOOKED_AT),
    )
