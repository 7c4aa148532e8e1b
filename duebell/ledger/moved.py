"""The marks of a ledger that moves to another database: of the two at most one may send, at every moment.

They are brakes, and stop what a brake stops. But ``duebell resume`` does not take them off, for that would be
the second ledger that sends.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, inspect
from sqlmodel import Session, col, select

from duebell.audit import Entry
from duebell.errors import ConfigurationError
from duebell.ledger import present
from duebell.ledger.braking import MOVED_AWAY, MOVING_IN, brake_to_set
from duebell.ledger.tables import Brake
from duebell.ledger.writing import Writing


@dataclass(frozen=True, slots=True)
class Marks:
    """Where the ledger was moved to, and from where it is being moved; empty where it was not, and is not."""

    away_to: str
    arriving_from: str


def marks(session: Session) -> Marks:
    """The marks of this ledger."""
    return Marks(_place(session, MOVED_AWAY), _place(session, MOVING_IN))


def _place(session: Session, scope: str) -> str:
    row = present.brake(session, scope)
    return row.why if row is not None and row.stopped else ""


def is_unfinished(connection: Connection) -> bool:
    """Whether it is a copy that is not in force, whatever version of Duebell made its tables."""
    if not inspect(connection).has_table("brake"):
        return False
    unfinished = select(Brake.scope).where(col(Brake.scope) == MOVING_IN, col(Brake.stopped).is_(True))
    return connection.execute(unfinished).first() is not None


def arrives(book: Writing, origin: str, by: str) -> None:
    """Mark a copy as not yet in force. Its trail says nothing of it: it ends as that of ``origin`` does."""
    _mark(book, MOVING_IN, origin, by)


def leaves(book: Writing, to: str, by: str) -> None:
    """Mark the ledger as moved to ``to``, for good."""
    _mark(book, MOVED_AWAY, to, by)
    book.audit(Entry(by, "ledger moved away", "ledger", to))


def is_in_force(book: Writing, origin: str, rows: int, by: str) -> None:
    """The copy is the ledger from now on; ``rows`` is how many it was made of.

    Raises ``ConfigurationError`` where it is that already.
    """
    if not book.session.exec(delete(Brake).where(col(Brake.scope) == MOVING_IN)).rowcount:
        raise ConfigurationError(f"the ledger at {origin} was moved by another command already")
    book.audit(Entry(by, "ledger moved here", "ledger", origin, details={"rows": rows}))


def _mark(book: Writing, scope: str, place: str, by: str) -> None:
    row = brake_to_set(book, scope)
    row.stopped, row.by, row.why, row.changed_at = True, by, place, book.now
    book.session.add(row)
