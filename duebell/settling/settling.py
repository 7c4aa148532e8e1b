"""Settling an unknown send by evidence: the SID, then Twilio's list. Absence from it proves nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from duebell.failpoints import fail_point
from duebell.hours.scheduling import ABSENCES_APART, SHORTEST_LEAD, taken_no_more
from duebell.ledger import copies, receipts, unsettled
from duebell.ledger.conclusions import NO_EVIDENCE, Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.evidence import conclude
from duebell.ledger.locking import locked
from duebell.ledger.scheduled import BY_LIST, look_soon_at_attempt
from duebell.ledger.unsettled import Unsettled
from duebell.ledger.writing import Writing, writing
from duebell.policy.reaching import EMAIL
from duebell.policy_file.policy import Policy
from duebell.resources import Resources
from duebell.sending.outcomes import not_there
from duebell.settling.discarding import why_discarded
from duebell.settling.settling_email import email_of_attempt
from duebell.states import AttemptState, NotificationState
from duebell.twilio.client import MAX_PAGES, PAGE_SIZE
from duebell.twilio.messages import MessageState
from duebell.twilio.statuses import MessageStatus

MOST_LISTED = MAX_PAGES * PAGE_SIZE
"""Where so many are listed, there may be more."""

BEFORE, AFTER = timedelta(minutes=2), timedelta(minutes=15)
"""How far Twilio's creation time may lie from our intent: clocks differ, and queues take their time."""


def matching(attempt: Unsettled, found: Sequence[MessageState]) -> MessageState | None:
    """The one of its candidates that can only be this attempt, or ``None``.

    Two candidates are no evidence. Where Twilio holds them, either will do: the other is taken back.
    """
    return found[0] if len(found) == 1 or (found and attempt.send_at is not None) else None


def candidates(attempt: Unsettled, listed: Sequence[MessageState], bound: set[str]) -> list[MessageState]:
    """The messages of Twilio's list that may be this attempt: those first that can be stopped no more, those
    last that were stopped, for they tell nobody anything.

    The sender is not compared: a Messaging Service picks it, and a registered name may replace it.
    """
    until = attempt.started_at + AFTER
    if attempt.send_at is not None:
        until = attempt.send_at - SHORTEST_LEAD  # by Twilio's own clock, which refuses what comes later
    found = [
        message
        for message in listed
        if message.sid not in bound
        and made_since(message, attempt.started_at)
        and same_text(message.body, attempt.text)
        and message.created_at is not None
        and message.created_at <= until
    ]
    return sorted(found, key=lambda message: _STOPPED_LAST.get(message.raw_status, 0))


_STOPPED_LAST = {MessageStatus.SCHEDULED.value: 1, MessageStatus.CANCELED.value: 2}


def made_since(message: MessageState, started_at: datetime) -> bool:
    """Whether it is a message that goes out, and was not made before the call that began then."""
    if message.created_at is None or not message.direction.startswith("outbound"):
        return False
    return message.created_at >= started_at - BEFORE


def same_text(listed: str, sent: str) -> bool:
    """Whether Twilio lists this text for what was sent."""
    # A trial account's messages are listed with a sentence of Twilio's before ours.
    return " ".join(listed.split()).endswith(" ".join(sent.split()))


@dataclass(frozen=True, slots=True)
class Settled:
    """What a look came to: ``found`` with Twilio's status, ``later``, ``parked`` for a person, that the
    ``next channel`` takes over, or that it is ``not there`` and may be sent anew."""

    attempt_id: str
    outcome: str
    state: str = ""


def settle(resources: Resources, attempt: Unsettled) -> Settled:
    """Look once for the outcome of an attempt. Raises what reading Twilio raises."""
    asked_at = resources.clock()
    looked = look(resources, attempt)
    message = looked.found
    with writing(resources.engine, resources.clock()) as book:
        if message is not None:
            bind(book, attempt, message)
            if looked.has_copies:
                look_soon_at_attempt(book, attempt.attempt_id)
            fail_point("before-settling-commits")
            return Settled(attempt.attempt_id, "found", message.raw_status)
        if looked.discarded:
            return _say_anew(book, attempt, looked.discarded)
        if attempt.send_at is not None and looked.saw_all:
            return _not_there(book, attempt, attempt.send_at, asked_at, resources.policy)
        later = next_look(attempt, resources.policy, book.now)
        if later is not None:
            unsettled.look_later(book, attempt.attempt_id, later)
            return Settled(attempt.attempt_id, "later")
        return park(book, attempt, resources.policy, "nothing shows whether Twilio took it")


def bind(book: Writing, attempt: Unsettled, message: "Found") -> None:
    """Conclude the attempt from what its provider says of it, with the receipts that came before.

    Where another message was found to be this attempt's meanwhile, by a look that was quicker than this one,
    it is a copy, and says nothing of the attempt. An email's tag is of one attempt alone, under any id.
    """
    own, _ = locked(book.session, attempt.attempt_id)
    if attempt.channel != EMAIL and own.sid not in {None, message.sid}:
        copies.notice(book, attempt.attempt_id, message.sid, message.raw_status, actor=BY_LIST)
        look_soon_at_attempt(book, attempt.attempt_id)
        return
    receipts.apply(book, attempt.attempt_id, message.sid, message.raw_status, message.error_code, BY_LIST)
    receipts.bind_earlier(book, attempt.attempt_id, message.sid)


