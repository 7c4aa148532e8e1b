"""Messages that Twilio had and took back: cancelled because we asked, or expired in its own queue.

Twilio gave its word that neither reached anybody, so the notification is decided anew. Nothing else brings
back what a provider has taken.
"""

from dataclasses import replace

from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.ledger import copies, present
from duebell.ledger.built_once import built_once
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.meaning import GONE_OUT, PROGRESS, S, of_attempt, reason_of, said_of, was_delivered
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import Writing
from duebell.states import WITHDRAWN, AttemptState, NotificationState
from duebell.twilio.codes import Action, action_for
from duebell.twilio.statuses import MessageStatus, message_status, rank

A = AttemptState


def as_it_is(book: Writing, attempt: Attempt, current: NotificationState, known: Conclusion) -> Conclusion:
    """The conclusion for this attempt, or what it comes to where it proves that the message was taken back.

    What somebody cancelled in Twilio's own console is not said again, and what a person was asked about is
    theirs. A message that expires again and again has failed.
    """
    status = message_status(known.provider_status)
    known = replace(known, notification=of_attempt(attempt, known.notification))
    has_left = message_status(attempt.provider_status) in GONE_OUT
    if known.attempt is not A.ACCEPTED or current is S.PARKED or has_left:
        return known
    if status is MessageStatus.CANCELED and _we_asked(book.session, attempt, known.sid):
        return _anew(book, known, A.CANCELLED, f"cancelled:{attempt.cancel_why}")
    ruling = action_for(known.error_code, from_callback=True)
    expired = status is MessageStatus.FAILED and ruling.action is Action.DECIDE_ANEW
    if expired and _expired_before(book.session, attempt) < ruling.retries:
        return _anew(book, known, A.EXPIRED, f"twilio:{known.error_code}")
    return known


def _we_asked(session: Session, attempt: Attempt, sid: str | None) -> bool:
    """Whether it was cancelled at our wish: as the message of this attempt, or as a copy of another's, before
    anybody knew better.
    """
    is_held = attempt.send_at is not None and not attempt.cancel_why
    if is_held and copies.was_taken_back(session, attempt.notification_id, sid):
        attempt.cancel_why = copies.SURPLUS
    return bool(attempt.cancel_why)


def _anew(book: Writing, known: Conclusion, attempt: AttemptState, reason: str) -> Conclusion:
    return replace(known, attempt=attempt, notification=S.PLANNED, reason=reason, not_before=book.now)


def _expired_before(session: Session, attempt: Attempt) -> int:
    earlier = select(func.count()).where(
        Attempt.notification_id == attempt.notification_id,
        Attempt.attempt_id != attempt.attempt_id,
        Attempt.state == A.EXPIRED.value,
    )
    return session.exec(earlier).one()


def is_news(attempt: Attempt, known: Conclusion) -> bool:
    """Whether it is news that a message was taken back, or that one which was taken back went out after all.

    Callbacks come in any order: an older one is no proof that it went out.
    """
    status = message_status(known.provider_status)
    if known.attempt in WITHDRAWN:
        ahead = rank(status) > rank(message_status(attempt.provider_status))
        return A(attempt.state) not in WITHDRAWN and ahead
    return status in GONE_OUT


def moves(attempt: Attempt, notification: Notification) -> bool:
    """Whether the notification may rest on the message that was taken back."""
    current = S(notification.state)
    own = attempt.lease_token == notification.lease_token
    return current in {S.SCHEDULED, S.ACCEPTED} or (own and current in {S.SENDING, S.UNKNOWN})


def what_is_left(session: Session, attempt: Attempt, known: Conclusion) -> Conclusion:
    """The conclusion, unless another attempt turned out to have got further: a message that the person has
    must not be sent again. Nor is it decided anew while nobody knows of another attempt.
    """
    others = present.other_attempts(session, attempt.notification_id, attempt.attempt_id)
    if not others:
        return known
    # What failed on a leg that another took over from is not the message that this is about.
    over = {leg.leg_id for leg in _legs_over(session, attempt.notification_id).all()}
    arrived = [row for row in others if A(row.state) is A.ACCEPTED]
    arrived = [row for row in arrived if was_delivered(row) or row.leg_id not in over]
    furthest = max(arrived, key=lambda row: PROGRESS[said_of(row)], default=None)
    if furthest is not None and PROGRESS[said_of(furthest)] > PROGRESS.get(known.notification, 0):
        state = said_of(furthest)
        return replace(
            known, notification=state, reason=reason_of(state, furthest.error_code), not_before=None
        )
    open_ones = {A(row.state) for row in others if row.leg_id not in over}
    for open_state, state in ((A.UNKNOWN, S.UNKNOWN), (A.PARKED, S.PARKED)):
        if known.attempt in WITHDRAWN and open_state in open_ones:
            return replace(known, notification=state, not_before=None)
    return known


@built_once
def _legs_over(notification_id: int) -> SelectOfScalar[Leg]:
    return select(Leg).where(Leg.notification_id == notification_id, col(Leg.over) != "")
