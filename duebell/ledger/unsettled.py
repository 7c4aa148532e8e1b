"""Attempts whose outcome nobody knows yet, and when each is to be looked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, func, update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.email.twilio_email import EMAIL_API_IDS
from duebell.ledger.built_once import built_once
from duebell.ledger.engine import reading
from duebell.ledger.held import is_held
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import Writing
from duebell.policy.reaching import EMAIL, SMS
from duebell.states import AttemptState
from duebell.twilio.statuses import MessageStatus, is_final

AN_HOUR = timedelta(hours=1)

LOOKED_AT = [AttemptState.UNKNOWN.value, AttemptState.ACCEPTED.value, AttemptState.CANCELLED.value]
"""The states of attempts that have a time at which they are looked at again."""


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
    send_at: datetime | None = None
    absent_at: datetime | None = None
    notification_id: int = 0
    batch_id: str = ""


def unsettled(
    session: Session, *, now: datetime | None = None, attempt_ids: Sequence[str] | None = None
) -> list[Unsettled]:
    """Unknown attempts: those that are due at ``now``, or those named, or all."""
    which = [col(Attempt.state) == AttemptState.UNKNOWN.value]
    if now is not None:
        which.append(col(Attempt.settle_at) <= now)
    if attempt_ids is not None:
        which.append(col(Attempt.attempt_id).in_(attempt_ids))
    return _which(session, *which)


def parked_emails(session: Session, *, after: datetime) -> list[Unsettled]:
    """Emails that were posted since then, and of which nobody could tell for long whether they went out."""
    return _which(
        session,
        col(Attempt.state) == AttemptState.PARKED.value,
        col(Attempt.sid).is_(None),
        col(Attempt.batch_id) == "",  # what SendGrid was to hold, nobody else knows
        col(Leg.channel) == EMAIL,
        col(Attempt.started_at) >= after,
    )


def parked_with_sid(session: Session, *, after: datetime) -> list[Unsettled]:
    """Messages that were posted since then, and that Twilio did not know once their time had come."""
    return _which(
        session,
        col(Attempt.state) == AttemptState.PARKED.value,
        col(Attempt.sid).is_not(None),
        col(Attempt.started_at) >= after,
    )


def held_one(session: Session, attempt_id: str) -> Unsettled | None:
    """The attempt of this id where, for all we know, Twilio holds its message."""
    return next(iter(_which(session, is_held(), col(Attempt.attempt_id) == attempt_id)), None)


def held_of(session: Session, notification_id: int) -> list[Unsettled]:
    """Every attempt of a notification whose SMS Twilio was to hold, whatever became of it."""
    was_held = col(Attempt.send_at).is_not(None), col(Leg.channel) == SMS
    return _which(session, col(Attempt.notification_id) == notification_id, *was_held)


def _which(session: Session, *which: ColumnElement[bool]) -> list[Unsettled]:
    wanted = (
        select(Attempt, Notification.tenant_id, Notification.kind, Leg.channel)
        .join(Notification, col(Notification.notification_id) == col(Attempt.notification_id))
        .join(Leg, col(Leg.leg_id) == col(Attempt.leg_id))
        .where(*which)
    )
    found = [
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
            row.send_at,
            row.absent_at,
            row.notification_id,
            row.batch_id,
        )
        for row, tenant_id, kind, channel in session.exec(wanted).all()
    ]
    # Not by the statement: SQLite would go through all that was ever posted, in that order, to find the few.
    return sorted(found, key=lambda one: (one.started_at, one.attempt_id))


def others_say_it(session: Session, one: Unsettled) -> bool:
    """Whether an unknown attempt of another notification says the same to the same address."""
    return _saying(session, one.notification_id, one.address, one.text).first() is not None


@built_once
def _saying(notification_id: int, address: str, text: str) -> SelectOfScalar[str]:
    other = select(Attempt.attempt_id).where(
        Attempt.notification_id != notification_id,
        Attempt.address == address,
        Attempt.text == text,
        col(Attempt.state).in_([AttemptState.SENDING.value, AttemptState.UNKNOWN.value]),
    )
    return other.limit(1)


def tries_of(session: Session, notification_id: int) -> int:
    """How many attempts a notification has had."""
    return _count_of(session, notification_id).one()


@built_once
def _count_of(notification_id: int) -> SelectOfScalar[int]:
    return select(func.count()).select_from(Attempt).where(Attempt.notification_id == notification_id)


def settle_due(engine: Engine, *, now: datetime) -> bool:
    """Whether any unknown attempt is due to be looked for, or anything that Twilio holds to be decided on."""
    with reading(engine) as session:
        return _due(session, now).first() is not None


@built_once
def _due(now: datetime) -> SelectOfScalar[str]:
    is_due = (col(Attempt.state).in_(LOOKED_AT), col(Attempt.settle_at) <= now)
    return select(Attempt.attempt_id).where(*is_due).limit(1)


def look_later(book: Writing, attempt_id: str, at: datetime) -> None:
    """Nothing was found: look again at ``at``."""
    book.session.exec(
        update(Attempt)
        .where(col(Attempt.attempt_id) == attempt_id, col(Attempt.state) == AttemptState.UNKNOWN.value)
        .values(settle_at=at, settle_tries=col(Attempt.settle_tries) + 1)
    )


def note_absence(book: Writing, attempt_id: str, asked_at: datetime, again: datetime) -> None:
    """Twilio did not list it, though it can come no more: the first half of the proof."""
    book.session.exec(
        update(Attempt)
        .where(col(Attempt.attempt_id) == attempt_id, col(Attempt.state) == AttemptState.UNKNOWN.value)
        .values(absent_at=asked_at, settle_at=again, settle_tries=col(Attempt.settle_tries) + 1)
    )


def bound_sids(session: Session, sids: Sequence[str]) -> set[str]:
    """Which of these SIDs belong to an attempt already."""
    return {row.sid for row in _with_sids(session, sids).all() if row.sid} if sids else set()


@built_once
def _with_sids(sids: Sequence[str]) -> SelectOfScalar[Attempt]:
    return select(Attempt).where(col(Attempt.sid).in_(sids))


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A message that its provider took and of which no final receipt came. ``batch_id`` is SendGrid's, where
    it held it, and ``cancel_why`` why it was asked to discard it, if it was.
    """

    attempt_id: str
    sid: str
    channel: str = SMS
    batch_id: str = ""
    cancel_why: str = ""


