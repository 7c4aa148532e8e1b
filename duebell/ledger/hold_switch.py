"""The switch that takes the way of holding messages at Twilio out of use, for all organisations."""

from sqlmodel import Session

from duebell.audit import Entry
from duebell.ledger import present
from duebell.ledger.braking import brake_to_set
from duebell.ledger.writing import Writing

SCOPE = "scheduling"


def is_off(session: Session) -> bool:
    """Whether messages are sent at once, whatever the policy says."""
    row = present.brake(session, SCOPE)
    return row is not None and row.stopped


def why_off(session: Session) -> str:
    """Why it was taken out of use; empty where it was not."""
    row = present.brake(session, SCOPE)
    return row.why if row is not None and row.stopped else ""


def take_off(book: Writing, why: str) -> None:
    """Hold no more messages. A person puts it back once Twilio keeps its schedule."""
    _set(book, stopped=True, by="duebell", why=why)


def put_on(book: Writing, by: str, why: str) -> bool:
    """Hold messages again as the policy says; false where that was never stopped."""
    return _set(book, stopped=False, by=by, why=why)


def _set(book: Writing, *, stopped: bool, by: str, why: str) -> bool:
    """Set it, unless it stands so; returns whether it did not."""
    row = brake_to_set(book, SCOPE)
    if row.stopped is stopped:
        return False
    row.stopped, row.by, row.why, row.changed_at = stopped, by, why, book.now
    book.session.add(row)
    action = "scheduling taken off" if stopped else "scheduling resumed"
    book.audit(Entry(by, action, "brake", SCOPE, details={"why": why}))
    return True
