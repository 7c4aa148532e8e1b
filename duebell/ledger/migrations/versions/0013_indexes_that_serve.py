"""the few that wait are found by their index: SQLite saw in no statement that one over states serves it."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEXES = [
    ("ix_attempt_settle", "attempt", "settle_at", "settle_at is not null"),
    ("ix_notification_lease", "notification", "lease_until", "lease_until is not null"),
    ("ix_notification_lead_id", "notification", "lead_id", "lead_id is not null"),
]


def upgrade() -> None:
    for name, table, column, has_one in INDEXES:
        which = sa.text(has_one)
        op.drop_index(name, table_name=table)
        op.create_index(name, table, [column], unique=False, sqlite_where=which, postgresql_where=which)
    op.create_index("ix_consent_wish_groups_look_at", "consent_wish", ["groups_look_at"], unique=False)
