"""What is not known for sure: messages that may have gone out, and receipts of those nobody sent."""

import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from duebell.keys import INVOICE_ISSUED, PAYMENT_RECEIVED, contact_recipient, is_contact, person_of
from duebell.ledger import present
from duebell.ledger.tables import Attempt, InvoiceSnapshot, Notification, Receipt
from duebell.states import NotificationState

S = NotificationState
STRANGE_AFTER = timedelta(hours=24)
"""How long a receipt may wait for its message to be known, before somebody is told."""


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A message of which nobody knows whether it went out, since its POST was begun."""

    notification_id: int
    tenant_id: str
    invoice_id: str
    invoice: str
    """Its number, or its id where the number is not known."""
    kind: str
    state: str
    reason: str
    since: datetime
    age: timedelta
    again: str
    """How a person names it to have it said again; empty for one to a team, of which nobody has that."""


def outstanding(session: Session, *, now: datetime) -> list[Outstanding]:
    """The messages that are looked for or left to a person, the oldest first."""
    told_by = func.coalesce(col(Notification.lead_id), col(Notification.notification_id))
    begun = (
        select(Attempt.notification_id, func.max(Attempt.started_at).label("begun"))
        .group_by(col(Attempt.notification_id))
        .subquery()
    )
    same = (col(InvoiceSnapshot.tenant_id) == col(Notification.tenant_id)) & (
        col(InvoiceSnapshot.invoice_id) == col(Notification.invoice_id)
    )
    rows = session.exec(
        select(Notification, InvoiceSnapshot.number, begun.c.begun)
        .join(begun, begun.c.notification_id == told_by)
        .join(InvoiceSnapshot, same, isouter=True)
        .where(_is_looked_for() | _is_left_to_a_person())
        .order_by(begun.c.begun, col(Notification.notification_id))
    ).all()
    return [_outstanding(row, number, since, now) for row, number, since in rows]


def _is_looked_for() -> ColumnElement[bool]:
    return (col(Notification.state) == S.UNKNOWN.value) & col(Notification.lead_id).is_(None)


def _is_left_to_a_person() -> ColumnElement[bool]:
    """What a person had said again is decided, whatever became of it: the later message stands for itself.

    They have it said by its invoices, so of a message to a customer each of those is left to them.
    """
    to_a_customer = col(Notification.recipient).startswith(contact_recipient(""))
    may_be_said_again = col(Notification.lead_id).is_(None) | to_a_customer
    return (col(Notification.state) == S.PARKED.value) & may_be_said_again & ~present.is_said_again()


def _again(row: Notification, invoice: str) -> str:
    """What follows `duebell resend`: without it, that would say something else to the customer."""
    if not is_contact(row.recipient):
        return ""
    words = [shlex.quote(invoice)]
    words += [f"--kind {row.kind}"] if row.kind != INVOICE_ISSUED else []
    words += [f"--payment {row.subject_id}"] if row.kind == PAYMENT_RECEIVED else []
    words += [f"--stage {row.step}"] if row.step else []
    words += ["--to ADDRESS"] if person_of(row.recipient) else []
    return " ".join(words)


def _outstanding(row: Notification, number: str | None, since: datetime, now: datetime) -> Outstanding:
    return Outstanding(
        row.notification_id or 0,
        row.tenant_id,
        row.invoice_id,
        number or row.invoice_id,
        row.kind,
        row.state,
        row.reason,
        since,
        now - since,
        _again(row, number or row.invoice_id),
    )


def strange_receipts(session: Session, *, now: datetime) -> list[str]:
    """The SIDs whose receipts have belonged to no message of ours for a day."""
    wanted = (
        select(Receipt.sid)
        .where(col(Receipt.attempt_id).is_(None), col(Receipt.received_at) <= now - STRANGE_AFTER)
        .distinct()
        .order_by(col(Receipt.sid))
    )
    return list(session.exec(wanted).all())
