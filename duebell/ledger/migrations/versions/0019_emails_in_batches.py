"""an email that SendGrid holds is in a batch of its own, by which it can be taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.add_column(sa.Column("batch_id", sa.Text(), server_default=sa.text("''"), nullable=False))
