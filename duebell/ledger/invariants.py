"""What must hold in every ledger at every moment, looked up in its own tables.

I1  what a person is owed stands in one row, whatever was planned, claimed or repeated
I2  an attempt stands on a claim that its notification reached; no two attempts stand on one claim
I3  a notification has at most one attempt that is under way or of which nobody knows the outcome
I4  only what is claimed or being sent holds a lease
I5  an attempt was accepted exactly where it has a SID, and a SID belongs to one attempt
    what Twilio held and lost keeps its SID, though nobody can tell whether it went out
    only what was held at Twilio, because we asked, is cancelled
I6  a notification says nothing that its attempts do not bear out, but for those of legs that are over
    what was cancelled, or expired at Twilio, bears out nothing
I7  whatever is unknown has a time at which it is looked for, whatever waits can be reached
    whatever Twilio holds has a time at which it is decided on again
    what is told in another's message stands where that one stands
    the audit trail is unbroken
I8  what an attempt says was read at most a minute before it was written down
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Engine, func
from sqlalchemy.orm import load_only
from sqlmodel import Session, col, select

from duebell.books.read_in_time import FRESH
from duebell.ledger.engine import at_one_moment
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


LOT = 2_000
"""Notifications that are looked at together, so that a ledger of any size takes the same memory."""

OF_NOTIFICATION = ("lead_id", "state", "not_before", "dispatch_at", "lease_token", "lease_until")
OF_ATTEMPT = (
    "notification_id", "leg_id", "lease_token", "state", "sid", "provider_status", "read_age_seconds",
    "settle_at", "send_at", "cancel_why",
)  # fmt: skip
"""What is looked at of each. The texts, and the providers' answers, are many times as much."""

NOTIFICATIONS = load_only(*(getattr(Notification, name) for name in OF_NOTIFICATION))
ATTEMPTS = load_only(*(getattr(Attempt, name) for name in OF_ATTEMPT))


def broken(engine: Engine) -> list[str]:
    """Every invariant that does not hold, by its number, with our ids and in words; empty where all is well.

    It reads every message and every entry of the trail that there ever was.
    """
    break_at = first_break_in(engine)
    trail = [] if break_at is None else [f"I7: the audit trail is broken at {break_at}"]
    return broken_messages(engine) + trail


def broken_messages(engine: Engine) -> list[str]:
    """The same, of notifications and their attempts alone."""
    with at_one_moment(engine) as session:
        found = [*_keys(session), *_sids(session)]
        after = 0
        while lot := _lot(session, after):
            found += _of_lot(session, lot)
            after = lot[-1].notification_id or 0
            session.expunge_all()
    return found


MOST_TOLD = 20
"""Of more than these a person looks into the ledger itself."""


def told(found: Sequence[str]) -> list[str]:
    """As many of what was found as a person reads, and how many more there are."""
    more = len(found) - MOST_TOLD
    return [*found[:MOST_TOLD], *([f"and {more} more"] if more > 0 else [])]


def _keys(session: Session) -> Iterator[str]:
    of_key = select(Notification.key, func.count()).group_by(Notification.key).having(func.count() > 1)
    for key, count in session.exec(of_key).all():
        yield f"I1: {count} notifications have the key {key}"


def _sids(session: Session) -> Iterator[str]:
    has_one = col(Attempt.sid).is_not(None)
    of_sid = select(Attempt.sid, func.count()).where(has_one).group_by(col(Attempt.sid))
    for sid, count in session.exec(of_sid.having(func.count() > 1)).all():
        yield f"I5: {count} attempts have the SID {sid}"


def _lot(session: Session, after: int) -> Sequence[Notification]:
    own_id = col(Notification.notification_id)
    return session.exec(
        select(Notification).where(own_id > after).order_by(own_id).limit(LOT).options(NOTIFICATIONS)
    ).all()


def _of_lot(session: Session, lot: Sequence[Notification]) -> Iterator[str]:
    leads = _with_ids(session, {row.lead_id for row in lot if row.lead_id is not None})
    attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
    told_by = {row.notification_id or 0 for row in lot} | leads.keys()
    made = select(Attempt, Leg.over).join(Leg, col(Leg.leg_id) == col(Attempt.leg_id), isouter=True)
    over: set[int] = set()
    for one, why in session.exec(made.where(col(Attempt.notification_id).in_(told_by)).options(ATTEMPTS)):
        attempts[one.notification_id].append(one)
        over |= {one.leg_id} if why else set()
    for row in lot:
        yield from _named(f"notification {row.notification_id}", _of_group(row, leads))
        own = attempts[row.lead_id or row.notification_id or 0]
        telling = [one for one in own if one.leg_id not in over or was_delivered(one)]
        yield from _named(f"notification {row.notification_id}", _of_notification(row, own))
        yield from _named(f"notification {row.notification_id}", _said(row, telling))
        for one in attempts[row.notification_id or 0]:
            yield from _named(f"attempt {one.attempt_id}", _of_attempt(one))


