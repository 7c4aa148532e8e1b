"""The brake: which scopes keep whom from sending, and one that is about to be set."""

from datetime import datetime

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.ledger.built_once import built_once
from duebell.ledger.inserting import insert_missing
from duebell.ledger.tables import Brake
from duebell.ledger.writing import Writing

EVERYTHING = "all"
MOVED_AWAY, MOVING_IN = "moved away", "moving in"
"""Scopes of a ledger that is not the one in force (``moved``)."""


def keeps_from_sending(tenant_id: str | Mapped[str]) -> ColumnElement[bool]:
    """Whether a brake keeps an organisation from sending; for the conditions of other statements."""
    scope = col(Brake.scope)
    of_all = (scope == EVERYTHING) | (scope == MOVED_AWAY) | (scope == MOVING_IN)
    return exists(select(Brake.scope).where(of_all | (scope == tenant_id), col(Brake.stopped).is_(True)))


def is_braked(session: Session, tenant_id: str) -> bool:
    """Whether sending is stopped, for all or for this organisation."""
    return _braked(session, tenant_id).one()


@built_once
def _braked(tenant_id: str) -> SelectOfScalar[bool]:
    return select(keeps_from_sending(tenant_id))


def brake_to_set(book: Writing, scope: str, *, since: datetime | None = None) -> Brake:
    """The brake of this scope as it stands, until this transaction ends.

    Where there was none it is made, open since now or since a time.
    """
    insert_missing(book.session, [Brake(scope=scope, stopped=False, by="", changed_at=since or book.now)])
    return book.session.get_one(Brake, scope, with_for_update=True, populate_existing=True)
