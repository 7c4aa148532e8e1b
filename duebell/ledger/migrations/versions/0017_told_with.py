"""an attempt knows which notifications its message told, for its group may be another when it is proven.

And what was left out together with a message that was planned anew since stands by itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.add_column(sa.Column("told_with", sa.Text(), nullable=True))
    told = sa.table("notification", sa.column("notification_id"), sa.column("lead_id"), sa.column("state"))
    lead = told.alias("lead")
    goes_on = sa.select(lead.c.notification_id).where(lead.c.state != "skipped")
    parted = told.update().where(told.c.state == "skipped", told.c.lead_id.in_(goes_on))
    op.execute(parted.values(lead_id=None))
