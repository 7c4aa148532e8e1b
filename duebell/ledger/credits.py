"""The customers' credit that is not allocated yet, as last read, and how far each of its lists was read."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from duebell.clock import AHEAD
from duebell.ledger.engine import reading
from duebell.ledger.freshness import is_since
from duebell.ledger.inserting import insert_missing
from duebell.ledger.tables import CreditReading, CreditSnapshot, InvoiceSnapshot
from duebell.ledger.versions import Waiting, count_credit
from duebell.ledger.writing import writing
from duebell.model import Credit, CreditKind, InvoiceStatus, InvoiceType
from duebell.policy.in_credit import Balance, Owing
from duebell.xero.parse import parse_invoice_body

NOTHING = "0"


def stale(
    engine: Engine, tenant_id: str, kinds: Collection[CreditKind], since: datetime, *, now: datetime
) -> list[CreditKind]:
    """Those of the lists that were not read since, by a clock that can be believed."""
    with reading(engine) as session:
        rows = session.exec(select(CreditReading).where(CreditReading.tenant_id == tenant_id)).all()
    read = {row.kind: row.read_at for row in rows}
    return [kind for kind in CreditKind if kind in kinds and not is_since(read.get(kind), since, now)]


def last_read(engine: Engine, tenant_id: str) -> datetime | None:
    """When the list that was read longest ago was read; nothing before the first."""
    with reading(engine) as session:
        rows = session.exec(select(CreditReading.read_at).where(CreditReading.tenant_id == tenant_id)).all()
    return min(rows, default=None)


def cursor_of(engine: Engine, tenant_id: str, kind: CreditKind) -> datetime | None:
    """Up to where a list was read, by the server's own times; nothing before its first reading."""
    with reading(engine) as session:
        row = session.get(CreditReading, (tenant_id, kind.value))
        return row.cursor if row else None


def mark_read(
    engine: Engine, tenant_id: str, kind: CreditKind, cursor: datetime, *, read_at: datetime
) -> None:
    """Remember up to where a list was read, and when that began; never backwards, whoever ends last, but from
    a time that has not come yet.
    """
    with writing(engine, read_at) as book:
        row = CreditReading(tenant_id=tenant_id, kind=kind.value, cursor=cursor, read_at=read_at)
        insert_missing(book.session, [row])
        ours = (col(CreditReading.tenant_id) == tenant_id, col(CreditReading.kind) == kind.value)
        book.session.exec(
            update(CreditReading).where(*ours, col(CreditReading.cursor) < cursor).values(cursor=cursor)
        )
        kept_at = col(CreditReading.read_at)
        is_earlier = (kept_at < read_at) | (kept_at > read_at + AHEAD)
        book.session.exec(update(CreditReading).where(*ours, is_earlier).values(read_at=read_at))


def keep(engine: Engine, tenant_id: str, credits: Iterable[Credit], *, read_at: datetime) -> None:
    """Keep the customers' credits that were read; an older reading changes nothing."""
    by_id = {one.credit_id: one for one in credits if one.is_customers}
    missing = [
        CreditSnapshot(tenant_id=tenant_id, credit_id=key, kind=by_id[key].kind.value, read_at=read_at)
        for key in sorted(by_id)
    ]
    with writing(engine, read_at) as book:
        insert_missing(book.session, missing)
        wanted = select(CreditSnapshot).where(
            CreditSnapshot.tenant_id == tenant_id, col(CreditSnapshot.credit_id).in_(by_id)
        )
        for row in book.session.exec(wanted.order_by(col(CreditSnapshot.credit_id)).with_for_update()).all():
            _copy(book.session, row, by_id[row.credit_id], read_at)


def _copy(session: Session, row: CreditSnapshot, credit: Credit, read_at: datetime) -> None:
    is_older = (
        credit.updated_at is not None and row.updated_at is not None and credit.updated_at < row.updated_at
    )
    if is_older or read_at < row.read_at <= read_at + AHEAD:
        return
    remaining = format(credit.remaining.normalize(), "f")
    count_credit(session, row, Waiting(credit.contact_id, credit.currency, remaining), read_at)
    row.contact_id = credit.contact_id
    row.currency = credit.currency
    row.remaining = remaining
    row.updated_at = credit.updated_at
    row.read_at = read_at


def close_unread(engine: Engine, tenant_id: str, kind: CreditKind, *, since: datetime) -> None:
    """What a whole list of the open ones did not bring is used up, or was withdrawn."""
    unread = (
        col(CreditSnapshot.tenant_id) == tenant_id,
        col(CreditSnapshot.kind) == kind.value,
        (col(CreditSnapshot.read_at) < since) | (col(CreditSnapshot.read_at) > since + AHEAD),
    )
    with writing(engine, since) as book:
        waiting = select(CreditSnapshot).where(*unread, CreditSnapshot.remaining != NOTHING)
        for row in book.session.exec(waiting.order_by(col(CreditSnapshot.credit_id)).with_for_update()).all():
            count_credit(book.session, row, Waiting(row.contact_id, row.currency, NOTHING), since)
        book.session.exec(update(CreditSnapshot).where(*unread).values(remaining=NOTHING, read_at=since))


def balances(session: Session, tenant_id: str, survivors: Mapping[str, str]) -> dict[str, Balance]:
    """How those of these contacts stand who have credit; each is given with the one that it is now."""
    credit = _credit(session, tenant_id, survivors)
    owing = _owing(session, tenant_id, {one: into for one, into in survivors.items() if into in credit})
    return {
        contact_id: Balance(by_currency, tuple(owing.get(contact_id, ())))
        for contact_id, by_currency in credit.items()
    }


def _credit(session: Session, tenant_id: str, survivors: Mapping[str, str]) -> dict[str, dict[str, Decimal]]:
    rows = session.exec(
        select(CreditSnapshot.contact_id, CreditSnapshot.currency, CreditSnapshot.remaining).where(
            CreditSnapshot.tenant_id == tenant_id,
            col(CreditSnapshot.contact_id).in_(survivors),
            CreditSnapshot.remaining != NOTHING,
        )
    ).all()
    found: dict[str, dict[str, Decimal]] = {}
    for contact_id, currency, remaining in rows:
        theirs = found.setdefault(survivors[contact_id or ""], {})
        theirs[currency] = theirs.get(currency, Decimal(0)) + Decimal(remaining)
    return found


def _owing(session: Session, tenant_id: str, survivors: Mapping[str, str]) -> dict[str, Sequence[Owing]]:
    """The open sales invoices of these, by the contact that owes them now."""
    rows = session.exec(
        select(InvoiceSnapshot.contact_id, InvoiceSnapshot.body).where(
            InvoiceSnapshot.tenant_id == tenant_id,
            col(InvoiceSnapshot.contact_id).in_(survivors),
            InvoiceSnapshot.type == InvoiceType.SALE.value,
            InvoiceSnapshot.status == InvoiceStatus.AUTHORISED.value,
        )
    ).all()
    found: dict[str, list[Owing]] = {}
    for contact_id, body in rows:
        invoice = parse_invoice_body(body)
        owing = Owing(invoice.currency, invoice.due_on, invoice.amount_due or Decimal(0))
        found.setdefault(survivors[contact_id or ""], []).append(owing)
    return dict(found)
