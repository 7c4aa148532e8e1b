"""Messages that Twilio holds until their time, and when each is to be decided on again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, exists, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.hours import scheduling
from duebell.ledger import present
from duebell.ledger.built_once import built_once
from duebell.ledger.held import (
    can_be_taken_back,
    is_doubted,
    is_held,
    is_taken_back,
    is_too_late,
    was_unanswered,
)
from duebell.ledger.tables import Attempt, Notification
from duebell.ledger.writing import Writing
from duebell.states import OPEN, AttemptState
from duebell.twilio.statuses import MessageStatus

BY_LIST = "twilio's list"
"""Says of an attempt that it was found in Twilio's list."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message that a provider holds. ``cancel_why`` says why it is to be cancelled, where that was decided.

    ``doubtful``: its POST, or an earlier one of the same notification, was not answered, so that Twilio may
    hold a second copy.
    """

    attempt_id: str
    notification_id: int
    tenant_id: str
    kind: str
    sid: str
    send_at: datetime
    cancel_why: str
    doubtful: bool
    overtaken_at: datetime | None = None
    """When something happened that may make it untrue, where that is why it is looked at."""
    batch_id: str = ""
    """SendGrid's batch, where it is an email."""

    @property
    def until(self) -> datetime:
        """Until when it can be taken back."""
        return scheduling.taken_back_until(self.send_at, in_batch=bool(self.batch_id))


def due(session: Session, *, now: datetime, attempt_ids: Sequence[str] | None = None) -> list[Held]:
    """Those to be decided on now: those named, or all whose look is due, the soonest to go out first."""
    which = col(Attempt.settle_at) <= now if attempt_ids is None else col(Attempt.attempt_id).in_(attempt_ids)
    return _held(session, is_held(), can_be_taken_back(now), which)


def looked_at(now: datetime) -> SelectOfScalar[int]:
    """The notifications whose message Twilio holds and is to be decided on now."""
    return select(Attempt.notification_id).where(
        is_held(), can_be_taken_back(now), col(Attempt.settle_at) <= now
    )


def in_doubt(session: Session, *, now: datetime) -> list[Held]:
    """Those that were taken back and of which a copy may come to light, where a look is due."""
    return _held(session, is_taken_back(), col(Attempt.settle_at) <= now)


def _held(session: Session, *which: ColumnElement[bool]) -> list[Held]:
    other = aliased(Attempt)
    doubts = exists(
        select(other.attempt_id).where(
            col(other.notification_id) == col(Attempt.notification_id), was_unanswered(other)
        )
    )
    wanted = (
        select(Attempt, Notification.tenant_id, Notification.kind, doubts.label("doubts"))
        .join(Notification, col(Notification.notification_id) == col(Attempt.notification_id))
        .where(*which)
        .order_by(col(Attempt.send_at), col(Attempt.attempt_id))
    )
    return [
        Held(
            row.attempt_id,
            row.notification_id,
            tenant_id,
            kind,
            row.sid,
            row.send_at,
            row.cancel_why,
            doubtful,
            row.overtaken_at,
            row.batch_id,
        )
        for row, tenant_id, kind, doubtful in session.exec(wanted).all()
        if row.sid is not None and row.send_at is not None
    ]


def look_again_at(book: Writing, one: Held) -> None:
    """It, or a copy of it, may still go out: decide on it again when it is time, or at once where something
    more happened since it was read what it was decided on.
    """
    row = present.locked_attempt(book.session, one.attempt_id)
    if row.settle_at is None or row.overtaken_at != one.overtaken_at:
        return
    row.overtaken_at = None
    row.settle_at = look_at(book.session, row, book.now)


def look_at(session: Session, row: Attempt, now: datetime) -> datetime | None:
    """When a message that Twilio was to hold is looked at the next time; ``None`` where no look is needed.

    At once where something happened since it was decided on. One that was taken back is looked at until its
    time where its POST was not answered: what was taken back may have been one copy of two.
    """
    if row.provider_status != MessageStatus.CANCELED.value:
        return now if row.overtaken_at is not None else next_look(session, row, now)
    is_ahead = row.send_at is not None and now < row.send_at
    may_turn_up = is_ahead and not row.batch_id and is_doubted(row)  # nothing comes to light in a batch
    return next_look(session, row, now) if may_turn_up else None


