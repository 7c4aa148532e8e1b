"""Reading the audit trail, and checking that nobody changed it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Engine
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, or_, select

from duebell.audit import START, Entry, entry_hash, first_break
from duebell.ledger.engine import reading
from duebell.ledger.named import invoices_named
from duebell.ledger.tables import Audit, Notification, PaymentSnapshot
from duebell.ledger.writing import SAID, STALLED


@dataclass(frozen=True, slots=True)
class Told:
    """One entry as a person reads it."""

    at: datetime
    actor: str
    action: str
    subject: str
    details: str
    reason: str = ""
    """The reason among the details: the code that is kept, or what somebody said of it."""


def origin(session: Session) -> str:
    """What tells this ledger from every other: the hash of its first entry, which a copy of it shares.

    Empty where nothing was ever written, and so nothing sent.
    """
    first = select(Audit.hash).order_by(col(Audit.sequence)).limit(1)
    return session.exec(first).first() or ""


def entries(engine: Engine, subject: str, most: int) -> Sequence[Told]:
    """The latest entries, oldest first; with ``subject``, those about an invoice's number or about an id."""
    with reading(engine) as session:
        wanted = select(Audit).order_by(col(Audit.sequence).desc()).limit(most)
        if subject:
            wanted = wanted.where(or_(*_about(session, subject)))
        rows = session.exec(wanted).all()
    return [_entry(row) for row in reversed(rows)]


def _about(session: Session, subject: str) -> Iterator[ColumnElement[bool]]:
    """What an entry has to be about: an invoice, its payments and its messages, or whatever bears the words.

    A number of an invoice is no such words: a short one stands in the ids of many others. And a payment's
    message is known by the payment alone.
    """
    ids, found = [row.invoice_id for row in invoices_named(session, subject)], col(Audit.subject_id)
    yield from (found.contains(one, autoescape=True) for one in ids or [subject])
    yield found.in_(select(Notification.key).where(col(Notification.invoice_id).in_(ids)))
    yield found.in_(select(PaymentSnapshot.payment_id).where(col(PaymentSnapshot.invoice_id).in_(ids)))


def of_subject(session: Session, subject_id: str) -> list[Told]:
    """Every entry about exactly this subject, the oldest first."""
    wanted = select(Audit).where(Audit.subject_id == subject_id).order_by(col(Audit.sequence))
    return [_entry(row) for row in session.exec(wanted).all()]


def _entry(row: Audit) -> Told:
    """A row as a person reads it, without its JSON; one that somebody changed by hand is told as it is."""
    subject = f"{row.subject_type} {row.subject_id}"
    try:
        given = json.loads(row.details)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return Told(row.at, row.actor, row.action, subject, row.details)
    named = cast("dict[str, object]", given)
    told = ", ".join(f"{name} {value}" for name, value in named.items() if value not in ("", None))
    why = named.get("reason") or named.get("why") or named.get("cause") or ""
    return Told(row.at, row.actor, row.action, subject, told, str(why))


def first_break_in(engine: Engine) -> int | None:
    """The sequence of the first entry that was changed, or that follows one that is gone; else ``None``."""
    with reading(engine) as session:
        return first_break_of(session)


def first_break_of(session: Session) -> int | None:
    """The same inside a transaction of the caller's."""
    first = session.exec(select(Audit).order_by(col(Audit.sequence)).limit(1)).first()
    if first is not None and first.previous_hash != START:
        return first.sequence
    # Columns, and in lots: a year's trail is larger than a small machine's memory.
    wanted = sa_select(*LINK).order_by(col(Audit.sequence)).execution_options(yield_per=2_000)
    with session.connection().execute(wanted) as rows:
        return first_break(_link(*row) for row in rows)


LINK = (
    col(Audit.sequence), col(Audit.previous_hash), col(Audit.hash), col(Audit.at), col(Audit.details),
    col(Audit.actor), col(Audit.action), col(Audit.subject_type), col(Audit.subject_id),
    col(Audit.tenant_id), col(Audit.flow_run_id),
)  # fmt: skip


def _link(
    sequence: int, previous: str, kept: str, at: datetime, details: str, *entry: Any
) -> tuple[int, str, str, str]:
    return sequence, previous, kept, entry_hash(previous, at, Entry(*entry), details)


@dataclass(frozen=True, slots=True)
class Stalls:
    """How often writers of a SQLite ledger waited for long, and the longest such wait in seconds."""

    times: int
    longest: float


def stalls(engine: Engine, since: datetime) -> Stalls:
    """The long waits that were noted at ``since`` or later."""
    with reading(engine) as session:
        wanted = select(Audit.details).where(Audit.action == STALLED, col(Audit.at) >= since)
        noted = [cast("dict[str, float]", json.loads(details)) for details in session.exec(wanted).all()]
    times, longest = SAID
    return Stalls(int(sum(one[times] for one in noted)), max((one[longest] for one in noted), default=0.0))
