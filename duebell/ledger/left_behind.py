"""Events of a drain that died: its lease is over sooner than theirs, and they need not wait for their own."""

from datetime import datetime

from sqlalchemy import ColumnElement, Engine, exists, update
from sqlmodel import col, select

from duebell.ledger.tables import Tenant, XeroEvent
from duebell.ledger.writing import writing
from duebell.states import EventState


def is_left_behind(now: datetime) -> ColumnElement[bool]:
    """Whether an event was claimed for the first time, by a drain that let its lease run out.

    Only the first time: a drain that lives, but is kept waiting by Xero for longer than its lease, would have
    its events taken from it again and again. And only what it has not come to: what it put back has a reason.
    """
    lapsed = (
        select(Tenant.tenant_id)
        .where(
            col(Tenant.tenant_id) == col(XeroEvent.tenant_id),
            col(Tenant.drain_owner) == col(XeroEvent.flow_run_id),
            col(Tenant.drain_until) < now,
        )
        .correlate(XeroEvent)
    )
    untouched = (col(XeroEvent.claim_token) == 1) & (col(XeroEvent.outcome) == "")
    return (col(XeroEvent.state) == EventState.PENDING.value) & untouched & exists(lapsed)


def free(engine: Engine, tenant_id: str, *, now: datetime) -> None:
    """Let the next drain of a tenant take what a dead one left behind.

    Where that one lives after all, it closes its events as long as no other has claimed them.
    """
    with writing(engine, now) as book:
        book.session.exec(
            update(XeroEvent)
            .where(col(XeroEvent.tenant_id) == tenant_id, col(XeroEvent.retry_at) > now, is_left_behind(now))
            .values(retry_at=now)
        )
