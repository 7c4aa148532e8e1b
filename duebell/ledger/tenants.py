"""Tenants: how each is connected, whether it may send, who drains its inbox, and the brake."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, exists, update
from sqlmodel import col, select

from duebell.audit import Entry
from duebell.errors import ConfigurationError
from duebell.ledger import mirror_switch, planning_turns, reviewed, scheduled
from duebell.ledger.braking import EVERYTHING, brake_to_set
from duebell.ledger.engine import reading
from duebell.ledger.moving import step
from duebell.ledger.tables import Brake, Notification, Tenant
from duebell.ledger.writing import Writing, writing
from duebell.model import Connection, Organisation
from duebell.states import NotificationState, Sending, TenantState

DRAIN_LEASE = timedelta(seconds=30)
CLOSED = "tenant disconnected"
IS_CONNECTED = col(Tenant.state) == TenantState.CONNECTED.value


def connect(
    engine: Engine, connection: Connection, token_set_id: str, organisation: Organisation, *, now: datetime
) -> None:
    """Write a tenant down as connected, before its first sync; a tenant known already keeps its history."""
    with writing(engine, now) as book:
        tenant = book.session.get(Tenant, connection.tenant_id)
        if tenant is None:
            tenant = Tenant(
                tenant_id=connection.tenant_id,
                token_set_id=token_set_id,
                connected_at=now,
                watched_from=organisation.read_at or now,
            )
        tenant.connection_id = connection.connection_id
        tenant.token_set_id = token_set_id
        tenant.state = TenantState.CONNECTED.value
        describe(tenant, organisation)
        book.session.add(tenant)
        book.audit(Entry("connect", "tenant connected", "tenant", tenant.tenant_id, tenant.tenant_id))


def describe(tenant: Tenant, organisation: Organisation) -> None:
    """Copy what Xero says of the organisation onto its row."""
    tenant.name = organisation.name
    tenant.legal_name = organisation.legal_name
    tenant.short_code = organisation.short_code
    tenant.base_currency = organisation.base_currency
    tenant.country = organisation.country
    tenant.timezone = organisation.timezone


def mark_synced(engine: Engine, tenant_id: str, records: int, *, now: datetime) -> None:
    """The first sync is over: the tenant's events may be handled from now on."""
    with writing(engine, now) as book:
        book.session.exec(update(Tenant).where(col(Tenant.tenant_id) == tenant_id).values(synced_at=now))
        details = {"records": records}
        book.audit(Entry("connect", "first sync done", "tenant", tenant_id, tenant_id, details=details))


def get(engine: Engine, tenant_id: str) -> Tenant:
    """The tenant's row. Raises ``ConfigurationError`` for one that was never connected."""
    with reading(engine) as session:
        tenant = session.get(Tenant, tenant_id)
    if tenant is None:
        raise ConfigurationError(f"tenant {tenant_id} is not connected: run `duebell connect`")
    return tenant


def connected(engine: Engine) -> tuple[Tenant, ...]:
    """Every tenant that is connected, in the order of their connection."""
    wanted = select(Tenant).where(IS_CONNECTED).order_by(col(Tenant.connected_at))
    with reading(engine) as session:
        return tuple(session.exec(wanted))


def any_connected(engine: Engine) -> tuple[Tenant, ...]:
    """The same, for a command over all of them. Raises ``ConfigurationError`` where there is none."""
    found = connected(engine)
    if not found:
        raise ConfigurationError("no organisation is connected: run `duebell connect`")
    return found


def disconnect(engine: Engine, tenant_id: str, why: str, *, now: datetime) -> None:
    """Mark a tenant as closed to us; its events wait until it is connected again."""
    with writing(engine, now) as book:
        closing = update(Tenant).where(col(Tenant.tenant_id) == tenant_id, IS_CONNECTED)
        closing = closing.values(state=TenantState.DISCONNECTED.value).returning(col(Tenant.tenant_id))
        if book.session.exec(closing).scalar_one_or_none() is not None:
            book.audit(Entry("xero", CLOSED, "tenant", tenant_id, tenant_id, details={"why": why}))


def park(engine: Engine, tenant_id: str, until: datetime, why: str, *, now: datetime) -> None:
    """Leave a tenant alone until ``until``: its daily calls are used up."""
    with writing(engine, now) as book:
        park_in(book, tenant_id, until, why)


def park_in(book: Writing, tenant_id: str, until: datetime, why: str) -> None:
    """The same, inside a transaction of the caller's."""
    tenant = book.session.get(Tenant, tenant_id, with_for_update=True)
    if tenant is None:
        return
    before = tenant.parked_until
    tenant.parked_until, tenant.parked_why = until, why
    if before is None or before <= book.now:
        # Calls that were under way together are refused together: that is one park.
        details = {"until": until.isoformat(), "why": why}
        book.audit(Entry("xero", "tenant parked", "tenant", tenant_id, tenant_id, details=details))


def is_open(tenant_id: object, now: datetime) -> ColumnElement[bool]:
    """Whether a tenant is connected and not parked; for the conditions of other statements."""
    return ~exists(
        select(Tenant.tenant_id).where(
            col(Tenant.tenant_id) == tenant_id, ~IS_CONNECTED | (col(Tenant.parked_until) > now)
        )
    )


