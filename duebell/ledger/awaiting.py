"""Who waits for a fresh read of invoices, and who reads them anew for all."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, func, or_, update
from sqlmodel import col, select

from duebell.ledger import scheduled
from duebell.ledger.engine import reading
from duebell.ledger.tables import InvoiceSnapshot, Notification, Tenant, XeroEvent
from duebell.ledger.writing import writing
from duebell.states import WAITING, NotificationState

READING_LEASE = timedelta(seconds=30)
"""Longer than a list usually takes; should it lapse, two read the same, which harms nothing."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An invoice whose fresh read somebody waits for. ``known_at`` is from when on it may have changed."""

    invoice_id: str
    known_at: datetime


def events(engine: Engine, tenant_id: str) -> tuple[Waiting, ...]:
    """The invoices that waiting events name and that were not read since those came, by Xero's own times."""
    wanted = (
        select(
            XeroEvent.resource_id,
            func.min(func.coalesce(XeroEvent.event_time, XeroEvent.received_at)),
            func.max(XeroEvent.received_at),
            func.max(InvoiceSnapshot.read_at),
        )
        .join(
            InvoiceSnapshot,
            (col(InvoiceSnapshot.tenant_id) == col(XeroEvent.tenant_id))
            & (col(InvoiceSnapshot.invoice_id) == col(XeroEvent.resource_id)),
            isouter=True,
        )
        .where(
            XeroEvent.tenant_id == tenant_id, XeroEvent.state == "pending", XeroEvent.category == "INVOICE"
        )
        .group_by(col(XeroEvent.resource_id))
    )
    with reading(engine) as session:
        rows = session.exec(wanted).all()
    return tuple(
        Waiting(invoice_id, changed_at)
        for invoice_id, changed_at, received_at, read_at in rows
        if not read_at or read_at < received_at  # never read: an outer join has nothing there
    )


def messages(engine: Engine, tenant_id: str, *, before: datetime, now: datetime) -> tuple[Waiting, ...]:
    """The invoices last read before ``before``, by our clock, that messages are due about, or a look at
    messages that Twilio holds.
    """
    stale = (
        select(InvoiceSnapshot.invoice_id, InvoiceSnapshot.read_at)
        .join(
            Notification,
            (col(Notification.tenant_id) == col(InvoiceSnapshot.tenant_id))
            & (col(Notification.invoice_id) == col(InvoiceSnapshot.invoice_id)),
        )
        .where(InvoiceSnapshot.tenant_id == tenant_id, col(InvoiceSnapshot.read_at) < before)
        .distinct()
    )
    held = scheduled.looked_at(now)
    told_by = col(Notification.notification_id).in_(held) | col(Notification.lead_id).in_(held)
    with reading(engine) as session:
        rows = [row for which in (_is_due(now), told_by) for row in session.exec(stale.where(which)).all()]
    return tuple(Waiting(*row) for row in dict.fromkeys(rows))


def _is_due(now: datetime) -> ColumnElement[bool]:
    waits = col(Notification.state).in_([state.value for state in WAITING])
    return or_(
        waits & (col(Notification.not_before) <= now),
        col(Notification.state) == NotificationState.CLAIMED.value,
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
