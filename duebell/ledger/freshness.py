"""How fresh the snapshots are, and which of them still hold."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine, and_, distinct, exists, func, update
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from duebell.clock import AHEAD
from duebell.ledger.built_once import built_once
from duebell.ledger.engine import reading
from duebell.ledger.tables import ContactSnapshot, InvoiceSnapshot, Notification
from duebell.ledger.writing import Writing, writing
from duebell.model import Invoice, InvoiceStatus, InvoiceType
from duebell.xero.parse import parse_invoice_body

AT_ONCE = 200
"""Rows a transaction: on SQLite the receiver's answers to Xero wait for each of them."""

A_FEW = 10

CONTACT_KEEPS = timedelta(hours=1)
"""How long a contact's snapshot serves when invoices are read many at once, as lists carry only stubs.

Contact events renew it in between; a single invoice brings its contact along for nothing.
"""


def is_since(read_at: datetime | None, since: datetime, now: datetime) -> bool:
    """Whether it was read at ``since`` or later, by a clock that can be believed."""
    return read_at is not None and since <= read_at <= now + AHEAD


def read_times(engine: Engine, tenant_id: str, invoice_ids: Collection[str]) -> dict[str, datetime]:
    """When these invoices were last read; one that never was is not among them."""
    with reading(engine) as session:
        return dict(
            read for some in _portions(invoice_ids) for read in _reads(session, tenant_id, some).all()
        )


def contact_read_times(engine: Engine, tenant_id: str, contact_ids: Sequence[str]) -> dict[str, datetime]:
    """When these contacts were last read; one that never was is not among them."""
    wanted = select(ContactSnapshot.contact_id, ContactSnapshot.read_at).where(
        ContactSnapshot.tenant_id == tenant_id, col(ContactSnapshot.contact_id).in_(contact_ids)
    )
    with reading(engine) as session:
        return dict(session.exec(wanted).all())


def lately_read(engine: Engine, tenant_id: str, without: Collection[str]) -> list[str]:
    """The few invoices beside these that were read last: they were served not long ago."""
    return _lately(engine, tenant_id, InvoiceSnapshot, col(InvoiceSnapshot.invoice_id), without)


def lately_read_contacts(engine: Engine, tenant_id: str, without: Collection[str]) -> list[str]:
    """The few contacts beside these that were read last."""
    return _lately(engine, tenant_id, ContactSnapshot, col(ContactSnapshot.contact_id), without)


def _lately(
    engine: Engine,
    tenant_id: str,
    kept: type[InvoiceSnapshot | ContactSnapshot],
    record_id: Mapped[str],
    without: Collection[str],
) -> list[str]:
    of_others = select(record_id).where(kept.tenant_id == tenant_id, record_id.not_in(without))
    with reading(engine) as session:
        return list(session.exec(of_others.order_by(col(kept.read_at).desc()).limit(A_FEW)).all())


def merged_into(engine: Engine, tenant_id: str, contact_ids: Sequence[str]) -> list[str]:
    """The contacts that these were merged into, read or not."""
    wanted = select(ContactSnapshot.merged_to).where(
        ContactSnapshot.tenant_id == tenant_id, col(ContactSnapshot.contact_id).in_(contact_ids)
    )
    with reading(engine) as session:
        return sorted({one for one in session.exec(wanted) if one})


def unknown_contacts(engine: Engine, tenant_id: str, invoice_ids: Sequence[str] | None = None) -> list[str]:
    """The contacts of these sales invoices, or of all that are open, that were never read."""
    chosen = (
        InvoiceSnapshot.status == InvoiceStatus.AUTHORISED.value
        if invoice_ids is None
        else col(InvoiceSnapshot.invoice_id).in_(invoice_ids)
    )
    is_read = exists(
        select(ContactSnapshot.contact_id).where(
            ContactSnapshot.tenant_id == tenant_id,
            col(ContactSnapshot.contact_id) == col(InvoiceSnapshot.contact_id),
        )
    )
    wanted = (
        select(InvoiceSnapshot.contact_id)
        .where(
            InvoiceSnapshot.tenant_id == tenant_id,
            InvoiceSnapshot.type == InvoiceType.SALE.value,
            chosen,
            ~is_read,
        )
        .distinct()
    )
    with reading(engine) as session:
        return sorted(one for one in session.exec(wanted).all() if one)


def contacts_of(engine: Engine, tenant_id: str, invoice_ids: Collection[str]) -> dict[str, str]:
    """The contact that each of these sales invoices names, by the invoice's id."""
    wanted = select(InvoiceSnapshot.invoice_id, InvoiceSnapshot.contact_id).where(
        InvoiceSnapshot.tenant_id == tenant_id, InvoiceSnapshot.type == InvoiceType.SALE.value
    )
    of_these = col(InvoiceSnapshot.invoice_id)
    with reading(engine) as session:
        found = [session.exec(wanted.where(of_these.in_(some))).all() for some in _portions(invoice_ids)]
    return {invoice_id: contact_id for some in found for invoice_id, contact_id in some if contact_id}


