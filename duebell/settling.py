"""Settling an unknown send by evidence: the SID, then Twilio's list. Absence from it proves nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from duebell.failpoints import fail_point
from duebell.ledger import receipts, unsettled
from duebell.ledger.conclusions import NO_EVIDENCE, Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.evidence import conclude
from duebell.ledger.unsettled import Unconfirmed, Unsettled
from duebell.ledger.writing import writing
from duebell.policy_file import Policy
from duebell.reaching import EMAIL
from duebell.resources import Resources
from duebell.states import AttemptState, NotificationState
from duebell.twilio.messages import MessageState

ASK_AFTER, ASK_UNTIL = timedelta(hours=1), timedelta(days=4)
"""Age of a message without a final receipt at which Twilio is asked; past 72 hours nothing more comes."""

BEFORE, AFTER = timedelta(minutes=2), timedelta(minutes=15)
"""How far Twilio's creation time may lie from our intent: clocks differ, and queues take their time."""


def matching(attempt: Unsettled, listed: tuple[MessageState, ...], bound: set[str]) -> MessageState | None:
    """The one message of Twilio's list that can only be this attempt, or ``None``.

    The sender is not compared: a Messaging Service picks it, and a registered name may replace it. Two
    candidates are no evidence.
    """
    candidates = [
        message
        for message in listed
        if message.sid not in bound
        and message.direction.startswith("outbound")
        and _same_text(message.body, attempt.text)
        and message.created_at is not None
        and attempt.started_at - BEFORE <= message.created_at <= attempt.started_at + AFTER
    ]
    return candidates[0] if len(candidates) == 1 else None


def _same_text(listed: str, sent: str) -> bool:
    # A trial account's messages are listed with a sentence of Twilio's before ours.
    return " ".join(listed.split()).endswith(" ".join(sent.split()))


@dataclass(frozen=True, slots=True)
class Settled:
    """What a look came to: ``found`` with Twilio's status, ``later``, ``parked`` for a person, or that the
    ``next channel`` takes over."""

    attempt_id: str
    outcome: str
    state: str = ""


def settle(resources: Resources, attempt: Unsettled) -> Settled:
    """Look once for the outcome of an attempt. Raises what reading Twilio raises."""
    message = _look_for_email(resources, attempt) if attempt.channel == EMAIL else _look(resources, attempt)
    now = resources.clock()
    with writing(resources.engine, now) as book:
        if message is not None:
            receipts.apply(
                book, attempt.attempt_id, message.sid, message.raw_status, message.error_code, "twilio's list"
            )
            receipts.bind_earlier(book, attempt.attempt_id, message.sid)
            fail_point("before-settling-commits")
            return Settled(attempt.attempt_id, "found", message.raw_status)
        later = next_look(attempt, resources.policy, now)
        if later is not None:
            unsettled.look_later(book, attempt.attempt_id, later)
            return Settled(attempt.attempt_id, "later")
        state = conclude(
            book,
            attempt.attempt_id,
            Conclusion(
                AttemptState.PARKED,
                NotificationState.PARKED,
                reason=NO_EVIDENCE,
                cause="nothing shows whether Twilio took it",
                settled_by="settle",
                falls_back=_goes_on(attempt, resources.policy),
            ),
        )
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


def _look_for_email(resources: Resources, attempt: Unsettled) -> Found | None:
    """The one email that carries our attempt's id; several would be a doubt that a person has to clear."""
    listed = resources.email().find(attempt.attempt_id)
    return Found(listed[0].sid, listed[0].raw_status) if len(listed) == 1 else None


def _look(resources: Resources, attempt: Unsettled) -> MessageState | None:
    twilio = resources.twilio()
    if attempt.sid is not None:
        return twilio.fetch(attempt.sid)
    if not attempt.text:  # it was taken from the side journal, and anything would match it
        return None
    listed = twilio.find(attempt.address, attempt.started_at - BEFORE)
    with reading(resources.engine) as session:
        bound = unsettled.bound_sids(session, [message.sid for message in listed])
    return matching(attempt, listed, bound)


def next_look(attempt: Unsettled, policy: Policy, now: datetime) -> datetime | None:
    """When to look again, or ``None`` once the limit has passed and a person has to decide."""
    limit = attempt.started_at + timedelta(minutes=policy.settle.park_after_minutes)
    waits = [attempt.started_at + timedelta(minutes=minutes) for minutes in policy.settle.after_minutes]
    coming = [at for at in [*waits, limit] if at > now]
    return coming[0] if coming else None


def confirm(resources: Resources, message: Unconfirmed) -> Settled:
    """Ask for the status of a message whose receipts did not come. Raises as reading the provider does."""
    found = (
        _email_of(resources, message) if message.channel == EMAIL else resources.twilio().fetch(message.sid)
    )
    if found is None:
        return Settled(message.attempt_id, "told by events alone")
    with writing(resources.engine, resources.clock()) as book:
        receipts.apply(
            book, message.attempt_id, found.sid, found.raw_status, found.error_code, "twilio's record"
        )
    return Settled(message.attempt_id, "asked", found.raw_status)


def _email_of(resources: Resources, message: Unconfirmed) -> Found | None:
    state = resources.email().fetch(message.sid)
    return None if state is None else Found(message.sid, state.raw_status)
