"""Channels that a fault of our own setup has stopped: their messages wait, and one of them tries again.

A stop is a brake with a time; what it closes is said by its scope (``duebell.sending.stop_scopes``).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import Entry
from duebell.ledger.braking import brake_to_set
from duebell.ledger.built_once import built_once
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, Brake, Leg, Notification
from duebell.ledger.writing import Writing
from duebell.sending.stop_scopes import SCOPE, reason_of, scopes_of
from duebell.states import NotificationState
from duebell.twilio.codes import Stops

S = NotificationState

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=15), timedelta(hours=6)
"""After how long one message tries a stopped channel: each time as long again as it has been stopped."""

ANSWER = "answer"
"""Who stopped a channel by the answer to a POST: there, an answer that takes a message ends the fault too."""

REACHED = frozenset({S.SENT, S.DELIVERED})


def heed(book: Writing, attempt: Attempt, leg: Leg, known: Conclusion) -> Conclusion | None:
    """Stop what this outcome says is closed to us, or open what it proves to be open again.

    Returns what follows where the message is to wait for the end of a stop.
    """
    scopes = scopes_of(leg.channel, attempt.address, leg.sender)
    if known.stops is Stops.NOTHING:
        _open_again(book, attempt, list(scopes.values()), known)
        return None
    scope = scopes.get(known.stops, scopes[Stops.CHANNEL])
    until = _stop(book, attempt, scope, known)
    return replace(known, notification=S.HELD, reason=reason_of(scope), not_before=until)


def _stop(book: Writing, attempt: Attempt, scope: str, known: Conclusion) -> datetime:
    """Stop, unless it is; returns when the message may be tried again."""
    row = brake_to_set(book, scope, since=attempt.started_at)
    if row.stopped and row.retry_at is not None:
        return row.retry_at
    if attempt.started_at < row.changed_at:
        return book.now  # it was sent before somebody mended the fault
    row.stopped, row.by, row.why, row.changed_at = True, known.settled_by, known.cause, book.now
    row.retry_at = book.now + FIRST_WAIT
    book.session.add(row)
    details = {"why": known.cause, "attempt": attempt.attempt_id, "tried again": row.retry_at.isoformat()}
    book.audit(Entry(known.settled_by, "channel stopped", "brake", scope, details=details))
    return row.retry_at


def _open_again(book: Writing, attempt: Attempt, scopes: Sequence[str], known: Conclusion) -> None:
    """Open what a message went through that was sent after the stop."""
    if known.sid is None or known.notification not in REACHED | {S.ACCEPTED}:
        return
    for row in _stopped(book.session, scopes):
        ends = row.by == ANSWER or known.notification in REACHED
        if ends and attempt.started_at >= row.changed_at:
            _lift(book, row, "probe", f"attempt {attempt.attempt_id} went through")


def to_be_tried(book: Writing, leg: Leg) -> Sequence[Brake] | None:
    """The stops whose wait is over, which a message by this leg would try; ``None`` where it may not pass.

    Nobody else tries them until this transaction ends.
    """
    rows = _in_the_way_of(book.session, leg)
    return None if any(_lasts(row, book.now) for row in rows) else rows


def put_off(book: Writing, tried: Sequence[Brake]) -> None:
    """Have the others wait until it is known what comes of the message that tries these stops for all."""
    for row in tried:
        stopped_for = book.now - row.changed_at
        row.retry_at = book.now + min(max(stopped_for, FIRST_WAIT), LONGEST_WAIT)
        book.session.add(row)
        _have_wait(book, row.scope, row.retry_at)


def in_the_way(book: Writing, leg: Leg) -> Brake | None:
    """The stop by which no message may go by this leg now; none where it may try it."""
    rows = _in_the_way_of(book.session, leg)
    return next((row for row in rows if _lasts(row, book.now)), None)


def _lasts(stop: Brake, now: datetime) -> bool:
    return stop.retry_at is None or stop.retry_at > now


def stops(engine: Engine) -> Sequence[Brake]:
    """Every channel that is stopped."""
    with reading(engine) as session:
        return _every_stop(session).all()


@built_once
def _every_stop() -> SelectOfScalar[Brake]:
    wanted = select(Brake).where(col(Brake.stopped).is_(True), col(Brake.scope).startswith(SCOPE))
    return wanted.order_by(Brake.scope)


def lift_all(book: Writing, by: str, why: str) -> list[str]:
    """Open every stopped channel because a person says so; returns which."""
    wanted = select(Brake).where(col(Brake.stopped).is_(True), col(Brake.scope).startswith(SCOPE))
    rows = book.session.exec(wanted.order_by(Brake.scope).with_for_update()).all()
    for row in rows:
        _lift(book, row, by, why)
    return [row.scope.removeprefix(SCOPE) for row in rows]


def count_waiting(session: Session, scope: str) -> int:
    """How many messages wait for the end of this stop."""
    return len(session.exec(select(Notification.notification_id).where(*_waiting(scope))).all())


def _in_the_way_of(session: Session, leg: Leg) -> Sequence[Brake]:
    return _stopped(session, list(scopes_of(leg.channel, leg.address, leg.sender).values()))


def _stopped(session: Session, scopes: Sequence[str]) -> Sequence[Brake]:
    return _lock_stopped(session, scopes).all()


@built_once
def _lock_stopped(scopes: Sequence[str]) -> SelectOfScalar[Brake]:
    wanted = select(Brake).where(col(Brake.scope).in_(scopes), col(Brake.stopped).is_(True))
    return wanted.order_by(Brake.scope).with_for_update().execution_options(populate_existing=True)


def _lift(book: Writing, row: Brake, by: str, why: str) -> None:
    row.stopped, row.by, row.why, row.changed_at, row.retry_at = False, by, why, book.now, None
    book.session.add(row)
    book.audit(Entry(by, "channel open again", "brake", row.scope, details={"why": why}))
    _have_wait(book, row.scope, book.now)


def _have_wait(book: Writing, scope: str, until: datetime) -> None:
    """Have what waits for this stop wait until then."""
    book.session.exec(
        update(Notification)
        .where(*_waiting(scope))
        .values(not_before=until, dispatch_at=until, updated_at=book.now)
        .execution_options(synchronize_session="fetch")
    )


def _waiting(scope: str) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Notification.state) == S.HELD.value,
        col(Notification.reason) == reason_of(scope),
    )
