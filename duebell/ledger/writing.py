"""A writing transaction of the ledger, with its entries in the audit trail."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, insert, text
from sqlmodel import Session, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import START, Entry, entry_hash, written
from duebell.ledger.built_once import built_once
from duebell.ledger.tables import Audit
from duebell.ledger.turns import stalls_of, turn_of

AUDIT_LOCK = 718294
INTO_TRAIL = insert(Audit)
STALLED, SAID = "writers waited", ("times", "longest_seconds")


class Writing:
    """An open transaction. ``session`` changes rows; ``audit`` says what it means."""

    def __init__(self, session: Session, now: datetime) -> None:
        self.session = session
        self.now = now
        self._entries: list[Entry] = []
        self._last: dict[type[SQLModel], list[dict[str, Any]]] = {}

    def add_last(self, table: type[SQLModel], row: dict[str, Any]) -> None:
        """Add a row that nothing in this transaction reads: all of a table go in one statement at its end."""
        self._last.setdefault(table, []).append(row)

    def write_last(self) -> None:
        """Write those rows. Called once, right before the trail."""
        for table, rows in self._last.items():
            self.session.connection().execute(insert(table), rows)

    def audit(self, entry: Entry) -> None:
        """Add an entry to the trail; it is written with the change, or not at all."""
        self._entries.append(entry)

    def write_trail(self) -> None:
        """Put the entries at the end of the chain. Called once, right before the commit."""
        if not self._entries:
            return
        if self.session.get_bind().dialect.name == "postgresql":
            # Taken last in every transaction, so that it cannot deadlock with row locks.
            self.session.connection().execute(
                text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": AUDIT_LOCK}
            )
        previous = _last_hash(self.session).first() or START
        rows: list[dict[str, Any]] = []
        for entry in self._entries:
            rows.append(_link(entry, self.now, previous))
            previous = rows[-1]["hash"]
        # One after the other, and so numbered in their order: nothing is to be returned of them.
        self.session.connection().execute(INTO_TRAIL, rows)


def _link(entry: Entry, at: datetime, previous: str) -> dict[str, Any]:
    """The row of an entry, which points back to the one before it."""
    details = written(entry.details)
    return {
        "at": at,
        "actor": entry.actor,
        "action": entry.action,
        "subject_type": entry.subject_type,
        "subject_id": entry.subject_id,
        "tenant_id": entry.tenant_id,
        "flow_run_id": entry.flow_run_id,
        "details": details,
        "previous_hash": previous,
        "hash": entry_hash(previous, at, entry, details),
    }


@built_once
def _last_hash() -> SelectOfScalar[str]:
    return select(Audit.hash).order_by(col(Audit.sequence).desc()).limit(1)


@contextmanager
def writing(engine: Engine, now: datetime) -> Generator[Writing]:
    """One transaction: all of it is committed with its audit entries, or nothing is."""
    with turn_of(engine), Session(engine, expire_on_commit=False) as session, session.begin():
        book = Writing(session, now)
        yield book
        session.flush()
        book.write_last()
        if (stalls := stalls_of(engine)) is not None:
            details = dict(zip(SAID, stalls, strict=True))
            book.audit(Entry("ledger", STALLED, "ledger", "sqlite", details=details))
        book.write_trail()
