"""who stopped, shown in a contact group of Xero."""

import sqlalchemy as sa
from alembic import op

from duebell.ledger.columns import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consent_wish", sa.Column("groups_look_at", UtcDateTime(), nullable=True))
    # What was wished before is shown too, as soon as the policy names a group.
    op.execute("UPDATE consent_wish SET groups_look_at = wished_at WHERE status <> ''")
    _lines()
    op.create_table(
        "write_back",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id"),
    )


def _lines() -> None:
    op.create_table(
        "group_line",
        sa.Column("line_id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("group_name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("ours", sa.Boolean(), nullable=False),
        sa.Column("stands", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("adding_since", UtcDateTime(), nullable=True),
        sa.Column("written_at", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("line_id"),
        sa.UniqueConstraint("tenant_id", "contact_id", "group_name", name="uq_group_line"),
    )
    op.create_index(op.f("ix_group_line_next_at"), "group_line", ["next_at"], unique=False)
    op.create_index(op.f("ix_group_line_address"), "group_line", ["address"], unique=False)