def next_look(session: Session, row: Attempt, now: datetime) -> datetime:
    """When a message that Twilio holds is looked at the next time.

    While an earlier one may still turn up that was taken for lost, every minute: both must not go out. One
    whose POST was not answered every few minutes: a copy of it may come to light, and the last looks alone
    would find it only if somebody is there to take them.
    """
    usual = scheduling.next_look(_time_of(row), now, in_batch=bool(row.batch_id))
    if is_doubted(row) and not row.batch_id:
        usual = min(usual, now + scheduling.LOOKS_APART)
    last = _last_lost(session, row.notification_id).one()
    turns_up = last is not None and now < last + scheduling.LOOK_AFTER
    return min(usual, now + scheduling.ABSENCES_APART) if turns_up else usual


@built_once
def _last_lost(notification_id: int) -> SelectOfScalar[datetime | None]:
    return select(func.max(Attempt.send_at)).where(
        Attempt.notification_id == notification_id,
        Attempt.state == AttemptState.NOT_PROCESSED.value,
        col(Attempt.absent_at).is_not(None),
    )


def _until(row: Attempt) -> datetime:
    return scheduling.taken_back_until(_time_of(row), in_batch=bool(row.batch_id))


def _time_of(row: Attempt) -> datetime:
    if row.send_at is None:
        raise ValueError(f"attempt {row.attempt_id} is not one that is held")
    return row.send_at


def ask_to_cancel(book: Writing, attempt_id: str, why: str) -> None:
    """Write down that a message is to be cancelled, before Twilio is asked: it cannot be undone then."""
    asked = (
        update(Attempt)
        .where(is_held(), col(Attempt.attempt_id) == attempt_id, col(Attempt.cancel_why) == "")
        .values(cancel_why=why, settle_at=book.now)
    )
    book.session.exec(asked)


def look_soon(book: Writing, *which: ColumnElement[bool]) -> None:
    """Something happened that may make what Twilio holds of these notifications untrue: decide on it now."""
    told_by = func.coalesce(col(Notification.lead_id), col(Notification.notification_id))
    _look_now(book, col(Attempt.notification_id).in_(select(told_by).where(*which)))


def look_soon_at_invoices(book: Writing, tenant_id: str, invoice_ids: Collection[str]) -> None:
    """These invoices were read anew because they changed."""
    look_soon(book, col(Notification.tenant_id) == tenant_id, col(Notification.invoice_id).in_(invoice_ids))


def look_soon_at_contacts(book: Writing, tenant_id: str, contact_ids: Collection[str]) -> None:
    """These contacts were read anew because they changed."""
    look_soon(book, col(Notification.tenant_id) == tenant_id, col(Notification.contact_id).in_(contact_ids))


def look_soon_at_address(book: Writing, address: str) -> None:
    """This address must not be written to any more. What Twilio holds for it, Twilio keeps all the same."""
    _look_now(book, col(Attempt.address) == address)


def look_soon_at_attempt(book: Writing, attempt_id: str) -> None:
    """Twilio holds more than one message of this attempt, as far as its list says."""
    _look_now(book, col(Attempt.attempt_id) == attempt_id)


def _look_now(book: Writing, which: ColumnElement[bool]) -> None:
    """What a provider is still being asked to hold, or may have taken, is looked at once it is known to."""
    is_open = col(Attempt.state).in_(sorted(one.value for one in OPEN))
    can_change = is_held() & ~is_too_late(book.now)
    book.session.exec(
        update(Attempt)
        .where(can_change | (is_open & col(Attempt.send_at).is_not(None)), which)
        .values(overtaken_at=book.now, settle_at=case((is_held(), book.now), else_=col(Attempt.settle_at)))
        .execution_options(synchronize_session="fetch")
    )


def look_where_put_off(book: Writing) -> int:
    """Look now at what is to be looked at later than at its last look: a clock that was ahead put that off.

    Returns how many there are.
    """
    last = min(scheduling.LOOKS_BEFORE)
    put_off = can_be_taken_back(book.now + last), col(Attempt.settle_at) > book.now
    rows = book.session.exec(select(Attempt).where(is_held() | is_taken_back(), *put_off)).all()
    late = [one for one in rows if one.send_at and one.settle_at and one.settle_at > _until(one) - last]
    for one in late:
        one.settle_at = book.now
    return len(late)
