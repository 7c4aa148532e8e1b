"""How an attempt says that a provider holds its message, held it, or may hold one more than is known."""

from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import col

from duebell.hours import scheduling
from duebell.ledger.tables import Attempt
from duebell.states import AttemptState
from duebell.twilio.statuses import MessageStatus

TAKEN = (AttemptState.ACCEPTED, AttemptState.CANCELLED)


def is_held() -> ColumnElement[bool]:
    """Whether Twilio holds the message of an attempt, as far as is known."""
    return (
        (col(Attempt.state) == AttemptState.ACCEPTED.value)
        & col(Attempt.send_at).is_not(None)
        & (col(Attempt.provider_status) == MessageStatus.SCHEDULED.value)
    )


def is_taken_back() -> ColumnElement[bool]:
    """Whether Twilio held the message of an attempt and holds it no more."""
    return (
        _was_taken(Attempt)
        & col(Attempt.send_at).is_not(None)
        & (col(Attempt.provider_status) == MessageStatus.CANCELED.value)
    )


def can_be_taken_back(now: datetime) -> ColumnElement[bool]:
    """Whether the time of what is held is so far ahead that it can be taken back."""
    return (col(Attempt.send_at) > now) & ~is_too_late(now)


def is_too_late(now: datetime) -> ColumnElement[bool]:
    """Whether it is an email whose time is so near that SendGrid takes it back no more."""
    until = now + scheduling.ahead_of_time(in_batch=True)
    return (col(Attempt.batch_id) != "") & (col(Attempt.send_at) <= until)


def was_unanswered(attempt: type[Attempt]) -> ColumnElement[bool]:
    """Whether the POST of an attempt was not answered, so that Twilio may hold a copy of it.

    What Twilio has taken all the same still says what was wrong with its answer.
    """
    return (
        col(attempt.absent_at).is_not(None)
        | (col(attempt.settle_tries) > 0)
        | (_was_taken(attempt) & (col(attempt.cause) != ""))
    )


def _was_taken(attempt: type[Attempt]) -> ColumnElement[bool]:
    return col(attempt.state).in_([one.value for one in TAKEN])


def is_doubted(row: Attempt) -> bool:
    """The same as ``was_unanswered``, of an attempt that was read."""
    was_taken = AttemptState(row.state) in TAKEN
    return row.absent_at is not None or row.settle_tries > 0 or (was_taken and row.cause != "")
