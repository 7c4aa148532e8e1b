"""Attempts whose outcome nobody knows yet, and when each is to be looked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import Writing
from duebell.states import AttemptState
from duebell.twilio.statuses import MessageStatus, is_final


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An attempt whose outcome is not known yet, with what a search for it needs."""

    attempt_id: str
    tenant_id: str
    kind: str
    channel: str
    address: str
    text: str
    sid: str | None
    started_at: datetime
    settle_tries: int


def unsettled(
    session: Session, *, now: datetime | None = None, attempt_ids: Sequence[str] | None = None
) -> list[Unsettled]:
    """Unknown attempts: those that are due at ``now``, or those named, or all."""
    wanted = (
        select(Attempt, Notification.tenant_id, Notification.kind, Leg.channel)
        .join(Notification, col(Notification.notification_id) == col(Attempt.notification_id))
        .join(Leg, col(Leg.leg_id) == col(Attempt.leg_id))
        .where(col(Attempt.state) == AttemptState.UNKNOWN.value)
        .order_by(col(Attempt.started_at))
    )
    if now is not None:
        wanted = wanted.where(col(Attempt.settle_at) <= now)
    if attempt_ids is not None:
        wanted = wanted.where(col(Attempt.attempt_id).in_(attempt_ids))
    return [
        Unsettled(
            row.attempt_id,
            tenant_id,
            kind,
            channel,
            row.address,
            row.text,
            row.sid,
            row.started_at,
            row.settle_tries,
        )
        for row, tenant_id, kind, channel in session.exec(wanted).all()
    ]


def settle_due(engine: Engine, *, now: datetime) -> bool:
    """Whether any unknown attempt is due to be looked for."""
    with reading(engine) as session:
        found = session.exec(
            select(Attempt.attempt_id)
            .where(col(Attempt.state) == AttemptState.UNKNOWN.value, col(Attempt.settle_at) <= now)
            .limit(1)
        ).first()
    return found is not None


def look_later(book: Writing, attempt_id: str, at: datetime) -> None:
    """Nothing was found: look again at ``at``."""
    book.session.exec(
        update(Attempt)
        .where(col(Attempt.attempt_id) == attempt_id, col(Attempt.state) == AttemptState.UNKNOWN.value)
        .values(settle_at=at, settle_tries=col(Attempt.settle_tries) + 1)
    )


def bound_sids(session: Session, sids: Sequence[str]) -> set[str]:
    """Which of these SIDs belong to an attempt already."""
    found = session.exec(select(Attempt.sid).where(col(Attempt.sid).in_(sids))).all()
    return {sid for sid in found if sid}


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A message that Twilio took and of which no final receipt came."""

    attempt_id: str
    sid: str
    channel: str = "sms"


def unconfirmed(session: Session, *, after: datetime, before: datetime, most: int = 200) -> list[Unconfirmed]:
    """Messages posted between these times whose last known status is not final, oldest first."""
    final = [status.value for status in MessageStatus if is_final(status)]
    rows = session.exec(
        select(Attempt.attempt_id, Attempt.sid, Leg.channel)
        .join(Leg, col(Leg.leg_id) == col(Attempt.leg_id))
        .where(
            Attempt.state == AttemptState.ACCEPTED.value,
            col(Attempt.sid).is_not(None),
            col(Attempt.provider_status).not_in(final),
            col(Attempt.started_at).between(after, before),
        )
        .order_by(col(Attempt.started_at))
        .limit(most)
    ).all()
    return [Unconfirmed(attempt_id, sid, channel) for attempt_id, sid, channel in rows if sid]
