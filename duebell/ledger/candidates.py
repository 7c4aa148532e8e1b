"""The invoices that a reminder may be due for, found without reading any of them."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, func, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.keys import INVOICE_OVERDUE
from duebell.ledger.tables import ContactSnapshot, InvoiceSnapshot, Notification, XeroEvent
from duebell.model import InvoiceStatus, InvoiceType
from duebell.states import WAITING, EventState

PROMISED = '"ExpectedPaymentDate'
"""What the body of an invoice with an expected payment date holds."""


def of_tenant(session: Session, tenant_id: str, first_due: date, last_due: date) -> list[tuple[str, str]]:
    """Each invoice (id, and whom it is addressed to) that was or is due between these days, by customer.

    Among them are older ones with an expected payment date, which puts a stage off for as long as somebody
    promised, and all that a reminder waits for, whatever became of them. One of which an event waits comes
    after that: what the event announces is planned first, and its reminder keeps its distance from that.
    """
    customer = func.coalesce(
        col(ContactSnapshot.merged_to), col(InvoiceSnapshot.contact_id), col(InvoiceSnapshot.invoice_id)
    )
    theirs = (col(ContactSnapshot.tenant_id) == col(InvoiceSnapshot.tenant_id)) & (
        col(ContactSnapshot.contact_id) == col(InvoiceSnapshot.contact_id)
    )
    rows = session.exec(
        select(InvoiceSnapshot.invoice_id, customer)
        .join(ContactSnapshot, theirs, isouter=True)
        .where(
            InvoiceSnapshot.tenant_id == tenant_id,
            or_(
                _is_due(first_due, last_due) & col(InvoiceSnapshot.invoice_id).not_in(_with_news(tenant_id)),
                col(InvoiceSnapshot.invoice_id).in_(_waited_for(tenant_id)),
            ),
        )
        .order_by(customer, col(InvoiceSnapshot.due_on), col(InvoiceSnapshot.invoice_id))
    ).all()
    return list(rows)


def _is_due(first: date, last: date) -> ColumnElement[bool]:
    """Whether an invoice is open, and was or is due between these days, or is older and promised."""
    is_promised = col(InvoiceSnapshot.body).contains(PROMISED)
    return and_(
        col(InvoiceSnapshot.type) == InvoiceType.SALE.value,
        col(InvoiceSnapshot.status) == InvoiceStatus.AUTHORISED.value,
        col(InvoiceSnapshot.due_on) <= last.isoformat(),
        (col(InvoiceSnapshot.due_on) >= first.isoformat()) | is_promised,
    )


def _with_news(tenant_id: str) -> SelectOfScalar[str]:
    return select(XeroEvent.resource_id).where(
        XeroEvent.tenant_id == tenant_id, XeroEvent.state == EventState.PENDING.value
    )


def _waited_for(tenant_id: str) -> SelectOfScalar[str]:
    return select(Notification.invoice_id).where(
        Notification.tenant_id == tenant_id,
        Notification.kind == INVOICE_OVERDUE,
        col(Notification.state).in_([state.value for state in WAITING]),
    )


def promised(session: Session, tenant_id: str) -> Sequence[str]:
    """The open sales invoices with an expected payment date, whatever day that is."""
    return session.exec(
        select(InvoiceSnapshot.invoice_id)
        .where(
            InvoiceSnapshot.tenant_id == tenant_id,
            InvoiceSnapshot.type == InvoiceType.SALE.value,
            InvoiceSnapshot.status == InvoiceStatus.AUTHORISED.value,
            col(InvoiceSnapshot.body).contains(PROMISED),
        )
        .order_by(col(InvoiceSnapshot.invoice_id))
    ).all()