@dataclass(frozen=True, slots=True)
class DrainLease:
    """The right to drain a tenant's inbox, until it lapses."""

    tenant_id: str
    owner: str
    token: int
    taken_at: datetime


def take_drain(engine: Engine, tenant_id: str, owner: str, *, now: datetime) -> DrainLease | None:
    """Take the drain lease of a tenant.

    Nothing where another run holds a living one, and where the tenant is parked, disconnected, or not read
    for the first time yet.
    """
    with writing(engine, now) as book:
        token = book.session.exec(
            update(Tenant)
            .where(
                col(Tenant.tenant_id) == tenant_id,
                *may_be_drained(now),
                col(Tenant.drain_until).is_(None)
                | (col(Tenant.drain_until) < now)
                | (col(Tenant.drain_owner) == owner),
            )
            .values(drain_owner=owner, drain_token=col(Tenant.drain_token) + 1, drain_until=now + DRAIN_LEASE)
            .returning(col(Tenant.drain_token))
        ).scalar_one_or_none()
    return None if token is None else DrainLease(tenant_id, owner, token, now)


def may_be_drained(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """What holds of a tenant whose inbox may be drained; for the conditions of other statements."""
    return (
        col(Tenant.synced_at).is_not(None),
        IS_CONNECTED,
        col(Tenant.parked_until).is_(None) | (col(Tenant.parked_until) <= now),
    )


def keep_drain(engine: Engine, lease: DrainLease, *, now: datetime) -> bool:
    """The heartbeat of a drain. False where another run took the lease, or the tenant was closed to us."""
    with writing(engine, now) as book:
        return _set_drain(book, lease, now + DRAIN_LEASE, *may_be_drained(now))


def release_drain(engine: Engine, lease: DrainLease, *, now: datetime) -> bool:
    """Give the lease back."""
    with writing(engine, now) as book:
        return _set_drain(book, lease, None)


def _set_drain(
    book: Writing, lease: DrainLease, until: datetime | None, *conditions: ColumnElement[bool]
) -> bool:
    row = book.session.exec(
        update(Tenant)
        .where(col(Tenant.tenant_id) == lease.tenant_id, col(Tenant.drain_token) == lease.token, *conditions)
        .values(drain_until=until)
        .returning(col(Tenant.tenant_id))
    ).scalar_one_or_none()
    return row is not None


@dataclass(frozen=True, slots=True)
class WentLive:
    """What going live did to the messages that had been planned for review."""

    released: int
    dropped: int


def go_live(engine: Engine, tenant_id: str, by: str, *, release_held: bool, now: datetime) -> WentLive:
    """Let a tenant send. What was kept in is dropped, or released if a person says so."""
    with writing(engine, now) as book:
        planning_turns.changes(book, tenant_id)
        book.session.exec(
            update(Tenant).where(col(Tenant.tenant_id) == tenant_id).values(sending=Sending.LIVE.value)
        )
        held = select(Notification).where(Notification.tenant_id == tenant_id, reviewed.is_kept_in())
        rows = book.session.exec(held).all()
        for row in rows:
            _end_review(book, row, by, release_held=release_held)
        details = {"held": len(rows), "released": release_held}
        book.audit(Entry(by, "went live", "tenant", tenant_id, tenant_id, details=details))
    return WentLive(len(rows), 0) if release_held else WentLive(0, len(rows))


def _end_review(book: Writing, row: Notification, by: str, *, release_held: bool) -> None:
    row.updated_at = book.now
    if release_held:
        step(row, NotificationState.PLANNED)
        row.reason, row.not_before, row.dispatch_at = "", book.now, book.now
    else:
        step(row, NotificationState.SKIPPED)
        row.reason = "planned_before_going_live"
    action, details = f"notification {row.state}", {"reason": row.reason}
    book.audit(Entry(by, action, "notification", row.key, row.tenant_id, details=details))


def set_brake(engine: Engine, *, stopped: bool, by: str, why: str, scope: str, now: datetime) -> None:
    """Stop or resume all sending, or that of one tenant."""
    with writing(engine, now) as book:
        brake(book, stopped=stopped, by=by, why=why, scope=scope)


def brake(book: Writing, *, stopped: bool, by: str, why: str, scope: str) -> None:
    """The same in a transaction of the caller's."""
    row = brake_to_set(book, scope)
    since = row.changed_at if row.stopped and stopped else book.now
    row.stopped, row.by, row.why, row.changed_at = stopped, by, why, since
    tenant_id = None if scope == EVERYTHING else scope
    if stopped:
        scheduled.look_soon(book, *([col(Notification.tenant_id) == tenant_id] if tenant_id else []))
    action = "sending stopped" if stopped else "sending resumed"
    book.audit(Entry(by, action, "brake", scope, tenant_id, details={"why": why}))


def brakes(engine: Engine) -> Sequence[Brake]:
    """Every brake that a person takes off: not a channel's own stop, nor the switch of scheduling."""
    by_person = col(Brake.stopped).is_(True) & col(Brake.retry_at).is_(None)
    wanted = select(Brake).where(by_person, col(Brake.scope).not_in(mirror_switch.NOT_SENDING))
    with reading(engine) as session:
        return session.exec(wanted).all()
