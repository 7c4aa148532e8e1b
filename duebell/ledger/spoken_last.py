"""Which attempt speaks for a notification where the side journal gives one back beside others.

No attempt is begun while an earlier one may stand: that there is a later one says that the earlier came back
or was taken back, or that another channel took over from it. So the latest speaks, and the legs of the others
are over, in whatever order they are found.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from duebell.ledger import legs
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import Writing
from duebell.states import MAY_EXIST, MAY_HAVE_BEEN_SENT, AttemptState, NotificationState

A = AttemptState
ACTOR = "journal"
REASON = "ledger_set_back"
STANDS = sorted(one.value for one in MAY_EXIST)


def is_overtaken(session: Session, row: Notification, at: datetime) -> bool:
    """Whether a later attempt than one of that time told this, or may have."""
    may_be_told_with = NotificationState(row.state) in MAY_HAVE_BEEN_SENT and row.lead_id is not None
    told_by = [row.notification_id, *([row.lead_id] if may_be_told_with else [])]
    later = select(Attempt.attempt_id).where(
        col(Attempt.notification_id).in_(told_by),
        col(Attempt.state).in_(STANDS),
        col(Attempt.started_at) > at,
    )
    return session.exec(later.limit(1)).first() is not None


def overtake(book: Writing, row: Notification) -> None:
    """Have a later attempt speak from now on: what was under way ended long ago, and its legs are over."""
    over = {leg.leg_id: leg for leg in legs.of(book.session, row.notification_id or 0)}
    for attempt in _standing(book.session, row):
        leg = over[attempt.leg_id]
        leg.over = leg.over or REASON
        if attempt.state in {A.SENDING.value, A.UNKNOWN.value}:
            attempt.state, attempt.settle_at, attempt.finished_at = A.PARKED.value, None, book.now
            attempt.cause, attempt.settled_by = "the side journal knows of a later attempt", ACTOR
    book.session.flush()


def leg_to_speak_by(session: Session, row: Notification, channel: str) -> Leg:
    """The leg of that channel by which it is told now, made anew where all of them are over."""
    return _free(session, row, channel) or _new(session, row, channel, is_last=True)


def leg_beside(session: Session, row: Notification, channel: str) -> Leg:
    """The leg of an attempt that others have overtaken: it is over, and comes before those of its channel."""
    leg = _free(session, row, channel) or _new(session, row, channel, is_last=False)
    leg.over = REASON
    return leg


def token_beside(session: Session, row: Notification, token: int) -> int:
    """A claim for an attempt that others have overtaken, which none of them stands on."""
    taken = session.exec(select(Attempt.lease_token).where(Attempt.notification_id == row.notification_id))
    used = {*taken.all(), row.lease_token}
    token = min(token, row.lease_token)
    while token in used:
        token -= 1
    return token


def _standing(session: Session, row: Notification) -> Sequence[Attempt]:
    of_it = Attempt.notification_id == row.notification_id
    return session.exec(select(Attempt).where(of_it, col(Attempt.state).in_(STANDS))).all()


def _free(session: Session, row: Notification, channel: str) -> Leg | None:
    taken = {attempt.leg_id for attempt in _standing(session, row)}
    free = (
        leg
        for leg in reversed(legs.of(session, row.notification_id or 0))
        if leg.channel == channel and not leg.over and leg.leg_id not in taken
    )
    return next(free, None)


def _new(session: Session, row: Notification, channel: str, *, is_last: bool) -> Leg:
    """Another leg. Where there was none of that channel, its address and its words are lost."""
    standing = legs.of(session, row.notification_id or 0)
    places = [leg.position for leg in standing]
    same = next((leg for leg in reversed(standing) if leg.channel == channel), None)
    leg = Leg(
        notification_id=row.notification_id or 0,
        position=max(places, default=-1) + 1 if is_last else min(places, default=0) - 1,
        channel=channel,
        address=same.address if same else "",
        takes_over=same.takes_over if same else "",
    )
    session.add(leg)
    session.flush()
    return leg