def changed_since(engine: Engine, tenant_id: str, since: datetime) -> int:
    """How many invoices and bills are known to have changed since, by Xero's own times."""
    wanted = (
        select(func.count())
        .select_from(InvoiceSnapshot)
        .where(InvoiceSnapshot.tenant_id == tenant_id, col(InvoiceSnapshot.updated_at) >= since)
    )
    with reading(engine) as session:
        return session.exec(wanted).one()


def contacts_known(engine: Engine, tenant_id: str) -> int:
    """How many contacts the tenant has at least, as far as the ledger can tell."""
    kept = select(func.count()).select_from(ContactSnapshot).where(ContactSnapshot.tenant_id == tenant_id)
    named = select(func.count(distinct(col(InvoiceSnapshot.contact_id)))).where(
        InvoiceSnapshot.tenant_id == tenant_id
    )
    with reading(engine) as session:
        return max(session.exec(kept).one(), session.exec(named).one())


def confirm(engine: Engine, tenant_id: str, seen: Mapping[str, datetime], *, read_at: datetime) -> int:
    """Note that these snapshots, last read as ``seen``, still held at ``read_at``; returns how many.

    They were not in a whole list of what changed since. That list cannot see every edit: a due date or
    ``SentToContact`` that is changed on a part-paid document leaves ``UpdatedDateUTC`` as it was
    (developer.xero.com/documentation/api/accounting/requests-and-responses). Payments, credits and voids do
    move it. So part-paid ones are left out here and have to be read themselves, and so are those that
    somebody else read meanwhile.
    """
    return sum(
        _confirm(engine, tenant_id, {one: seen[one] for one in ids}, read_at) for ids in _portions(seen)
    )


def _confirm(engine: Engine, tenant_id: str, seen: Mapping[str, datetime], read_at: datetime) -> int:
    wanted = select(InvoiceSnapshot.invoice_id, InvoiceSnapshot.body).where(
        InvoiceSnapshot.tenant_id == tenant_id, col(InvoiceSnapshot.invoice_id).in_(list(seen))
    )
    with reading(engine) as session:
        bodies = session.exec(wanted).all()
    whole = [one for one, body in bodies if not _is_part_paid(parse_invoice_body(body))]
    with writing(engine, read_at) as book:
        return sum(
            _still_as_seen(book, tenant_id, [one for one in whole if seen[one] == moment], moment)
            for moment in sorted(set(seen.values()))
        )


def _still_as_seen(book: Writing, tenant_id: str, ids: Sequence[str], seen: datetime) -> int:
    confirmed = book.session.exec(
        update(InvoiceSnapshot)
        .where(
            col(InvoiceSnapshot.tenant_id) == tenant_id,
            col(InvoiceSnapshot.invoice_id).in_(ids),
            col(InvoiceSnapshot.read_at) == seen,
        )
        .values(read_at=book.now)
        .returning(col(InvoiceSnapshot.invoice_id))
    ).all()
    return len(confirmed)


def _is_part_paid(invoice: Invoice) -> bool:
    return bool(invoice.amount_paid) or bool(invoice.amount_credited) or bool(invoice.payments)


def _portions(ids: Iterable[str]) -> list[Sequence[str]]:
    ordered = sorted(ids)
    return [ordered[start : start + AT_ONCE] for start in range(0, len(ordered), AT_ONCE)]


@built_once
def _reads(tenant_id: str, ids: Sequence[str]) -> Select[str, datetime]:
    return select(InvoiceSnapshot.invoice_id, InvoiceSnapshot.read_at).where(
        InvoiceSnapshot.tenant_id == tenant_id, col(InvoiceSnapshot.invoice_id).in_(ids)
    )


class Read(NamedTuple):
    """When an invoice was last read, and its contact, if ever; ``recipient`` is whom a message goes to."""

    at: datetime
    contact_at: datetime | None
    recipient: str


def of_claimed(session: Session, notification_id: int, invoice_ids: Sequence[str]) -> dict[str, Read]:
    """When what a message is about was last read; an invoice that never was is not among them."""
    found = _of_claimed(session, notification_id, invoice_ids).all()
    return {invoice_id: Read(at, contact_at, to) for invoice_id, at, contact_at, to in found}


@built_once
def _of_claimed(notification_id: int, ids: Sequence[str]) -> Select[str, datetime, datetime, str]:
    its_contact = and_(
        col(ContactSnapshot.tenant_id) == col(InvoiceSnapshot.tenant_id),
        col(ContactSnapshot.contact_id) == col(InvoiceSnapshot.contact_id),
    )
    return (
        select(
            InvoiceSnapshot.invoice_id,
            InvoiceSnapshot.read_at,
            ContactSnapshot.read_at,
            Notification.recipient,
        )
        .join(Notification, col(Notification.tenant_id) == col(InvoiceSnapshot.tenant_id))
        .join(ContactSnapshot, its_contact, isouter=True)
        .where(Notification.notification_id == notification_id, col(InvoiceSnapshot.invoice_id).in_(ids))
    )