def _with_ids(session: Session, ids: set[int]) -> dict[int, Notification]:
    which = col(Notification.notification_id).in_(ids)
    rows = session.exec(select(Notification).where(which).options(NOTIFICATIONS)).all() if ids else ()
    return {row.notification_id or 0: row for row in rows}


def _named(what: str, found: Iterator[tuple[str, str]]) -> Iterator[str]:
    return (f"{which}: {what}: {said}" for which, said in found)


def _of_group(row: Notification, leads: Mapping[int, Notification]) -> Iterator[tuple[str, str]]:
    """What is told in another's message stands where that one stands, and leads nothing itself."""
    lead = leads.get(row.lead_id or 0)
    if lead is None:
        return
    if lead.lead_id is not None:
        yield "I7", "its lead is led by another"
    if (row.state, row.lease_until) != (lead.state, lead.lease_until):
        yield "I7", f"it is {row.state}, and its lead is {lead.state}"


def _of_attempt(one: Attempt) -> Iterator[tuple[str, str]]:
    was_accepted = A(one.state) in {A.ACCEPTED, *WITHDRAWN}
    may_be_lost = A(one.state) is A.PARKED and one.send_at is not None
    if not may_be_lost and was_accepted != (one.sid is not None):
        yield "I5", f"it is {one.state} {'with' if one.sid else 'without'} a SID"
    if one.state == A.UNKNOWN.value and one.settle_at is None:
        yield "I7", "nobody will look for its outcome"
    if is_live(one) and one.settle_at is None:
        yield "I7", "Twilio holds it, and nobody will decide on it again"
    if one.state == A.CANCELLED.value and not (one.send_at and one.cancel_why):
        yield "I5", "it is cancelled, and nobody asked for that"
    if abs(one.read_age_seconds) > FRESH.total_seconds():
        yield "I8", f"what it says was read {one.read_age_seconds:.0f} s before"


def _of_notification(row: Notification, own: Sequence[Attempt]) -> Iterator[tuple[str, str]]:
    state = S(row.state)
    if (state in LEASED) != (row.lease_until is not None):
        yield "I4", f"it is {row.state} {'without' if state in LEASED else 'with'} a lease"
    if state is S.PLANNED and (row.not_before is None or row.dispatch_at is None):
        yield "I7", "it is planned, and no run will come for it"
    tokens = Counter(one.lease_token for one in own)
    if any(count > 1 for count in tokens.values()):
        yield "I2", "two attempts stand on one claim"
    # Those of a lead whom it joined since are claims of that one.
    if row.lead_id is None and any(token > row.lease_token for token in tokens):
        yield "I2", "an attempt stands on a claim that was never made"
    if sum(A(one.state) in UNDER_WAY for one in own) > 1:
        yield "I3", "two attempts are under way"


def _said(row: Notification, own: Sequence[Attempt]) -> Iterator[tuple[str, str]]:
    """Whether the notification agrees with its attempts, the newest and those that arrived."""
    state = S(row.state)
    latest = max(own, key=lambda one: one.lease_token, default=None)
    arrived = [said_of(one) for one in own if A(one.state) is A.ACCEPTED]
    if state in PROGRESS:
        furthest = max(arrived, key=PROGRESS.__getitem__, default=None)
        if state is not furthest:
            yield "I6", f"it is {row.state}, and its attempts say {furthest or 'nothing'}"
    elif arrived and state is not S.SENDING:
        yield "I6", f"it is {row.state}, though an attempt of it was accepted"
    elif latest is None:
        if state in {S.SENDING, S.UNKNOWN, S.PARKED, S.GIVEN_UP}:
            yield "I6", f"it is {row.state} without any attempt"
    elif not _agrees(state, A(latest.state), is_own=latest.lease_token == row.lease_token):
        yield "I6", f"it is {row.state}, and its last attempt is {latest.state}"


def _agrees(state: NotificationState, last: AttemptState, *, is_own: bool) -> bool:
    if state is S.SENDING:
        return is_own and last is A.SENDING
    if state is S.UNKNOWN:
        return last is A.UNKNOWN
    if state is S.PARKED:
        return last is not A.SENDING  # the sender may have come back with its proof, too late to be asked
    return last in PROOF_OF_NOTHING
