"""What the side journal knows and the ledger does not, written into it again: nobody is told twice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import load_only
from sqlmodel import Session, col, select

from duebell.audit import Entry
from duebell.keys import is_contact, parts_of
from duebell.ledger import groups, moving, present, receipts, spoken_last, told_together
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.evidence import conclude
from duebell.ledger.spoken_last import ACTOR, REASON
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import Writing
from duebell.policy.reaching import EMAIL
from duebell.safekeeping.journal import Posted
from duebell.states import AttemptState, NotificationState
from duebell.twilio.statuses import MessageStatus

S, A = NotificationState, AttemptState
LOCK = 718297
AT_ONCE = 500
COMPARED = load_only(
    *(getattr(Attempt, name) for name in ("attempt_id", "sid", "state", "batch_id", "send_at"))
)

STAYS = frozenset({S.DELIVERED, S.PARKED})
"""What is told for good, or a person was asked about: proof alone moves it on."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Attempts that are not in the ledger, those that are there without the SID that the journal has, and
    those that are not held there as they were posted.
    """

    forgotten: tuple[Posted, ...]
    bound: tuple[Posted, ...]
    held_otherwise: tuple[Posted, ...]


def difference(session: Session, posted: Sequence[Posted]) -> Difference:
    """Compare what was posted with the attempts of the ledger. What made no message is nothing to know."""
    messages = [one for one in posted if not one.made_nothing]
    known: dict[str, Attempt] = {}
    for start in range(0, len(messages), AT_ONCE):
        ids = [one.attempt_id for one in messages[start : start + AT_ONCE]]
        rows = session.exec(select(Attempt).where(col(Attempt.attempt_id).in_(ids)).options(COMPARED))
        known.update((row.attempt_id, row) for row in rows.all())
    there = [(one, known[one.attempt_id]) for one in messages if one.attempt_id in known]
    return Difference(
        tuple(one for one in messages if one.attempt_id not in known),
        tuple(one for one, row in there if one.sid and row.sid is None and not _is_discarded(row)),
        tuple(one for one, row in there if _is_held_otherwise(one, row)),
    )


def _is_discarded(row: Attempt) -> bool:
    return bool(row.batch_id) and row.state == A.NOT_PROCESSED.value


def _is_held_otherwise(one: Posted, row: Attempt) -> bool:
    """Whether it was given a batch, or was sent at once after all, in a transaction that the ledger lost."""
    is_open = row.state in {A.SENDING.value, A.UNKNOWN.value} and row.send_at is not None
    held, posted = (row.batch_id, row.send_at), (one.batch_id, one.send_at)
    return one.channel == EMAIL and is_open and held != posted


def hold_as_posted(book: Writing, one: Posted) -> None:
    """Note of an email what the ledger lost: its batch, or that it was sent at once."""
    row = present.locked_attempt(book.session, one.attempt_id)
    row.batch_id, row.send_at = one.batch_id, one.send_at
    book.session.flush()


def one_at_a_time(book: Writing) -> None:
    """Let no other process compare until this transaction ends; on SQLite it is alone anyway."""
    if book.session.get_bind().dialect.name == "postgresql":
        book.session.connection().execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def bind(book: Writing, one: Posted) -> None:
    """Give an attempt the SID that the journal kept of it: its sender died before it could.

    What Twilio was to hold it may hold still, and is looked after from now on.
    """
    known = Conclusion(A.ACCEPTED, S.ACCEPTED, sid=one.sid, settled_by=ACTOR)
    if present.attempt(book.session, one.attempt_id).send_at is not None:
        known = replace(known, notification=S.SCHEDULED, provider_status=MessageStatus.SCHEDULED.value)
    conclude(book, one.attempt_id, known)
    receipts.bind_earlier(book, one.attempt_id, one.sid)


def take_back(book: Writing, one: Posted) -> None:
    """Write a forgotten attempt down, and have its notifications stand as told, or as to be looked for.

    Of several attempts of one message the latest speaks, in whatever order the machines' journals give them.
    """
    lead, *members = (_notification(book, key, invoice_id, one) for key, invoice_id in one.told)
    if spoken_last.is_overtaken(book.session, lead, one.at):
        attempt = _kept_beside(book, one, lead)
        _join(book, _told_by(book.session, lead), members, one)
    else:
        attempt = _speaking(book, one, lead)
        _release(book, lead, members)
        _join(book, lead, members, one)
    book.session.add(attempt)
    book.session.flush()
    details = {"attempt": one.attempt_id, "sid": one.sid}
    book.audit(
        Entry(
            ACTOR, "attempt taken from the journal", "notification", lead.key, lead.tenant_id, None, details
        )
    )
    if one.sid:
        bind(book, one)


def _speaking(book: Writing, one: Posted, lead: Notification) -> Attempt:
    """The attempt as the one that speaks, and the message where it stands by that."""
    spoken_last.overtake(book, lead)
    leg = spoken_last.leg_to_speak_by(book.session, lead, one.channel)
    lead.lease_token = max(lead.lease_token, one.lease_token) + 1
    lead.lease_until = lead.lead_id = None
    lead.leg_position = leg.position
    if S(lead.state) not in STAYS:
        moving.lose(lead)
        lead.reason, lead.updated_at = REASON, book.now
        lead.not_before = lead.dispatch_at = None
    return _attempt(one, lead, leg, lead.lease_token, A.UNKNOWN, book.now)


def _kept_beside(book: Writing, one: Posted, lead: Notification) -> Attempt:
    """The attempt as one that a later one has overtaken: that it was delivered is all that it can say."""
    leg = spoken_last.leg_beside(book.session, lead, one.channel)
    token = spoken_last.token_beside(book.session, lead, one.lease_token)
    return _attempt(one, lead, leg, token, A.PARKED, book.now)


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


def _told_by(session: Session, row: Notification) -> Notification:
    """The notification in whose message this one is told: its own, where it has one."""
    return row if row.lead_id is None else present.notification(session, row.lead_id)


def _release(book: Writing, lead: Notification, told: Sequence[Notification]) -> None:
    """Decide anew on what was told with it and is no more: the message that told it did not stand."""
    ids = {row.notification_id for row in told}
    for row in groups.of_lead(book.session, lead.notification_id or 0):
        if row.notification_id in ids or S(row.state) is S.DELIVERED:
            continue
        told_together.set_apart(book, row)


def _join(book: Writing, lead: Notification, members: Sequence[Notification], one: Posted) -> None:
    """Have these told with their lead as they were, unless they were told otherwise since."""
    for row in members:
        if row.lead_id != lead.notification_id:
            is_told = S(row.state) is S.DELIVERED or spoken_last.is_overtaken(book.session, row, one.at)
            if is_told or row.notification_id == lead.notification_id:
                continue
            spoken_last.overtake(book, row)
            _release(book, row, members)
        row.lead_id, row.lease_until = lead.notification_id, lead.lease_until
        row.lease_token = max(row.lease_token, lead.lease_token)
        moving.follow(row, lead)
        row.reason, row.updated_at = lead.reason, book.now
        row.not_before, row.dispatch_at = lead.not_before, lead.dispatch_at
    book.session.flush()


def _attempt(
    one: Posted, lead: Notification, leg: Leg, token: int, state: AttemptState, now: datetime
) -> Attempt:
    return Attempt(
        attempt_id=one.attempt_id,
        notification_id=lead.notification_id or 0,
        leg_id=leg.leg_id or 0,
        lease_token=token,
        state=state.value,
        started_at=one.at,
        address=leg.address,
        text="",  # what was said is not known any more, so that no listed text can be taken for it
        read_age_seconds=0,
        cause="taken from the side journal: the ledger was set back",
        settle_at=now if state is A.UNKNOWN else None,
        send_at=one.send_at,
        batch_id=one.batch_id,
        # Its words are lost, so that nobody could tell whether they stay true until its time.
        cancel_why=REASON if one.send_at is not None else "",
    )
