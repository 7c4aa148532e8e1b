"""A brake that is about to be set, by one transaction at a time."""

from datetime import datetime

from duebell.ledger.inserting import insert_missing
from duebell.ledger.tables import Brake
from duebell.ledger.writing import Writing


def brake_to_set(book: Writing, scope: str, *, since: datetime | None = None) -> Brake:
    """The brake of this scope as it stands, until this transaction ends.

    Where there was none it is made, open since now or since a time.
    """
    insert_missing(book.session, [Brake(scope=scope, stopped=False, by="", changed_at=since or book.now)])
    return book.session.get_one(Brake, scope, with_for_update=True, populate_existing=True)
