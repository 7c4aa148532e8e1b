"""Evidence: what is known of an attempt, from whatever source, and what follows for its notification."""

from sqlmodel import Session

from duebell.audit import Entry
from duebell.hours.scheduling import CLOCKS_DIFFER
from duebell.ledger import (
    batches,
    channel_stops,
    groups,
    hold_switch,
    legs,
    moving,
    present,
    resends,
    scheduled,
    told_together,
    withdrawn,
)
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.locking import locked
from duebell.ledger.meaning import MEANS as MEANS
from duebell.ledger.meaning import PROGRESS as PROGRESS
from duebell.ledger.meaning import is_live, said_of
from duebell.ledger.meaning import reason_of as reason_of
from duebell.ledger.meaning import was_delivered as was_delivered
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import Writing
from duebell.states import NOT_REACHED, OPEN, TOLD, WAITING, WITHDRAWN, AttemptState, NotificationState
from duebell.twilio.statuses import MessageStatus, message_status, rank

__all__ = ["Conclusion", "conclude"]

S = NotificationState


def conclude(book: Writing, attempt_id: str, known: Conclusion) -> NotificationState:
    """Write what is known of an attempt, and move its notification where that says something new.

    Evidence is taken whenever it comes, also after the lease lapsed or a person was asked: a SID belongs to
    this attempt alone. A state is never moved backwards, and what was settled stays settled.
    """
    attempt, notification = locked(book.session, attempt_id)
    is_late = told_together.is_late(attempt, notification)
    state = _conclude(book, attempt, notification, known, is_late=is_late)
    if is_late:
        told_together.take_in(book, attempt, notification, actor=known.settled_by)
    return state


def _conclude(
    book: Writing, attempt: Attempt, notification: Notification, known: Conclusion, *, is_late: bool
) -> NotificationState:
    leg = legs.of_attempt(book.session, attempt)
    current = S(notification.state)
    known = withdrawn.as_it_is(book, attempt, current, known)
    if batches.is_discarded(attempt, known) or not _is_news(attempt, known):
        return current
    moves = _moves(attempt, leg, notification, known)
    stood = told_together.stood_by(attempt)
    _write(book, attempt, known)
    waits = channel_stops.heed(book, attempt, leg, known)
    if moves and known.notification in TOLD and legs.is_unsure(leg):
        legs.tell_by_after_all(book.session, leg, notification)
    left = withdrawn.what_is_left(book.session, attempt, known) if moves else None
    if left is not known:
        _tell_the_rest(book, attempt, notification, known, stood, waits)
    if left is None or left.notification is current:
        return current
    told_together.step_out(book, attempt, notification)
    if is_late and left.attempt is AttemptState.ACCEPTED:
        told_together.let_go(book, attempt, notification)
    return _take_step(book, attempt, notification, left, waits)


def _tell_the_rest(
    book: Writing,
    attempt: Attempt,
    lead: Notification,
    known: Conclusion,
    stood: NotificationState,
    waits: Conclusion | None,
) -> None:
    """What this message alone told does not stand where another message left its lead."""
    if known.notification in TOLD | {S.SCHEDULED, S.UNKNOWN}:
        return
    heir = told_together.rest_on_it(book, attempt, lead, stood)
    if heir is not None:
        _take_step(book, attempt, heir, known, waits)


def _take_step(
    book: Writing, attempt: Attempt, notification: Notification, known: Conclusion, waits: Conclusion | None
) -> NotificationState:
    """Move the notification, with all that are told in its message, where the conclusion says."""
    current, lead_id = S(notification.state), notification.notification_id or 0
    known = _move(book, attempt, notification, known, waits)
    _note_step(book, attempt, notification, known)
    groups.follow(book, lead_id, current, actor=known.settled_by)
    if current in resends.TAKEN_FOR_UNTOLD and known.notification in TOLD:
        for told in (notification, *groups.of_lead(book.session, lead_id)):
            resends.disarm(book, told)
    return known.notification


def _move(
    book: Writing, attempt: Attempt, notification: Notification, known: Conclusion, waits: Conclusion | None
) -> Conclusion:
    """Move it as the conclusion says, or as another leg makes of it; returns which of them.

    ``waits``: the wait for the end of a fault of ours.
    """
    known = waits if waits is not None and known.notification is S.HELD else known
    next_leg = _next_leg(book, attempt, notification, known, waits)
    if next_leg is None:
        moving.step(notification, known.notification)
        return known
    moving.to_next_leg(notification, next_leg.notification)
    return next_leg


def _next_leg(
    book: Writing, attempt: Attempt, notification: Notification, known: Conclusion, waits: Conclusion | None
) -> Conclusion | None:
    if known.notification in NOT_REACHED and _is_another_heard(book.session, attempt):
        return None
    next_leg = legs.fall_back(book, attempt, notification, known)
    if next_leg is None and waits is not None:
        next_leg = legs.say_again(book, attempt, notification, known, waits)
    return next_leg