def held_too_long(session: Session, now: datetime) -> list[Unconfirmed]:
    """Messages that were to be sent by now and, for all we know, are still held, when it is time to ask."""
    wanted = select(Attempt.attempt_id, Attempt.sid, Attempt.batch_id, Attempt.cancel_why).where(
        is_held(), col(Attempt.send_at) <= now, col(Attempt.settle_at) <= now
    )
    return [
        Unconfirmed(attempt_id, sid, EMAIL if batch_id else SMS, batch_id, why)
        for attempt_id, sid, batch_id, why in session.exec(wanted).all()
        if sid
    ]


def unconfirmed(
    session: Session, *, after: datetime, before: datetime, emails_after: datetime | None = None
) -> list[Unconfirmed]:
    """Messages posted between these times whose last known status is not final, and that their provider can
    be asked for: SendGrid tells of its emails by events alone. First comes what was heard of or asked for
    longest ago. Emails may be posted since ``emails_after``, where that is another time.
    """
    final = [status.value for status in MessageStatus if is_final(status)]
    since_emails = emails_after or after
    is_text = (col(Leg.channel) != EMAIL) & (col(Attempt.started_at) >= after)
    is_email = col(Attempt.sid).startswith(EMAIL_API_IDS, autoescape=True)
    rows = session.exec(
        select(Attempt.attempt_id, Attempt.sid, Leg.channel, Attempt.finished_at)
        .join(Leg, col(Leg.leg_id) == col(Attempt.leg_id))
        .where(
            Attempt.state == AttemptState.ACCEPTED.value,
            ~is_held(),
            col(Attempt.sid).is_not(None),
            col(Attempt.provider_status).not_in(final),
            col(Attempt.started_at).between(min(after, since_emails), before),
            is_text | (is_email & (col(Attempt.started_at) >= since_emails)),
        )
        .order_by(col(Attempt.finished_at), col(Attempt.started_at), col(Attempt.attempt_id))
    ).all()
    return [Unconfirmed(attempt_id, sid, channel) for attempt_id, sid, channel, _ in rows if sid]


def note_asked(book: Writing, attempt_id: str) -> None:
    """Its provider was asked in vain: what was asked for longer ago comes first now, and what was to be
    looked at by now, as Twilio held it, is looked at in an hour.
    """
    ours = col(Attempt.attempt_id) == attempt_id
    book.session.exec(update(Attempt).where(ours).values(finished_at=book.now))
    was_due = (ours, col(Attempt.settle_at) <= book.now)
    book.session.exec(update(Attempt).where(*was_due).values(settle_at=book.now + AN_HOUR))
