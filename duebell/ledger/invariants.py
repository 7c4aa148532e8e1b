"""What must hold in every ledger at every moment, looked up in its own tables.

I1  what a person is owed stands in one row, whatever was planned, claimed or repeated
I2  an attempt stands on a claim that its notification reached; no two attempts stand on one claim
I3  a notification has at most one attempt that is under way or of which nobody knows the outcome
I4  only what is claimed or being sent holds a lease
I5  an attempt was accepted exactly where it has a SID, and a SID belongs to one attempt
    only what was held at Twilio, because we asked, is cancelled
I6  a notification says nothing that its attempts do not bear out, but for those of legs that are over
    what was cancelled, or expired at Twilio, bears out nothing
I7  whatever is unknown has a time at which it is looked for, whatever waits can be reached
    whatever Twilio holds has a time at which it is decided on again
    what is told in another's message stands where that one stands
    the audit trail is unbroken
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from sqlalchemy import Engine
from sqlmodel import select

from duebell.ledger.engine import reading
from duebell.ledger.meaning import PROGRESS, is_live, said_of, was_delivered
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.trail import first_break_in
from duebell.states import WITHDRAWN, AttemptState, NotificationState

S = NotificationState
A = AttemptState

LEASED = {S.CLAIMED, S.SENDING}
UNDER_WAY = {A.SENDING, A.UNKNOWN}
PROOF_OF_NOTHING = {A.REFUSED, A.NOT_PROCESSED, *WITHDRAWN}
"""Attempts after which no message exists, or none that ever reaches anybody."""


def broken(engine: Engine) -> list[str]:
    """Every invariant that does not hold, in words, with our ids; empty where all is well."""
    with reading(engine) as session:
        notifications = session.exec(select(Notification)).all()
        attempts = session.exec(select(Attempt)).all()
        over = set(session.exec(select(Leg.leg_id).where(Leg.over != "")).all())
    found = [*_keys(notifications), *_sids(attempts), *_groups(notifications)]
    for row in notifications:
        own = [one for one in attempts if one.notification_id == (row.lead_id or row.notification_id)]
        telling = [one for one in own if one.leg_id not in over or was_delivered(one)]
        found += [f"notification {row.notification_id}: {what}" for what in _of_notification(row, own)]
        found += [f"notification {row.notification_id}: {what}" for what in _said(row, telling)]
    for one in attempts:
        found += [f"attempt {one.attempt_id}: {what}" for what in _of_attempt(one)]
    break_at = first_break_in(engine)
    return found if break_at is None else [*found, f"the audit trail is broken at {break_at}"]


def _keys(notifications: Sequence[Notification]) -> Iterator[str]:
    for key, count in Counter(row.key for row in notifications).items():
        if count > 1:
            yield f"{count} notifications have the key {key}"


def _sids(attempts: Sequence[Attempt]) -> Iterator[str]:
    for sid, count in Counter(one.sid for one in attempts if one.sid).items():
        if count > 1:
            yield f"{count} attempts have the SID {sid}"


def _groups(notifications: Sequence[Notification]) -> Iterator[str]:
    """What is told in another's message stands where that one stands, and leads nothing itself."""
    by_id = {row.notification_id: row for row in notifications}
    for row in notifications:
        lead = by_id.get(row.lead_id)
        if lead is None:
            continue
        if lead.lead_id is not None:
            yield f"notification {row.notification_id}: its lead is led by another"
        if (row.state, row.lease_until) != (lead.state, lead.lease_until):
            yield f"notification {row.notification_id}: it is {row.state}, and its lead is {lead.state}"


def _of_attempt(one: Attempt) -> Iterator[str]:
    was_accepted = A(one.state) in {A.ACCEPTED, *WITHDRAWN}
    if was_accepted != (one.sid is not None):
        yield f"it is {one.state} {'with' if one.sid else 'without'} a SID"
    if one.state == A.UNKNOWN.value and one.settle_at is None:
        yield "nobody will look for its outcome"
    if is_live(one) and one.settle_at is None:
        yield "Twilio holds it, and nobody will decide on it again"
    if one.state == A.CANCELLED.value and not (one.send_at and one.cancel_why):
        yield "it is cancelled, and nobody asked for that"


def _of_notification(row: Notification, own: Sequence[Attempt]) -> Iterator[str]:
    state = S(row.state)
    if (state in LEASED) != (row.lease_until is not None):
        yield f"it is {row.state} {'without' if state in LEASED else 'with'} a lease"
    if state is S.PLANNED and (row.not_before is None or row.dispatch_at is None):
        yield "it is planned, and no run will come for it"
    tokens = Counter(one.lease_token for one in own)
    if any(count > 1 for count in tokens.values()):
        yield "two attempts stand on one claim"
    # Those of a lead whom it joined since are claims of that one.
    if row.lead_id is None and any(token > row.lease_token for token in tokens):
        yield "an attempt stands on a claim that was never made"
    if sum(A(one.state) in UNDER_WAY for one in own) > 1:
        yield "two attempts are under way"


def _said(row: Notification, own: Sequence[Attempt]) -> Iterator[str]:
    """Whether the notification agrees with its attempts, the newest and those that arrived."""
    state = S(row.state)
    latest = max(own, key=lambda one: one.lease_token, default=None)
    arrived = [said_of(one) for one in own if one.sid and A(one.state) not in WITHDRAWN]
    if state in PROGRESS:
        furthest = max(arrived, key=PROGRESS.__getitem__, default=None)
        if state is not furthest:
            yield f"it is {row.state}, and its attempts say {furthest or 'nothing'}"
    elif arrived and state is not S.SENDING:
        yield f"it is {row.state}, though an attempt of it was accepted"
    elif latest is None:
        if state in {S.SENDING, S.UNKNOWN, S.PARKED, S.GIVEN_UP}:
            yield f"it is {row.state} without any attempt"
    elif not _agrees(state, A(latest.state), is_own=latest.lease_token == row.lease_token):
        yield f"it is {row.state}, and its last attempt is {latest.state}"


def _agrees(state: NotificationState, last: AttemptState, *, is_own: bool) -> bool:
    if state is S.SENDING:
        return is_own and last is A.SENDING
    if state is S.UNKNOWN:
        return last is A.UNKNOWN
    if state is S.PARKED:
        return last is not A.SENDING  # the sender may have come back with its proof, too late to be asked
    return last in PROOF_OF_NOTHING
