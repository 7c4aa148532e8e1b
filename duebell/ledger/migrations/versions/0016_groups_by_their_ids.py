"""the contact group that is written back is known by Xero's id, for its name may be changed."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("write_back", schema=None) as batch_op:
        batch_op.add_column(sa.Column("group_name", sa.Text(), server_default=sa.text("''"), nullable=False))
        batch_op.add_column(sa.Column("group_id", sa.Text(), server_default=sa.text("''"), nullable=False))
