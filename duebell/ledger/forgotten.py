"""What the side journal knows and the ledger does not, written into it again: nobody is told twice."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session, col, select

from duebell.audit import Entry
from duebell.journal import Posted
from duebell.keys import is_contact, parts_of
from duebell.ledger import groups, legs, receipts
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.evidence import PROGRESS, conclude
from duebell.ledger.notifications import move
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import Writing
from duebell.states import AttemptState, NotificationState

S, A = NotificationState, AttemptState
ACTOR = "journal"
REASON = "ledger_set_back"
LOCK = 718297
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """Attempts that are not in the ledger, and those that are there without the SID that the journal has."""

    forgotten: tuple[Posted, ...]
    bound: tuple[Posted, ...]


def difference(session: Session, posted: Sequence[Posted]) -> Difference:
    """Compare what was posted with the attempts of the ledger. What made no message is nothing to know."""
    messages = [one for one in posted if not one.made_nothing]
    sids: dict[str, str | None] = {}
    for start in range(0, len(messages), AT_ONCE):
        ids = [one.attempt_id for one in messages[start : start + AT_ONCE]]
        rows = session.exec(select(Attempt.attempt_id, Attempt.sid).where(col(Attempt.attempt_id).in_(ids)))
        sids.update((attempt_id, sid) for attempt_id, sid in rows.all())
    return Difference(
        tuple(one for one in messages if one.attempt_id not in sids),
        tuple(one for one in messages if one.sid and sids.get(one.attempt_id, one.sid) is None),
    )


def one_at_a_time(book: Writing) -> None:
    """Let no other process compare until this transaction ends; on SQLite it is alone anyway."""
    if book.session.get_bind().dialect.name == "postgresql":
        book.session.connection().execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def bind(book: Writing, one: Posted) -> None:
    """Give an attempt the SID that the journal kept of it: its sender died before it could."""
    known = Conclusion(A.ACCEPTED, S.ACCEPTED, sid=one.sid, settled_by=ACTOR)
    conclude(book, one.attempt_id, known)
    receipts.bind_earlier(book, one.attempt_id, one.sid)


def take_back(book: Writing, one: Posted) -> None:
    """Write a forgotten attempt down, and have its notifications stand as told, or as to be looked for."""
    lead, *members = (_notification(book, key, invoice_id, one) for key, invoice_id in one.told)
    leg = _leg(book.session, lead, one.channel)
    before = S(lead.state)
    stands = before in PROGRESS or before is S.PARKED
    _stop_what_was_under_way(book, lead)
    lead.lease_token = max(lead.lease_token, one.lease_token) + 1
    lead.lease_until = lead.lead_id = None
    lead.leg_position = leg.position
    if not stands:
        if before is not S.UNKNOWN:
            move(before, S.UNKNOWN)
        lead.state, lead.reason, lead.updated_at = S.UNKNOWN.value, REASON, book.now
        lead.not_before = lead.dispatch_at = None
    _regroup(book, lead, members)
    book.session.add(_attempt(book, one, lead, leg))
    book.session.flush()
    details = {"attempt": one.attempt_id, "sid": one.sid}
    book.audit(
        Entry(
            ACTOR, "attempt taken from the journal", "notification", lead.key, lead.tenant_id, None, details
        )
    )
    if one.sid:
        bind(book, one)


def _notification(book: Writing, key: str, invoice_id: str, one: Posted) -> Notification:
    row = book.session.exec(
        select(Notification)
        .where(Notification.key == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is not None:
        return row
    parts = parts_of(key)
    row = Notification(
        key=key,
        tenant_id=parts.tenant_id,
        kind=parts.kind,
        subject_id=parts.subject_id,
        invoice_id=invoice_id,
        step=parts.step,
        recipient=parts.recipient,
        contact_id=_contact_of(parts.recipient),
        generation=parts.generation,
        state=S.PLANNED.value,
        planned_at=one.at,
        not_before=book.now,
        dispatch_at=book.now,
        updated_at=book.now,
    )
    book.session.add(row)
    book.session.flush()
    return row


def _contact_of(recipient: str) -> str | None:
    return recipient.removeprefix("contact:").partition("/")[0] if is_contact(recipient) else None


def _leg(session: Session, row: Notification, channel: str) -> Leg:
    """The leg of that channel; one that has to be made anew has lost its address and its words."""
    standing = legs.of(session, row.notification_id or 0)
    for leg in standing:
        if leg.channel == channel:
            return leg
    position = max((leg.position for leg in standing), default=-1) + 1
    leg = Leg(notification_id=row.notification_id or 0, position=position, channel=channel, address="")
    session.add(leg)
    session.flush()
    return leg


def _stop_what_was_under_way(book: Writing, row: Notification) -> None:
    """An attempt that was being made when the ledger was copied ended long ago, and the later one speaks."""
    under_way = select(Attempt).where(
        Attempt.notification_id == row.notification_id,
        col(Attempt.state).in_([A.SENDING.value, A.UNKNOWN.value]),
    )
    for attempt in book.session.exec(under_way).all():
        attempt.state, attempt.settle_at, attempt.finished_at = A.PARKED.value, None, book.now
        attempt.cause, attempt.settled_by = "the side journal knows of a later attempt", ACTOR


def _regroup(book: Writing, lead: Notification, members: Sequence[Notification]) -> None:
    """Have these told with their lead as they were, unless they were told otherwise, and no others."""
    ids = {row.notification_id for row in members}
    for row in groups.of_lead(book.session, lead.notification_id or 0):
        if row.notification_id not in ids:
            row.lead_id, row.lease_until = None, None
            row.state = S.PLANNED.value if S(row.state) in {S.CLAIMED, S.SENDING} else row.state
    for row in members:
        if S(row.state) in PROGRESS:
            continue
        row.lead_id, row.lease_until = lead.notification_id, None
        row.lease_token = lead.lease_token
        row.state, row.reason, row.updated_at = lead.state, lead.reason, book.now
        row.not_before, row.dispatch_at = lead.not_before, lead.dispatch_at
    book.session.flush()


def _attempt(book: Writing, one: Posted, lead: Notification, leg: Leg) -> Attempt:
    return Attempt(
        attempt_id=one.attempt_id,
        notification_id=lead.notification_id or 0,
        leg_id=leg.leg_id or 0,
        lease_token=lead.lease_token,
        state=A.UNKNOWN.value,
        started_at=one.at,
        address=leg.address,
        text="",  # what was said is not known any more, so that no listed text can be taken for it
        read_age_seconds=0,
        cause="taken from the side journal: the ledger was set back",
        settle_at=book.now,
    )
