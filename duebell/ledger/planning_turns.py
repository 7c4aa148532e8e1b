"""Who plans messages of a tenant, and who changes what such plans rest on, wait for each other.

SQLite has one writer at a time. On PostgreSQL a plan that is not committed yet is seen by nobody: what it
left out for want of a number, or kept in for review, would stay so for ever where the number came, or the
review ended, meanwhile.
"""

from sqlalchemy import TextClause, text

from duebell.ledger.writing import Writing

LOCK = 718298
BESIDE_OTHERS = text("SELECT pg_advisory_xact_lock_shared(:lock, hashtext(:tenant_id))")
ALONE = text("SELECT pg_advisory_xact_lock(:lock, hashtext(:tenant_id))")


def plans(book: Writing, tenant_id: str) -> None:
    """Plan for a tenant until this transaction ends, beside others who plan.

    Taken before any row: who waits for it must hold nothing that those need for whom it waits.
    """
    _take(book, BESIDE_OTHERS, tenant_id)


def changes(book: Writing, tenant_id: str) -> None:
    """Change what a tenant's plans rest on, once all that is being planned can be seen."""
    _take(book, ALONE, tenant_id)


def _take(book: Writing, lock: TextClause, tenant_id: str) -> None:
    if book.session.get_bind().dialect.name == "postgresql":
        book.session.connection().execute(lock, {"lock": LOCK, "tenant_id": tenant_id})
