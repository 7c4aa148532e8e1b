"""the few rows that are wanted are found by an index, however many were ever kept.

SQLite saw in no statement that an index over states serves it, and took one over the tenant alone, which
leaves nearly all, for as good as one over an invoice.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

FILLED = [
    ("ix_attempt_settle", "attempt", "settle_at", "settle_at is not null"),
    ("ix_notification_lease", "notification", "lease_until", "lease_until is not null"),
    ("ix_notification_lead_id", "notification", "lead_id", "lead_id is not null"),
]
NEW = [
    ("ix_notification_subject", "notification", ["tenant_id", "subject_id"]),
    ("ix_notification_invoice", "notification", ["tenant_id", "invoice_id"]),
    ("ix_notification_contact", "notification", ["tenant_id", "contact_id"]),
    ("ix_payment_invoice", "payment", ["tenant_id", "invoice_id"]),
    ("ix_xero_event_resource", "xero_event", ["resource_id", "tenant_id"]),
    ("ix_xero_event_flow_run_id", "xero_event", ["flow_run_id"]),
    ("ix_audit_action", "audit", ["tenant_id", "action"]),
    ("ix_consent_wish_groups_look_at", "consent_wish", ["groups_look_at"]),
]
REPLACED = [
    ("ix_notification_tenant_id", "notification"),
    ("ix_notification_subject_id", "notification"),
    ("ix_notification_invoice_id", "notification"),
    ("ix_payment_invoice_id", "payment"),
    ("ix_audit_tenant_id", "audit"),
]


def upgrade() -> None:
    for name, table, column, has_one in FILLED:
        op.drop_index(name, table_name=table)
        _index_some(name, table, [column], has_one)
    for name, table in REPLACED:
        op.drop_index(name, table_name=table)
    for name, table, columns in NEW:
        op.create_index(name, table, columns, unique=False)
    waits = "state in ('planned', 'held')"
    _index_some("ix_notification_recipient", "notification", ["tenant_id", "recipient"], waits)
    _index_some("ix_contact_merged_to", "contact", ["tenant_id", "merged_to"], "merged_to is not null")


def _index_some(name: str, table: str, columns: list[str], which: str) -> None:
    some = sa.text(which)
    op.create_index(name, table, columns, unique=False, sqlite_where=some, postgresql_where=some)
