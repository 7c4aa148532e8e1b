"""Receipts: every callback and event kept as it came, and bound to the attempt that it speaks of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import Entry
from duebell.email.rulings import ruling_of
from duebell.email.sendgrid_events import occurred_at
from duebell.ledger import batches, came_back, copies, group_stops
from duebell.ledger.built_once import built_once
from duebell.ledger.engine import reading
from duebell.ledger.evidence import MEANS, Conclusion, conclude, reason_of
from duebell.ledger.inserting import insert_new
from duebell.ledger.refused import remember_email, remember_number
from duebell.ledger.tables import Attempt, Receipt
from duebell.ledger.writing import Writing, writing
from duebell.states import NOT_REACHED, AttemptState, NotificationState
from duebell.twilio.codes import Stops, action_for
from duebell.twilio.outcome import SENDGRID, TWILIO
from duebell.twilio.statuses import message_status, rank

S = NotificationState

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NewReceipt:
    """A status callback, or an event of an email, whose signature was checked.

    ``attempt_id`` is what its address or the email carried; ``provider`` says who signed it, ``twilio`` or
    ``sendgrid``.
    """

    sid: str
    status: str
    error_code: int | None
    attempt_id: str | None
    form: str
    provider: str = TWILIO


@dataclass(frozen=True, slots=True)
class Bound:
    """What became of a receipt: whether it was new, and the attempt that it belongs to, if one is known."""

    new: bool
    attempt_id: str | None


def keep_receipt(engine: Engine, receipt: NewReceipt, *, now: datetime) -> Bound:
    """Keep a receipt and move its notification, in one transaction that is on disk when this returns.

    A receipt whose message is not known is kept all the same, and bound when its SID is.
    """
    with writing(engine, now) as book:
        return keep_receipt_in(book, receipt)


def keep_receipt_in(book: Writing, receipt: NewReceipt) -> Bound:
    """The same in a transaction of the caller's."""
    attempt = _attempt_of(book.session, receipt)
    new = _insert(book, receipt, attempt.attempt_id if attempt else None)
    if new and attempt is not None:
        said = receipt.sid, receipt.status, receipt.error_code, "receipt"
        apply(book, attempt.attempt_id, *said, happened_at=occurred_at(receipt.form))
    elif new and receipt.attempt_id:
        copies.notice(book, receipt.attempt_id, receipt.sid, receipt.status, actor="receipt")
    return Bound(new, attempt.attempt_id if attempt else None)


def not_kept_yet(engine: Engine, receipts: Sequence[NewReceipt]) -> list[NewReceipt]:
    """Those of the receipts that are new: a large batch that comes again has to get further than before."""
    kept: set[tuple[str, str, int]] = set()
    with reading(engine) as session:
        for start in range(0, len(receipts), _AT_ONCE):
            sids = [receipt.sid for receipt in receipts[start : start + _AT_ONCE]]
            wanted = select(Receipt.sid, Receipt.status, Receipt.error_code).where(col(Receipt.sid).in_(sids))
            kept.update(session.exec(wanted).all())
    return [one for one in receipts if (one.sid, one.status, one.error_code or 0) not in kept]


def _attempt_of(session: Session, receipt: NewReceipt) -> Attempt | None:
    """The attempt named in the callback's signed address, unless its SID says that it is another's.

    An email's events carry what we wrote into that one email, whatever id they come under: a bounce that
    comes late may have one of its own.
    """
    by_sid = _of_sid(session, receipt.sid).first()
    if by_sid is not None or not receipt.attempt_id:
        return by_sid
    named = session.get(Attempt, receipt.attempt_id)
    if named is None or receipt.provider == SENDGRID:
        return named
    return named if named.sid in {None, receipt.sid} else None


@built_once
def _of_sid(sid: str) -> SelectOfScalar[Attempt]:
    return select(Attempt).where(Attempt.sid == sid)


def _insert(book: Writing, receipt: NewReceipt, attempt_id: str | None) -> bool:
    inserted = insert_new(
        book.session,
        Receipt,
        {
            "sid": receipt.sid,
            "status": receipt.status,
            "error_code": receipt.error_code or 0,
            "attempt_id": attempt_id,
            "received_at": book.now,
            "form": receipt.form,
        },
    )
    if inserted is None:
        return False
    book.audit(
        Entry(
            actor=receipt.provider,
            action="receipt kept",
            subject_type="message",
            subject_id=receipt.sid,
            details={"status": receipt.status, "code": receipt.error_code, "attempt": attempt_id},
        )
    )
    return True


def apply(
    book: Writing,
    attempt_id: str,
    sid: str,
    raw_status: str,
    error_code: int | None,
    settled_by: str,
    *,
    happened_at: datetime | None = None,
) -> None:
    """Conclude an attempt from what its provider says, and remember an address that cannot be used.

    ``happened_at`` is the provider's time, where it tells one.
    """
    known = group_stops.as_it_is(book, attempt_id, _conclusion(sid, raw_status, error_code, settled_by))
    known = batches.as_it_is(book, attempt_id, known, happened_at)
    conclude(book, attempt_id, known)
    if error_code is not None and known.notification in NOT_REACHED:
        remember_number(book, attempt_id, error_code, from_callback=True)
    remember_email(book, attempt_id, sid, raw_status, happened_at)
    came_back.heed(book, attempt_id, sid, raw_status, actor=settled_by)


def _conclusion(sid: str, raw_status: str, error_code: int | None, settled_by: str) -> Conclusion:
    state = MEANS.get(message_status(raw_status), S.ACCEPTED)
    of_email = ruling_of(raw_status, sid)
    ruling = of_email or action_for(error_code, from_callback=True)
    is_of_email = of_email is not None and state in NOT_REACHED
    return Conclusion(
        AttemptState.ACCEPTED,
        state,
        reason=f"email:{raw_status}" if is_of_email else reason_of(state, error_code),
        sid=sid,
        provider_status=raw_status,
        error_code=error_code,
        settled_by=settled_by,
        falls_back=ruling.fall_back,
        stops=ruling.stops if state in NOT_REACHED else Stops.NOTHING,
    )


def bind_earlier(book: Writing, attempt_id: str, sid: str) -> None:
    """Bind the receipts that came before the SID was known, and let the furthest of them speak."""
    for receipt in sorted(
        _unbound(book.session, sid).all(), key=lambda row: rank(message_status(row.status))
    ):
        receipt.attempt_id = attempt_id
        code, at = receipt.error_code or None, occurred_at(receipt.form)
        apply(book, attempt_id, sid, receipt.status, code, "receipt", happened_at=at)


@built_once
def _unbound(sid: str) -> SelectOfScalar[Receipt]:
    return select(Receipt).where(Receipt.sid == sid, col(Receipt.attempt_id).is_(None))
