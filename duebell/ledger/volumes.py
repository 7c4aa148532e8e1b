"""How many messages go out: of an hour, of a day, and of the days before it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Engine, distinct, exists, func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import Entry
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger import dispatch, present
from duebell.ledger.braking import brake_to_set
from duebell.ledger.built_once import built_once
from duebell.ledger.reminders import HEARD
from duebell.ledger.tables import Attempt, Brake, Notification, Tenant
from duebell.ledger.writing import Writing, writing
from duebell.policy.reasons import Reason
from duebell.states import NotificationState

S = NotificationState


@dataclass(frozen=True, slots=True)
class Volume:
    """A day's reminders of a tenant, in messages, and those of the days before.

    ``gone`` went out today or may have; ``waiting`` are to go out today, or wait for a person because of
    their number. What stood when a person last let it go, at ``lifted_at``, is in neither.
    """

    gone: int
    waiting: int
    earlier: tuple[int, ...]
    lifted_at: datetime | None


def volume_of(session: Session, tenant: Tenant, now: datetime, days: int) -> Volume:
    """The volume as it stands; ``days`` is how many days before are looked at."""
    lifted = session.get(Brake, _scope(tenant.tenant_id))
    lifted_at = lifted.changed_at if lifted else None
    today, tomorrow = _day(tenant, now), _day(tenant, now, 1)
    messages = [
        present.is_of_tenant(tenant.tenant_id),
        col(Notification.kind) == INVOICE_OVERDUE,
        col(Notification.generation) == 0,
        col(Notification.lead_id).is_(None),
    ]
    if lifted_at is not None:
        messages.append(col(Notification.planned_at) > lifted_at)
    waiting = select(func.count()).select_from(Notification).where(*messages, ~_went_since(today))
    return Volume(
        session.exec(_gone_since(today, messages)).one(),
        sum(session.exec(waiting.where(which)).one() for which in _waits_until(tomorrow)),
        _earlier(session, tenant, now, days),
        lifted_at,
    )


def _waits_until(tomorrow: datetime) -> tuple[ColumnElement[bool], ...]:
    """Each for itself, as each is found by an index of its own."""
    state = col(Notification.state)
    is_held_until = (state == S.HELD.value) & (col(Notification.not_before) < tomorrow)
    return (
        dispatch.is_waiting() & ((state == S.PLANNED.value) | is_held_for_volume() | is_held_until),
        (state == S.CLAIMED.value) & col(Notification.lease_until).is_not(None),
    )


def _gone_since(moment: datetime, messages: Sequence[ColumnElement[bool]]) -> SelectOfScalar[int]:
    return (
        select(func.count(distinct(col(Attempt.notification_id))))
        .join(Notification, col(Notification.notification_id) == col(Attempt.notification_id))
        .where(*messages, col(Attempt.started_at) >= moment, col(Attempt.state).in_(HEARD))
    )


def _went_since(moment: datetime) -> ColumnElement[bool]:
    return exists(
        select(Attempt.attempt_id).where(
            col(Attempt.notification_id) == col(Notification.notification_id),
            col(Attempt.started_at) >= moment,
            col(Attempt.state).in_(HEARD),
        )
    )


def is_held_for_volume() -> ColumnElement[bool]:
    """Whether a notification waits for a person because there were too many."""
    is_held = col(Notification.state) == S.HELD.value
    return is_held & (col(Notification.reason) == Reason.UNUSUAL_VOLUME.value)


def held_for_volume(session: Session, tenant_id: str) -> int:
    """How many reminders of a tenant wait for a person because there were too many.

    What was let go waits for the next sweep no longer as one of these.
    """
    lifted = session.get(Brake, _scope(tenant_id))
    wanted = [Notification.tenant_id == tenant_id, is_held_for_volume()]
    if lifted is not None:
        wanted.append(col(Notification.planned_at) > lifted.changed_at)
    return session.exec(select(func.count()).select_from(Notification).where(*wanted)).one()


def lift(engine: Engine, tenant_id: str, by: str, held: int, *, now: datetime) -> None:
    """Let what stands now go out with the next sweep, however many they are."""
    with writing(engine, now) as book:
        scope = _scope(tenant_id)
        row = brake_to_set(book, scope)
        row.stopped, row.by, row.why, row.changed_at = False, by, "unusual volume", now
        book.session.add(row)
        entry = Entry(by, "unusual volume released", "tenant", tenant_id, tenant_id, details={"held": held})
        book.audit(entry)


def _scope(tenant_id: str) -> str:
    return f"volume:{tenant_id}"


def take_turn(book: Writing, tenant_id: str) -> None:
    """Let no other sender of the tenant past this until the transaction ends.

    Two that counted at once would both see room for one.
    """
    _lock_tenant(book.session, tenant_id).one()


def sent_this_hour(book: Writing, tenant_id: str) -> int:
    """How many messages of any kind went out in this hour, or may have; for who has the tenant's turn."""
    return _heard_since(book.session, tenant_id, hour_of(book.now)).one()


@built_once
def _lock_tenant(tenant_id: str) -> SelectOfScalar[str]:
    return select(Tenant.tenant_id).where(Tenant.tenant_id == tenant_id).with_for_update()


@built_once
def _heard_since(tenant_id: str, since: datetime) -> SelectOfScalar[int]:
    return (
        select(func.count())
        .select_from(Attempt)
        .where(
            present.attempt_is_of_tenant(tenant_id),
            col(Attempt.started_at) >= since,
            col(Attempt.state).in_(HEARD),
        )
    )


def hour_of(now: datetime) -> datetime:
    """The beginning of the hour."""
    return now.replace(minute=0, second=0, microsecond=0)


def _earlier(session: Session, tenant: Tenant, now: datetime, days: int) -> tuple[int, ...]:
    """How many messages went out on each of the days before, the latest last, on the tenant's calendar."""
    zone = ZoneInfo(tenant.timezone)
    started = session.exec(
        select(func.min(Attempt.started_at))
        .join(Notification, col(Notification.notification_id) == col(Attempt.notification_id))
        .where(
            present.is_of_tenant(tenant.tenant_id),
            Notification.kind == INVOICE_OVERDUE,
            col(Attempt.state).in_(HEARD),
            col(Attempt.started_at) >= _day(tenant, now, -days),
            col(Attempt.started_at) < _day(tenant, now),
        )
        .group_by(col(Attempt.notification_id))
    ).all()
    counts = Counter[date](at.astimezone(zone).date() for at in started)
    today = now.astimezone(zone).date()
    return tuple(counts[today - timedelta(days=back)] for back in range(days, 0, -1))


def _day(tenant: Tenant, now: datetime, later: int = 0) -> datetime:
    """The beginning (UTC) of the tenant's day, or of one so many days later."""
    zone = ZoneInfo(tenant.timezone)
    day = now.astimezone(zone).date() + timedelta(days=later)
    return datetime.combine(day, time(), zone).astimezone(UTC)
