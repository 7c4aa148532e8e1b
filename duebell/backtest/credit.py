"""The customers' credit that waited to be allocated, at any time that the ledger can tell of."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from duebell.backtest.histories import History
from duebell.ledger.merges import all_survivors
from duebell.ledger.tables import CreditReading, CreditSnapshot, EarlierVersion
from duebell.ledger.versions import Waiting, waiting_of
from duebell.model import CreditKind, InvoiceStatus
from duebell.policy.in_credit import NO_CREDIT, Balance, Owing

ALWAYS, EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Waited:
    """What waited of one credit from a moment to another."""

    since: datetime
    until: datetime
    contact_id: str
    currency: str
    remaining: Decimal


class Credits:
    """All credit of an organisation over time. ``unread`` are the lists of Xero that were never read."""

    def __init__(self, waited: Sequence[Waited] = (), unread: Collection[CreditKind] = ()) -> None:
        self.unread = tuple(sorted(unread))
        self._theirs: dict[str, list[Waited]] = {}
        for one in waited:
            self._theirs.setdefault(one.contact_id, []).append(one)

    def changes(self, contact_id: str) -> tuple[datetime, ...]:
        """When a customer's credit became more or less; empty for one who never had any."""
        theirs = self._theirs.get(contact_id, [])
        return tuple(sorted({moment for one in theirs for moment in (one.since, one.until)} - {ALWAYS, EVER}))

    def has(self, contact_id: str) -> bool:
        """Whether a customer ever had any."""
        return contact_id in self._theirs

    def balance(self, contact_id: str, invoices: Sequence[History], moment: datetime) -> Balance:
        """How a customer stood, whose invoices these are; no balance where no credit waited."""
        credit: dict[str, Decimal] = {}
        for one in self._theirs.get(contact_id, []):
            if one.since <= moment < one.until:
                credit[one.currency] = credit.get(one.currency, Decimal(0)) + one.remaining
        return Balance(credit, tuple(_owing(invoices, moment))) if credit else NO_CREDIT


def _owing(invoices: Sequence[History], moment: datetime) -> Iterator[Owing]:
    for history in invoices:
        known = history.at(moment)
        if known is not None and known.read.invoice.status is InvoiceStatus.AUTHORISED:
            invoice = known.read.invoice
            yield Owing(invoice.currency, invoice.due_on, invoice.amount_due or Decimal(0))


def credits_over_time(session: Session, tenant_id: str) -> Credits:
    """What is kept of a tenant's credit. Before its first reading a credit waited since its last change in
    Xero, and what it was before that nobody knows.
    """
    survivors = all_survivors(session, tenant_id)
    read = session.exec(select(CreditReading.kind).where(CreditReading.tenant_id == tenant_id)).all()
    earlier = _earlier(session, tenant_id)
    rows = session.exec(select(CreditSnapshot).where(CreditSnapshot.tenant_id == tenant_id)).all()
    waited = [one for row in rows for one in _waited(row, earlier.get(row.credit_id, []), survivors)]
    return Credits(waited, set(CreditKind) - {CreditKind(kind) for kind in read})


def _waited(
    row: CreditSnapshot, earlier: Sequence[EarlierVersion], survivors: Mapping[str, str]
) -> Iterator[Waited]:
    versions = [(one.first_read_at, Waiting(**json.loads(one.body))) for one in earlier]
    versions.append((row.first_read_at, waiting_of(row)))
    ends = [*(since or ALWAYS for since, _ in versions[1:]), EVER]
    for place, ((since, one), until) in enumerate(zip(versions, ends, strict=True)):
        contact_id, remaining = one.contact_id or "", Decimal(one.remaining)
        if remaining > 0:
            begins = _first(since, one) if place == 0 else since or ALWAYS
            whose = survivors.get(contact_id, contact_id)
            yield Waited(begins, until, whose, one.currency, remaining)


def _first(read_at: datetime | None, one: Waiting) -> datetime:
    """Since when the first version that is known was so: by Xero's own time of it, if that is earlier."""
    changed_at = datetime.fromisoformat(one.updated_at) if one.updated_at else None
    return min((moment for moment in (read_at, changed_at) if moment), default=ALWAYS)


def _earlier(session: Session, tenant_id: str) -> dict[str, list[EarlierVersion]]:
    wanted = select(EarlierVersion).where(
        EarlierVersion.tenant_id == tenant_id,
        col(EarlierVersion.category).in_([kind.value for kind in CreditKind]),
    )
    found: dict[str, list[EarlierVersion]] = {}
    for row in session.exec(wanted.order_by(col(EarlierVersion.version))).all():
        found.setdefault(row.record_id, []).append(row)
    return found
