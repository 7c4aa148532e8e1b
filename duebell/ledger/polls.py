"""Polling's own memory: up to where each list was read, and what became an event of the inbox."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine, func, update
from sqlmodel import Session, col, select

from duebell.audit import Entry
from duebell.ledger import inbox
from duebell.ledger.columns import UtcDateTime
from duebell.ledger.engine import reading
from duebell.ledger.inbox import Kept, NewEvent
from duebell.ledger.tables import Audit, InvoiceSnapshot, Tenant, TokenSet, XeroEvent
from duebell.ledger.writing import writing
from duebell.model import InvoiceStatus, InvoiceType
from duebell.states import EventState

ACTOR = "poll"


class FoundBy(StrEnum):
    """What reading found a change by itself; as ``found_by`` of its event."""

    LIST = "poll"
    UNTOLD = "poll_untold"
    PAYMENTS = "poll_payments"
    OPEN = "poll_open"
    ALLOCATION = "allocation"


class Cursor(StrEnum):
    """A list of Xero's that is read from where it was left; the column that says so."""

    INVOICES = "invoices_cursor"
    PAYMENTS = "payments_cursor"
    CONTACTS = "contacts_cursor"


@dataclass(frozen=True, slots=True)
class News:
    """A record that was read and is news. ``body`` is what was read, or another word for its state."""

    category: str
    resource_id: str
    body: str
    changed_at: datetime | None
    mark: str = ""


def begin(engine: Engine, tenant: Tenant, *, now: datetime) -> bool:
    """Take the poll of a tenant as it was seen; false where another run has begun one since."""
    seen = tenant.polled_at
    unmoved = col(Tenant.polled_at).is_(None) if seen is None else col(Tenant.polled_at) == seen
    with writing(engine, now) as book:
        begun = book.session.exec(
            update(Tenant)
            .where(col(Tenant.tenant_id) == tenant.tenant_id, unmoved)
            .values(polled_at=now)
            .returning(col(Tenant.tenant_id))
        ).scalar_one_or_none()
    return begun is not None


def move_cursor(engine: Engine, tenant_id: str, cursor: Cursor, to: datetime, *, now: datetime) -> None:
    """Remember up to where a list was read; never backwards, whichever of two polls ends last."""
    column = getattr(Tenant, cursor.value)
    with writing(engine, now) as book:
        book.session.exec(
            update(Tenant)
            .where(col(Tenant.tenant_id) == tenant_id, col(column).is_(None) | (col(column) < to))
            .values({cursor.value: to})
        )


def keep_news(
    engine: Engine,
    tenant_id: str,
    news: Sequence[News],
    found_by: FoundBy,
    *,
    received_at: datetime,
    now: datetime,
) -> Kept:
    """Put what polling found into the inbox, once for each state in which it was found.

    ``received_at`` is when the poll began, so that a record which it read counts as read since. A state that
    comes again after it was handled, and another state between, is news again: the mark covers what was
    handled last.
    """
    with writing(engine, now) as book:
        handled = _last_handled(book.session, tenant_id, [one.resource_id for one in news])
        events = [
            NewEvent(
                tenant_id,
                one.category,
                one.resource_id,
                "UPDATE",
                one.mark or _content_mark(one, handled.get((one.category, one.resource_id), 0)),
                one.changed_at,
                found_by=found_by.value,
            )
            for one in news
        ]
        return inbox.keep_in(book, events, [], received_at)


def _content_mark(one: News, handled: int) -> str:
    return f"sha256:{hashlib.sha256(f'{handled}:{one.body}'.encode()).hexdigest()}"


