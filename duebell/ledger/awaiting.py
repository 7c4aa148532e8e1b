"""Who waits for a fresh read of invoices, and who reads them anew for all."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, func, update
from sqlmodel import col, select

from duebell.ledger import dispatch, freshness, scheduled
from duebell.ledger.engine import reading
from duebell.ledger.tables import Notification, Tenant, XeroEvent
from duebell.ledger.writing import writing
from duebell.states import EventState, NotificationState

READING_LEASE = timedelta(seconds=30)
"""Longer than a list usually takes; should it lapse, two read the same, which harms nothing."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An invoice whose fresh read somebody waits for. ``known_at`` is from when on it may have changed."""

    invoice_id: str
    known_at: datetime


def events(engine: Engine, tenant_id: str) -> tuple[Waiting, ...]:
    """The invoices that waiting events name and that were not read since those came, by Xero's own times."""
    changed_at = func.coalesce(XeroEvent.event_time, XeroEvent.received_at)
    # Grouped here: SQLite would go through all that ever came of the tenant to have it by invoice.
    pending = select(XeroEvent.category, XeroEvent.resource_id, changed_at, XeroEvent.received_at).where(
        XeroEvent.tenant_id == tenant_id, XeroEvent.state == EventState.PENDING.value
    )
    with reading(engine) as session:
        rows = session.exec(pending).all()
    first, last = dict[str, datetime](), dict[str, datetime]()
    for category, invoice_id, changed, received in rows:
        if category == "INVOICE":
            first[invoice_id] = min(changed, first.get(invoice_id, changed))
            last[invoice_id] = max(received, last.get(invoice_id, received))
    read = freshness.read_times(engine, tenant_id, last)
    return tuple(
        Waiting(invoice_id, first[invoice_id])
        for invoice_id, received in last.items()
        if invoice_id not in read or read[invoice_id] < received
    )


def messages(engine: Engine, tenant_id: str, *, before: datetime, now: datetime) -> tuple[Waiting, ...]:
    """The invoices last read before ``before``, by our clock, that messages are due about, or a look at
    messages that Twilio holds.
    """
    with reading(engine) as session:
        # Of every tenant: those that wait are few, and all that one was ever told of are many.
        due = [select(Notification.invoice_id).where(which) for which in _due(now)]
        about = {one for wanted in due for one in session.exec(wanted).all()}
    read = freshness.read_times(engine, tenant_id, about)
    return tuple(Waiting(invoice_id, read_at) for invoice_id, read_at in read.items() if read_at < before)


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    is_claimed = col(Notification.state) == NotificationState.CLAIMED.value
    held = scheduled.looked_at(now)
    return (
        dispatch.is_waiting() & (col(Notification.not_before) <= now),
        is_claimed & col(Notification.lease_until).is_not(None),
        col(Notification.notification_id).in_(held),
        col(Notification.lead_id).in_(held),
    )


def take_reading(engine: Engine, tenant_id: str, who: str, *, now: datetime) -> bool:
    """Become the one who reads what several runs of a tenant wait for; false while another does."""
    with writing(engine, now) as book:
        taken = book.session.exec(
            update(Tenant)
            .where(
                col(Tenant.tenant_id) == tenant_id,
                col(Tenant.reading_until).is_(None) | (col(Tenant.reading_until) < now),
            )
            .values(reading_by=who, reading_until=now + READING_LEASE)
            .returning(col(Tenant.tenant_id))
        ).scalar_one_or_none()
    return taken is not None


def end_reading(engine: Engine, tenant_id: str, who: str, *, now: datetime) -> None:
    """Let the next one read."""
    with writing(engine, now) as book:
        book.session.exec(
            update(Tenant)
            .where(col(Tenant.tenant_id) == tenant_id, col(Tenant.reading_by) == who)
            .values(reading_by=None, reading_until=None)
        )
