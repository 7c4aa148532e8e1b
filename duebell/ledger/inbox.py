"""The inbox: what Xero said happened, kept before it is acknowledged, handed out to one drain at a time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, Update, func, update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from duebell.audit import Entry
from duebell.books.calls import CLOCKS_APART
from duebell.ledger.built_once import built_once
from duebell.ledger.engine import reading
from duebell.ledger.inserting import insert_missing, insert_new
from duebell.ledger.left_behind import is_left_behind
from duebell.ledger.tables import RejectedDelivery, Tenant, XeroEvent
from duebell.ledger.tenants import is_open, may_be_drained
from duebell.ledger.writing import Writing, writing
from duebell.states import EventState

ALLOCATED = frozenset({"CREDITNOTE", "PREPAYMENT", "OVERPAYMENT"})  # to invoices, as Xero names them

HANDLED_CATEGORIES = frozenset({"INVOICE", "CONTACT"}) | ALLOCATED
CLAIM_LEASE = timedelta(minutes=2)
LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One event to be kept. ``mark`` is what tells it from the next event of the same record."""

    tenant_id: str
    category: str
    resource_id: str
    type: str
    mark: str
    event_time: datetime | None
    found_by: str = "webhook"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something signed that could not be read, kept raw under its hash."""

    sha256: str
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a delivery. ``waiting`` are the tenants that now have something to be handled."""

    new: int
    repeated: int
    ignored: int
    waiting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event that one drain has taken, with the token that lets it say what became of it.

    ``attempts`` counts the looks at its record, this one among them; a drain that ended before it could look
    is none.
    """

    event_id: int
    claim_token: int
    category: str
    resource_id: str
    received_at: datetime
    attempts: int
    event_time: datetime | None = None


def keep(engine: Engine, events: Sequence[NewEvent], rejected: Sequence[Rejected], *, now: datetime) -> Kept:
    """Write a delivery into the inbox, in one transaction that is on disk when this returns."""
    with writing(engine, now) as book:
        return keep_in(book, events, rejected, now)


def keep_in(book: Writing, events: Sequence[NewEvent], rejected: Sequence[Rejected], at: datetime) -> Kept:
    """The same in a transaction of the caller's.

    An event that is there already adds nothing. Unknown tenants and categories are kept as ignored, with
    the reason, because an answer other than 200 would make Xero disable the webhook.
    """
    known = set(book.session.exec(select(Tenant.tenant_id)).all())
    # In the order of the unique key, because two deliveries of the same events would wait for each other.
    ordered = sorted(events, key=_unique_key)
    new = [event for event in ordered if _insert(book, event, _why_ignored(event, known), at)]
    for item in rejected:
        _insert_rejected(book, item, at)
    pending = [event for event in new if not _why_ignored(event, known)]
    waiting = sorted({event.tenant_id for event in pending})
    return Kept(len(new), len(events) - len(new), len(new) - len(pending), tuple(waiting))


def _unique_key(event: NewEvent) -> tuple[str, ...]:
    return (event.tenant_id, event.category, event.resource_id, event.type, event.mark)


def _why_ignored(event: NewEvent, known_tenants: set[str]) -> str:
    if event.tenant_id not in known_tenants:
        return "unknown tenant"
    if event.category not in HANDLED_CATEGORIES:
        return "unknown category"
    return ""


def _insert(book: Writing, event: NewEvent, ignored: str, now: datetime) -> bool:
    state = EventState.IGNORED.value if ignored else EventState.PENDING.value
    as_kept = {"received_at": now, "state": state, "outcome": ignored}
    unclaimed = {"attempts": 0, "retry_at": now, "claim_token": 0}
    event_id = insert_new(book.session, XeroEvent, {**asdict(event), **as_kept, **unclaimed})
    if event_id is None:
        return False
    book.audit(
        Entry(
            actor=event.found_by,
            action="event ignored" if ignored else "event kept",
            subject_type=event.category.lower(),
            subject_id=event.resource_id,
            tenant_id=event.tenant_id,
            details={"event": event_id, "type": event.type, "mark": event.mark, "why": ignored},
        )
    )
    return True


def _insert_rejected(book: Writing, item: Rejected, now: datetime) -> None:
    if book.session.get(RejectedDelivery, item.sha256) is None:
        row = RejectedDelivery(sha256=item.sha256, received_at=now, reason=item.reason, raw=item.raw)
        insert_missing(book.session, [row])
        details = {"why": item.reason}
        book.audit(Entry("webhook", "delivery rejected", "delivery", item.sha256, details=details))


def claim(
    engine: Engine, tenant_id: str, *, now: datetime, most: int, flow_run_id: str | None = None
) -> tuple[ClaimedEvent, ...]:
    """Take the oldest waiting events of a tenant, each for this caller alone.

    Until :func:`finish` is called they come back by themselves, later each time: a drain that dies or fails
    loses nothing and does not run hot.
    """
    waiting = (
        select(XeroEvent.event_id)
        .where(_may_be_claimed(tenant_id, now))
        .order_by(col(XeroEvent.event_id))
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    with writing(engine, now) as book:
        ids = book.session.exec(waiting).all()
        rows = book.session.exec(select(XeroEvent).where(col(XeroEvent.event_id).in_(ids))).all()
        for row in rows:
            row.claim_token += 1
            # Unbounded, the power would overflow after two days of failing drains.
            row.retry_at = now + min(CLAIM_LEASE * 2 ** min(row.claim_token - 1, 10), LONGEST_WAIT)
            row.flow_run_id = flow_run_id
        return tuple(_claimed(row) for row in sorted(rows, key=lambda row: row.event_id or 0))


def _claimed(row: XeroEvent) -> ClaimedEvent:
    told = (row.category, row.resource_id, row.received_at, row.attempts + 1, row.event_time)
    return ClaimedEvent(row.event_id or 0, row.claim_token, *told)


def _may_be_claimed(tenant_id: str, now: datetime) -> ColumnElement[bool]:
    pending = (col(XeroEvent.tenant_id) == tenant_id) & (col(XeroEvent.state) == EventState.PENDING.value)
    return pending & (col(XeroEvent.retry_at) <= now) & is_open(tenant_id, now)


def finish(book: Writing, event: ClaimedEvent, outcome: str) -> bool:
    """Say what became of an event. False where another claim has taken it since: nothing is changed then."""
    values = {"state": EventState.HANDLED.value, "outcome": outcome, "handled_at": book.now}
    statement = still_claimed(event).values(**values).returning(col(XeroEvent.event_id))
    return book.session.exec(statement).scalar_one_or_none() is not None


def still_claimed(event: ClaimedEvent) -> Update:
    """The start of what changes an event, where no other claim has taken it and it is open."""
    return update(XeroEvent).where(
        col(XeroEvent.event_id) == event.event_id,
        col(XeroEvent.claim_token) == event.claim_token,
        col(XeroEvent.state) == EventState.PENDING.value,
    )


def put_back(book: Writing, event: ClaimedEvent, why: str, retry_at: datetime) -> None:
    """Leave an event for a later drain, with the reason."""
    book.session.exec(still_claimed(event).values(outcome=why, retry_at=retry_at, attempts=event.attempts))


def give_back(book: Writing, events: Sequence[ClaimedEvent], why: str, retry_at: datetime) -> None:
    """Leave events that could not be looked at for a later drain; that does not count as an attempt."""
    for event in events:
        book.session.exec(still_claimed(event).values(outcome=why, retry_at=retry_at))


@dataclass(frozen=True, slots=True)
class Backlog:
    """A tenant with events that nobody is handling. ``oldest_event_id`` names the backlog."""

    tenant_id: str
    oldest_event_id: int
    waiting: int


def backlog(engine: Engine, *, now: datetime, waited: timedelta) -> tuple[Backlog, ...]:
    """The tenants whose events have waited, with no drain at work, no park and the first sync behind them."""
    with reading(engine) as session:
        rows = _backlog(session, now, now - waited, now + CLOCKS_APART).all()
    return tuple(Backlog(tenant_id, oldest or 0, count) for tenant_id, oldest, count in rows)


@built_once
def _backlog(now: datetime, since: datetime, ahead: datetime) -> Select[str, int | None, int]:
    return (
        select(XeroEvent.tenant_id, func.min(XeroEvent.event_id), func.count())
        .join(Tenant, col(Tenant.tenant_id) == col(XeroEvent.tenant_id))
        .where(
            XeroEvent.state == EventState.PENDING.value,
            (col(XeroEvent.retry_at) <= now) | is_left_behind(now),
            # What a clock that was ahead has kept came before now all the same.
            (col(XeroEvent.received_at) <= since) | (col(XeroEvent.received_at) > ahead),
            *may_be_drained(now),
            col(Tenant.drain_until).is_(None) | (col(Tenant.drain_until) < now),
        )
        .group_by(col(XeroEvent.tenant_id))
    )


def waiting(engine: Engine, tenant_id: str, *, now: datetime) -> int:
    """How many events of a tenant could be claimed now."""
    with reading(engine) as session:
        return _count(session, _may_be_claimed(tenant_id, now))


def claimed_by(engine: Engine, flow_run_id: str) -> int:
    """How many events a run has taken so far."""
    with reading(engine) as session:
        return _count(session, col(XeroEvent.flow_run_id) == flow_run_id)


def _count(session: Session, which: ColumnElement[bool]) -> int:
    return session.exec(select(func.count()).select_from(XeroEvent).where(which)).one()
