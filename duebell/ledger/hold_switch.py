"""The switch that takes the way of holding messages at Twilio out of use, for all organisations."""

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from duebell.audit import Entry
from duebell.ledger import present
from duebell.ledger.tables import Brake
from duebell.ledger.writing import Writing, writing

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
    if not is_off(book.session):
        _set(book, stopped=True, by="duebell", why=why)


def put_on(engine: Engine, by: str, *, now: datetime) -> bool:
    """Hold messages again as the policy says; false where that was never stopped."""
    with writing(engine, now) as book:
        was_off = is_off(book.session)
        if was_off:
            _set(book, stopped=False, by=by, why="")
        return was_off


def _set(book: Writing, *, stopped: bool, by: str, why: str) -> None:
    row = book.session.get(Brake, SCOPE) or Brake(scope=SCOPE, stopped=stopped, by=by, changed_at=book.now)
    row.stopped, row.by, row.why, row.changed_at = stopped, by, why, book.now
    book.session.add(row)
    action = "scheduling taken off" if stopped else "scheduling resumed"
    book.audit(Entry(by, action, "brake", SCOPE, details={"why": why}))