def _last_handled(session: Session, tenant_id: str, ids: Sequence[str]) -> dict[tuple[str, str], int]:
    # The last of each is found here: to group them, SQLite would go through all that ever came of the tenant.
    rows = session.exec(
        select(XeroEvent.category, XeroEvent.resource_id, XeroEvent.event_id)
        .where(
            XeroEvent.tenant_id == tenant_id,
            col(XeroEvent.resource_id).in_(ids),
            XeroEvent.state == EventState.HANDLED.value,
        )
        .order_by(col(XeroEvent.event_id))
    ).all()
    return {(category, resource_id): event_id or 0 for category, resource_id, event_id in rows}


def last_told(engine: Engine, tenant_id: str, contact_ids: Sequence[str]) -> dict[str, datetime]:
    """When the inbox was last told of each contact, by Xero's time where that is known."""
    at = func.max(func.coalesce(XeroEvent.event_time, XeroEvent.received_at), type_=UtcDateTime)
    with reading(engine) as session:
        rows = session.exec(
            select(XeroEvent.resource_id, at)
            .where(
                XeroEvent.tenant_id == tenant_id,
                XeroEvent.category == "CONTACT",
                col(XeroEvent.resource_id).in_(contact_ids),
            )
            .group_by(col(XeroEvent.resource_id))
        ).all()
    return dict(rows)


def open_but_unread(engine: Engine, tenant_id: str, *, since: datetime, most: int) -> list[str]:
    """The sales invoices that are open as far as we know and were not read since; longest unread first."""
    with reading(engine) as session:
        return list(
            session.exec(
                select(InvoiceSnapshot.invoice_id)
                .where(
                    InvoiceSnapshot.tenant_id == tenant_id,
                    InvoiceSnapshot.type == InvoiceType.SALE.value,
                    InvoiceSnapshot.status == InvoiceStatus.AUTHORISED.value,
                    col(InvoiceSnapshot.read_at) < since,
                )
                .order_by(col(InvoiceSnapshot.read_at), col(InvoiceSnapshot.invoice_id))
                .limit(most)
            )
        )


def mark_open_read(engine: Engine, tenant_id: str, at: datetime, *, now: datetime) -> None:
    """Remember when the open invoices were last read anew."""
    with writing(engine, now) as book:
        book.session.exec(update(Tenant).where(col(Tenant.tenant_id) == tenant_id).values(open_read_at=at))


LACKS_PAYMENTS = "payments cannot be polled"
PAYMENT_SCOPES = frozenset({"accounting.payments", "accounting.payments.read"})


def lacks_payments_scope(engine: Engine, tenant_id: str) -> bool:
    """Whether the consent is known to open no payments: by Xero's list of its scopes, or by its refusal."""
    with reading(engine) as session:
        tokens = _tokens_of(session, tenant_id)
        if tokens.scopes:
            return not PAYMENT_SCOPES & set(tokens.scopes.split())
        return _is_noted(session, tenant_id, tokens)


def note_missing_scope(engine: Engine, tenant_id: str, *, now: datetime) -> bool:
    """Write down, once a consent, that payments are left out; whether it was not written down before."""
    with writing(engine, now) as book:
        if _is_noted(book.session, tenant_id, _tokens_of(book.session, tenant_id)):
            return False
        mend = "connect again, with accounting.payments.read, as a user whose role may see payments"
        details = {"why": "Xero does not open them to us", "mend": mend}
        book.audit(Entry(ACTOR, LACKS_PAYMENTS, "tenant", tenant_id, tenant_id, details=details))
    return True


def _tokens_of(session: Session, tenant_id: str) -> TokenSet:
    return session.exec(
        select(TokenSet)
        .join(Tenant, col(Tenant.token_set_id) == col(TokenSet.token_set_id))
        .where(Tenant.tenant_id == tenant_id)
    ).one()


def _is_noted(session: Session, tenant_id: str, tokens: TokenSet) -> bool:
    since = [col(Audit.at) >= tokens.consented_at] if tokens.consented_at else []
    noted = select(Audit.sequence).where(Audit.tenant_id == tenant_id, Audit.action == LACKS_PAYMENTS, *since)
    return session.exec(noted.limit(1)).first() is not None