def _not_there(
    book: Writing, attempt: Unsettled, send_at: datetime, asked_at: datetime, policy: Policy
) -> Settled:
    """Twilio lists no such message. It is proof where Twilio could have taken it no more for a while."""
    closed, first = taken_no_more(send_at), attempt.absent_at
    if asked_at < closed:
        looks = (attempt.started_at + timedelta(minutes=after) for after in policy.settle.after_minutes)
        later = min((at for at in looks if at > book.now), default=closed)
        unsettled.look_later(book, attempt.attempt_id, min(later, closed))
    elif first is None:
        unsettled.note_absence(book, attempt.attempt_id, asked_at, asked_at + ABSENCES_APART)
    elif asked_at < first + ABSENCES_APART:
        unsettled.look_later(book, attempt.attempt_id, first + ABSENCES_APART)
    else:
        times = f"{first:%H:%M:%S} and {asked_at:%H:%M:%S} UTC"
        return _say_anew(book, attempt, f"Twilio could take it no more, and did not list it at {times}")
    return Settled(attempt.attempt_id, "later")


def _say_anew(book: Writing, attempt: Unsettled, why: str) -> Settled:
    tries = unsettled.tries_of(book.session, attempt.notification_id)
    state = conclude(book, attempt.attempt_id, not_there(why, tries, book.now))
    return Settled(attempt.attempt_id, "not there", state.value)


def park(book: Writing, attempt: Unsettled, policy: Policy, cause: str) -> Settled:
    """Leave it to a person, or to the next channel where the policy would rather have it said twice."""
    parked = Conclusion(
        AttemptState.PARKED,
        NotificationState.PARKED,
        reason=NO_EVIDENCE,
        cause=cause,
        settled_by="settle",
        falls_back=_goes_on(attempt, policy),
    )
    state = conclude(book, attempt.attempt_id, parked)
    return Settled(attempt.attempt_id, ENDS.get(state, "found"), state.value)


ENDS = {NotificationState.PARKED: "parked", NotificationState.PLANNED: "next channel"}
"""What the end of looking came to; else it was settled otherwise while Twilio was asked."""


def _goes_on(attempt: Unsettled, policy: Policy) -> bool:
    """Whether another channel may say it too, though it may have gone out."""
    return policy.for_tenant(attempt.tenant_id).of_kind(attempt.kind).fall_back_unknown


@dataclass(frozen=True, slots=True)
class Found:
    """A message as its provider has it."""

    sid: str
    raw_status: str
    error_code: int | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found. ``saw_all``: that nothing was found means that nothing was listed. ``has_copies``:
    that there are further ones, which are to be taken back. ``discarded`` says why it never goes out.
    """

    found: Found | None
    saw_all: bool = True
    has_copies: bool = False
    discarded: str = ""


def look(resources: Resources, attempt: Unsettled) -> Looked:
    """Look once for what became of an attempt. Raises what reading its provider raises."""
    looks = _look_for_email if attempt.channel == EMAIL else _look_for_sms
    return looks(resources, attempt)


def _look_for_email(resources: Resources, attempt: Unsettled) -> Looked:
    if attempt.send_at is not None:
        return Looked(None, saw_all=False, discarded=why_discarded(resources, attempt))
    state = email_of_attempt(resources, attempt.attempt_id)
    return Looked(None if state is None else Found(state.sid, state.raw_status))


def _look_for_sms(resources: Resources, attempt: Unsettled) -> Looked:
    twilio = resources.twilio()
    if attempt.sid is not None:
        return Looked(_as_found(twilio.fetch(attempt.sid)))
    if not attempt.text:  # it was taken from the side journal, and anything would match it
        return Looked(None, saw_all=False)
    listed = twilio.find(attempt.address, attempt.started_at - BEFORE)
    with reading(resources.engine) as session:
        bound = unsettled.bound_sids(session, [message.sid for message in listed])
        alone = attempt.send_at is None or not unsettled.others_say_it(session, attempt)
    found = candidates(attempt, listed, bound)
    one = matching(attempt, found)
    if one is not None and alone:
        return Looked(_as_found(one), has_copies=len(found) > 1)
    return Looked(None, saw_all=one is None and len(listed) < MOST_LISTED)


def _as_found(message: MessageState) -> Found:
    return Found(message.sid, message.raw_status, message.error_code)


def next_look(attempt: Unsettled, policy: Policy, now: datetime) -> datetime | None:
    """When to look again, or ``None`` once the limit has passed and a person has to decide."""
    waits = [attempt.started_at + timedelta(minutes=minutes) for minutes in policy.settle.after_minutes]
    coming = [at for at in [*waits, parked_at(attempt, policy)] if at > now]
    return coming[0] if coming else None


def parked_at(attempt: Unsettled, policy: Policy) -> datetime:
    """Until when it is looked for: counted from the time at which it was to go out."""
    return (attempt.send_at or attempt.started_at) + timedelta(minutes=policy.settle.park_after_minutes)
