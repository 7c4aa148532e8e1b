"""Invoices of which nobody was told, for a reason that may be gone by now, and on which something is owed.

That one was paid may have been seen by no comparison, only by the last look before a message went out. So
what stands is asked, whatever event or poll comes.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session

from duebell.keys import INVOICE_ISSUED, is_contact, person_of
from duebell.ledger import present
from duebell.ledger.snapshots import ReadInvoice
from duebell.ledger.tables import Notification
from duebell.ledger.writing import Writing
from duebell.model import Invoice
from duebell.policy.reasons import CURED_WITHIN, OF_THE_INVOICE, Reason
from duebell.states import NotificationState

EDITED = ("contact_id", "issued_on", "reference", "currency", "total", "tracking", "branding_theme_id")


def unannounced(session: Session, tenant_id: str, invoices: Iterable[Invoice]) -> list[str]:
    """The ids of those among these invoices that nothing was owed on when they were to be told of.

    None of which a person has taken over with a re-send.
    """
    return [row.invoice_id for row in _left_out(session, tenant_id, invoices) if _was_paid(row)]


def after_all(book: Writing, tenant_id: str, looked_at: Sequence[ReadInvoice]) -> list[str]:
    """The same, and those that were edited since the last comparison, where that may have cured why."""
    edited = {
        one.invoice.invoice_id for one in looked_at if one.compared and _is_edited(one.compared, one.invoice)
    }
    return [
        row.invoice_id
        for row in _left_out(book.session, tenant_id, (one.invoice for one in looked_at))
        if _was_paid(row) or (row.invoice_id in edited and _may_be_cured(row, book.now))
    ]


def _was_paid(row: Notification) -> bool:
    return row.reason == Reason.ALREADY_PAID.value


def _may_be_cured(row: Notification, now: datetime) -> bool:
    return row.reason.startswith(OF_THE_INVOICE) and row.planned_at > now - CURED_WITHIN


def _is_edited(before: Invoice, now: Invoice) -> bool:
    """Whether anything else stands in it by which it is decided who is told of it; a payment is no edit."""
    return any(getattr(before, name) != getattr(now, name) for name in EDITED)


def _left_out(session: Session, tenant_id: str, invoices: Iterable[Invoice]) -> list[Notification]:
    owed = [one.invoice_id for one in invoices if one.is_owed]
    rows = present.of_invoices(session, tenant_id, INVOICE_ISSUED, owed) if owed else []
    customers = [row for row in rows if is_contact(row.recipient) and not person_of(row.recipient)]
    resent = {row.invoice_id for row in customers if row.generation > 0}
    return [
        row
        for row in customers
        if row.state == NotificationState.SKIPPED.value and row.invoice_id not in resent
    ]
