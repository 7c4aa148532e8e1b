"""What the ledger knows of a tenant's webhooks, and the episodes in which they look broken."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from duebell.audit import Entry
from duebell.books.webhook_health import Brought, Facts, FoundChange, Turn, Why, turn
from duebell.ledger import sequences
from duebell.ledger.engine import reading
from duebell.ledger.polls import ACTOR, FoundBy
from duebell.ledger.tables import SequenceGap, Tenant, XeroEvent
from duebell.ledger.writing import Writing, writing

SUSPECTED = "webhooks look broken"
LOOK_BACK = timedelta(days=7)
MOST = 1_000
"""Changes looked at: two that were missed say as much as a thousand."""

HEARD = timedelta(seconds=10)
"""A burst of webhooks writes the tenant's row once in so long, not once each."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An episode that has just begun."""

    tenant_id: str
    since: datetime
    why: Why


def heard(
    book: Writing, tenant_ids: set[str], first: int | None, last: int | None, *, is_news: bool = False
) -> None:
    """Note, beside the events of a delivery, that it came, and its numbers.

    ``is_news``: none of its events had come before.
    """
    # One by one and in order, because two deliveries for the same tenants would wait for each other.
    for tenant_id in sorted(tenant_ids):
        book.session.exec(
            update(Tenant)
            .where(
                col(Tenant.tenant_id) == tenant_id,
                col(Tenant.webhook_at).is_(None) | (col(Tenant.webhook_at) < book.now - HEARD),
            )
            .values(webhook_at=book.now)
        )
    if first is not None and last is not None and sequences.is_counted(first, last):
        sequences.note(book, first, last, is_news=is_news)


def facts_of(session: Session, tenant_id: str, now: datetime) -> Facts:
    """A tenant's webhooks as they are known now."""
    tenant = session.get_one(Tenant, tenant_id)
    since = max(now - LOOK_BACK, tenant.webhook_at or tenant.synced_at or now)
    found = _found(session, tenant_id, since)
    gaps = session.exec(select(SequenceGap.noticed_at).where(col(SequenceGap.closed_at).is_(None))).all()
    return Facts(
        tenant.webhook_at,
        tenant.synced_at,
        tenant.webhooks_suspect_at,
        tuple(gaps),
        found,
        _brought(session, tenant_id, {one.resource_id for one in found}),
    )


def _found(session: Session, tenant_id: str, since: datetime) -> tuple[FoundChange, ...]:
    rows = session.exec(
        select(XeroEvent)
        .where(
            XeroEvent.tenant_id == tenant_id,
            XeroEvent.found_by == FoundBy.LIST.value,
            col(XeroEvent.received_at) >= since,
        )
        .order_by(col(XeroEvent.event_id).desc())
        .limit(MOST)
    ).all()
    return tuple(
        FoundChange(row.category, row.resource_id, row.event_time, row.received_at)
        for row in rows
        if row.event_time
    )


def _brought(session: Session, tenant_id: str, resource_ids: set[str]) -> tuple[Brought, ...]:
    rows = session.exec(
        select(XeroEvent).where(
            XeroEvent.tenant_id == tenant_id,
            XeroEvent.found_by == "webhook",
            col(XeroEvent.resource_id).in_(resource_ids),
        )
    ).all()
    return tuple(Brought(row.category, row.resource_id, row.event_time) for row in rows if row.event_time)


def judge(engine: Engine, tenant_id: str, *, now: datetime) -> Alarm | None:
    """Begin or end an episode where the facts say so; returns one that this call began."""
    with reading(engine) as session:
        taken, why = turn(facts_of(session, tenant_id, now), now)
    if taken is Turn.SUSPECT and why is not None:
        return Alarm(tenant_id, now, why) if _begin(engine, tenant_id, why, now) else None
    if taken is Turn.CLEAR:
        _end(engine, tenant_id, now)
    return None


def _begin(engine: Engine, tenant_id: str, why: Why, now: datetime) -> bool:
    with writing(engine, now) as book:
        begun = book.session.exec(
            update(Tenant)
            .where(col(Tenant.tenant_id) == tenant_id, col(Tenant.webhooks_suspect_at).is_(None))
            .values(webhooks_suspect_at=now)
            .returning(col(Tenant.tenant_id))
        ).scalar_one_or_none()
        if begun is not None:
            details = {"why": why.value}
            book.audit(Entry(ACTOR, SUSPECTED, "tenant", tenant_id, tenant_id, details=details))
    return begun is not None


def _end(engine: Engine, tenant_id: str, now: datetime) -> None:
    with writing(engine, now) as book:
        ended = book.session.exec(
            update(Tenant)
            .where(col(Tenant.tenant_id) == tenant_id, col(Tenant.webhooks_suspect_at).is_not(None))
            .values(webhooks_suspect_at=None)
            .returning(col(Tenant.tenant_id))
        ).scalar_one_or_none()
        if ended is not None:
            book.audit(Entry(ACTOR, "webhooks come again", "tenant", tenant_id, tenant_id))
