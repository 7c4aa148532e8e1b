"""the claims of what was told in another's message are counted on, behind no attempt of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    told = sa.table("notification", sa.column("notification_id"), sa.column("lease_token"))
    attempt = sa.table("attempt", sa.column("notification_id"), sa.column("lease_token"))
    of_it = attempt.c.notification_id == told.c.notification_id
    latest = sa.select(sa.func.max(attempt.c.lease_token)).where(of_it).correlate(told).scalar_subquery()
    op.execute(told.update().where(told.c.lease_token < latest).values(lease_token=latest))
