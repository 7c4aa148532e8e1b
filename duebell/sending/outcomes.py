"""What follows for a notification from the outcome of its POST."""

from dataclasses import replace
from datetime import datetime, timedelta

from duebell.ledger.conclusions import Conclusion
from duebell.ledger.evidence import MEANS
from duebell.states import AttemptState, NotificationState
from duebell.twilio.codes import Action
from duebell.twilio.outcome import Accepted, NotProcessed, Refused, SendOutcome, Unknown

S = NotificationState

FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(hours=1)
MOST_TRIES = 30
"""About a day of them: nothing is wrong with a message while Twilio cannot be reached or takes no more."""

OTHER_WAY_AFTER = 8
"""Half an hour of them: a message that has another way takes that rather than wait for the day."""


def conclusion_of(
    outcome: SendOutcome, *, tries: int, first_look: timedelta, jitter: float, now: datetime
) -> Conclusion:
    """Conclude an attempt from the answer to its POST.

    ``tries`` counts the attempts so far, this one among them; ``jitter`` lies between 0 and 1 and spreads the
    waits of messages that failed together. ``first_look`` is when an unknown outcome is looked for first.
    """
    match outcome:
        case Accepted(sid=sid, status=status):
            return Conclusion(
                AttemptState.ACCEPTED, MEANS.get(status, S.ACCEPTED), sid=sid, provider_status=status.value
            )
        case Unknown(cause=cause):
            return Conclusion(
                AttemptState.UNKNOWN,
                S.UNKNOWN,
                reason="outcome_unknown",
                cause=cause,
                settle_at=now + first_look,
            )
        case NotProcessed(cause=cause, retry_after=asked):
            return _again(AttemptState.NOT_PROCESSED, cause, tries, _wait(tries, asked, jitter), now)
        case Refused():
            return _refused(outcome, tries, now)


def not_there(why: str, tries: int, now: datetime) -> Conclusion:
    """Conclude an attempt of which no message goes out any more, whatever became of its POST."""
    known = _again(AttemptState.NOT_PROCESSED, why, tries, timedelta(), now)
    return replace(known, settled_by="settle")


def _wait(tries: int, asked: float | None, jitter: float) -> timedelta:
    backoff = min(FIRST_WAIT * 2 ** min(tries - 1, 10), LONGEST_WAIT)  # unbounded, it would overflow
    least = timedelta(seconds=min(asked or 0.0, LONGEST_WAIT.total_seconds()))
    return max(backoff, least) * (1 + jitter / 2)


def _again(
    state: AttemptState, cause: str, tries: int, wait: timedelta, now: datetime, code: int | None = None
) -> Conclusion:
    if tries >= MOST_TRIES:
        return Conclusion(
            state, S.GIVEN_UP, reason="tried_too_often", cause=cause, error_code=code, falls_back=True
        )
    time_and_again = tries >= OTHER_WAY_AFTER
    return Conclusion(
        state,
        S.PLANNED,
        reason="tried_too_often" if time_and_again else "tried_again_later",
        cause=cause,
        error_code=code,
        not_before=now + wait,
        falls_back=time_and_again,
    )


def _refused(refused: Refused, tries: int, now: datetime) -> Conclusion:
    ruling, cause = refused.ruling, refused.cause
    if ruling.action is Action.RETRY_LATER and tries <= ruling.retries:
        wait = timedelta(minutes=ruling.retry_after_minutes or 15)
        return _again(AttemptState.REFUSED, cause, tries, wait, now, refused.code)
    if ruling.action is Action.CONFIGURATION:
        # Kept for after the mend, and looked at hourly: the fault is ours, not this person's.
        return Conclusion(
            AttemptState.REFUSED,
            S.HELD,
            reason=refused.reason,
            http_status=refused.http_status,
            error_code=refused.code,
            cause=cause,
            answer=refused.answer,
            not_before=now + LONGEST_WAIT,
            falls_back=ruling.fall_back,
            stops=ruling.stops,
        )
    return Conclusion(
        AttemptState.REFUSED,
        S.GIVEN_UP,
        reason=refused.reason,
        http_status=refused.http_status,
        error_code=refused.code,
        cause=cause,
        answer=refused.answer,
        falls_back=ruling.fall_back,
    )