def _is_another_heard(session: Session, attempt: Attempt) -> bool:
    """Whether another message about it reached the person, or may have: no further way follows then."""
    others = present.other_attempts(session, attempt.notification_id, attempt.attempt_id)
    under_way = {AttemptState.SENDING, AttemptState.UNKNOWN}
    taken = [one for one in others if AttemptState(one.state) is AttemptState.ACCEPTED]
    return any(AttemptState(one.state) in under_way for one in others) or any(
        said_of(one) not in NOT_REACHED for one in taken
    )


def _note_step(book: Writing, attempt: Attempt, notification: Notification, known: Conclusion) -> None:
    notification.reason = known.reason
    notification.lease_until = None
    notification.updated_at = book.now
    notification.not_before = notification.dispatch_at = known.not_before
    book.audit(
        Entry(
            known.settled_by,
            f"notification {known.notification.value}",
            "notification",
            notification.key,
            notification.tenant_id,
            attempt.flow_run_id,
            {
                "attempt": attempt.attempt_id,
                "sid": attempt.sid,
                "code": known.error_code,
                "cause": known.cause,
                "status": known.provider_status,
            },
        )
    )


def _is_news(attempt: Attempt, known: Conclusion) -> bool:
    """Whether it says more of the attempt than is known: proof that it arrived always may."""
    if known.attempt in WITHDRAWN or AttemptState(attempt.state) in WITHDRAWN:
        return withdrawn.is_news(attempt, known)
    if known.attempt is AttemptState.ACCEPTED or _is_lost_by_twilio(attempt, known):
        return True
    return (
        AttemptState(attempt.state) in OPEN and attempt.sid is None and attempt.state != known.attempt.value
    )


def _is_lost_by_twilio(attempt: Attempt, known: Conclusion) -> bool:
    """Whether nobody can tell what became of a message that Twilio was to send."""
    return known.attempt is AttemptState.PARKED and is_live(attempt)


def _moves(attempt: Attempt, leg: Leg, notification: Notification, known: Conclusion) -> bool:
    """Whether the notification follows its attempt.

    A newer attempt that is under way speaks for the notification; an older one that turns out to have
    arrived disarms one that still waits. Of a leg that another took over from, only proof that it was
    delivered counts; of one whose outcome nobody knew, also that it was taken, until the next has spoken.
    One that is told in another's message since rests on that, but for proof that its own had it told.
    """
    current, own = S(notification.state), notification.lead_id is None
    if leg.over and known.notification is not S.DELIVERED:
        waits = current in WAITING | {S.CLAIMED}
        return waits and known.notification in TOLD and legs.is_unsure(leg)
    if known.attempt in WITHDRAWN:
        return own and withdrawn.moves(attempt, notification)
    if _is_lost_by_twilio(attempt, known):
        return own and current is S.SCHEDULED
    on_its_claim = own and attempt.lease_token == notification.lease_token
    if known.notification not in PROGRESS:
        return on_its_claim and current in {S.SENDING, S.UNKNOWN}
    if current in PROGRESS:
        return PROGRESS[known.notification] > PROGRESS[current]
    return current is not S.SENDING or on_its_claim or not own


def _write(book: Writing, attempt: Attempt, known: Conclusion) -> None:
    if AttemptState(attempt.state) in WITHDRAWN:  # it went out after all: what was said before is wrong
        attempt.provider_status, attempt.error_code = "", None
    attempt.state = known.attempt.value
    attempt.sid = attempt.sid or known.sid
    attempt.finished_at = book.now
    ahead = rank(message_status(known.provider_status)) - rank(message_status(attempt.provider_status))
    if ahead > 0 or (ahead == 0 and known.provider_status):
        attempt.provider_status = known.provider_status
    if ahead > 0 or (ahead == 0 and known.error_code is not None):
        attempt.error_code = known.error_code
    attempt.http_status = known.http_status if known.http_status is not None else attempt.http_status
    attempt.cause = known.cause or attempt.cause
    attempt.answer = known.answer or attempt.answer
    attempt.settled_by = known.settled_by
    attempt.settle_at = batches.looked_for_at(attempt, known.settle_at)
    was_held = attempt.provider_status == MessageStatus.CANCELED.value
    if attempt.send_at is not None and (is_live(attempt) or was_held):
        attempt.settle_at = scheduled.look_at(book.session, attempt, book.now)
    _notice_ignored_schedule(book, attempt, known)


def _notice_ignored_schedule(book: Writing, attempt: Attempt, known: Conclusion) -> None:
    """Hold nothing more where the provider sends before the time, as Twilio silently did without a Messaging
    Service (twilio.com/docs/api/errors/35111).

    What is said now counts, not what was known already: the time of an answer that a process wrote late, for
    it stood still, may lie before that.
    """
    early = attempt.send_at is not None and book.now < attempt.send_at - CLOCKS_DIFFER
    if early and known.attempt is AttemptState.ACCEPTED and known.notification in TOLD:
        by = "SendGrid" if attempt.batch_id else "Twilio"
        hold_switch.take_off(book, f"{by} sent attempt {attempt.attempt_id} before its time")
