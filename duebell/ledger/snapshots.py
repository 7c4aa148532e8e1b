"""Snapshots: Xero's records as last read, and the state that changes were last derived from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.changes import ISSUED
from duebell.clock import AHEAD
from duebell.ledger import versions
from duebell.ledger.built_once import built_once
from duebell.ledger.engine import reading
from duebell.ledger.inserting import insert_missing
from duebell.ledger.tables import ContactSnapshot, InvoiceSnapshot
from duebell.ledger.writing import writing
from duebell.model import Contact, Invoice
from duebell.xero.parse import parse_contact_body, parse_invoice_body


@dataclass(frozen=True, slots=True)
class ReadInvoice:
    """An invoice with when it was read, and what its last comparison saw (``None`` before the first)."""

    invoice: Invoice
    body: str
    read_at: datetime
    compared: Invoice | None
    known_before_connecting: bool
    version: int = 1
    online_link: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ReadContact:
    """A contact with when it was read."""

    contact: Contact
    read_at: datetime
    version: int = 1


def save_invoices(
    engine: Engine,
    tenant_id: str,
    records: Iterable[tuple[Invoice, str]],
    *,
    read_at: datetime,
    now: datetime | None = None,
    silent_until: datetime | None = None,
) -> None:
    """Keep what was read. An older read changes nothing: Xero's can lag, and whoever reads can.

    ``now`` tells a kept time that is none, as it lies ahead. With ``silent_until`` (the first sync) a record
    last updated before it counts as known, by being compared with itself; a draft is news once approved.
    """
    by_id = {invoice.invoice_id: (invoice, body) for invoice, body in records}
    with writing(engine, read_at) as book:
        for row in _held_invoices(book.session, tenant_id, by_id, read_at):
            invoice, body = by_id[row.invoice_id]
            if _is_older(invoice.updated_at, row.updated_at) or _is_overtaken(read_at, row.read_at, now):
                continue
            if row.body != body:
                versions.count_invoice(book.session, row, invoice, read_at)
            _copy_invoice(row, invoice, body, read_at)
            if silent_until is not None and (invoice.updated_at is None or invoice.updated_at < silent_until):
                row.compared_body, row.known_before_connecting = body, invoice.status in ISSUED


def _held_invoices(
    session: Session, tenant_id: str, invoice_ids: Iterable[str], read_at: datetime
) -> Sequence[InvoiceSnapshot]:
    """The rows of these invoices, made where there is none, for this transaction alone."""
    ids = sorted(invoice_ids)
    insert_missing(
        session, [InvoiceSnapshot(tenant_id=tenant_id, invoice_id=one, read_at=read_at) for one in ids]
    )
    return _locked_invoices(session, tenant_id, ids).all()


@built_once
def _invoices(tenant_id: str, ids: Sequence[str]) -> SelectOfScalar[InvoiceSnapshot]:
    return select(InvoiceSnapshot).where(
        InvoiceSnapshot.tenant_id == tenant_id, col(InvoiceSnapshot.invoice_id).in_(ids)
    )


@built_once
def _locked_invoices(tenant_id: str, ids: Sequence[str]) -> SelectOfScalar[InvoiceSnapshot]:
    of_these = (InvoiceSnapshot.tenant_id == tenant_id, col(InvoiceSnapshot.invoice_id).in_(ids))
    ordered = select(InvoiceSnapshot).where(*of_these).order_by(col(InvoiceSnapshot.invoice_id))
    return ordered.with_for_update()


def hold(session: Session, tenant_id: str, invoice_ids: Sequence[str]) -> None:
    """Let nobody else decide about these invoices, or compare them, until this transaction ends."""
    _held(session, tenant_id, invoice_ids).all()


@built_once
def _held(tenant_id: str, ids: Sequence[str]) -> SelectOfScalar[str]:
    of_these = (InvoiceSnapshot.tenant_id == tenant_id, col(InvoiceSnapshot.invoice_id).in_(ids))
    ordered = select(InvoiceSnapshot.invoice_id).where(*of_these).order_by(col(InvoiceSnapshot.invoice_id))
    return ordered.with_for_update()


def _is_older(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and one < other


def _is_overtaken(read_at: datetime, kept_at: datetime, now: datetime | None) -> bool:
    return read_at < kept_at and (now is None or kept_at <= now + AHEAD)


def _copy_invoice(row: InvoiceSnapshot, invoice: Invoice, body: str, read_at: datetime) -> None:
    row.contact_id = invoice.contact_id
    row.type = invoice.type.value
    row.status = invoice.status.value
    row.number = invoice.number
    row.currency = invoice.currency
    row.due_on = invoice.due_on.isoformat() if invoice.due_on else None
    row.updated_at = invoice.updated_at
    row.read_at = read_at
    row.body = body


def save_contacts(
    engine: Engine,
    tenant_id: str,
    records: Iterable[tuple[Contact, str]],
    *,
    read_at: datetime,
    now: datetime | None = None,
) -> None:
    """Keep the contacts that were read, as ``save_invoices`` does."""
    by_id = {contact.contact_id: (contact, body) for contact, body in records}
    with writing(engine, read_at) as book:
        for row in _held_contacts(book.session, tenant_id, by_id, read_at):
            contact, body = by_id[row.contact_id]
            if _is_older(contact.updated_at, row.updated_at) or _is_overtaken(read_at, row.read_at, now):
                continue
            if row.body != body:
                versions.count_contact(book.session, row, contact, read_at)
            row.status = contact.status.value
            row.merged_to = contact.merged_to
            row.updated_at = contact.updated_at
            row.read_at = read_at
            row.body = body


def _held_contacts(
    session: Session, tenant_id: str, contact_ids: Iterable[str], read_at: datetime
) -> Sequence[ContactSnapshot]:
    ids = sorted(contact_ids)
    insert_missing(
        session, [ContactSnapshot(tenant_id=tenant_id, contact_id=one, read_at=read_at) for one in ids]
    )
    return session.exec(
        select(ContactSnapshot)
        .where(ContactSnapshot.tenant_id == tenant_id, col(ContactSnapshot.contact_id).in_(ids))
        .order_by(col(ContactSnapshot.contact_id))
        .with_for_update()
    ).all()


def invoices(engine: Engine, tenant_id: str, invoice_ids: Sequence[str]) -> dict[str, ReadInvoice]:
    """The kept invoices among those asked for, by id."""
    with reading(engine) as session:
        return read_invoices(session, tenant_id, invoice_ids)


def read_invoices(session: Session, tenant_id: str, invoice_ids: Sequence[str]) -> dict[str, ReadInvoice]:
    """The same, inside a transaction of the caller's."""
    rows = _invoices(session, tenant_id, invoice_ids).all()
    return {
        row.invoice_id: ReadInvoice(
            invoice=parse_invoice_body(row.body),
            body=row.body,
            read_at=row.read_at,
            compared=None if row.compared_body is None else parse_invoice_body(row.compared_body),
            known_before_connecting=row.known_before_connecting,
            version=row.version,
            online_link=row.online_link,
        )
        for row in rows
    }


def keep_link(engine: Engine, tenant_id: str, invoice_id: str, link: str, *, now: datetime) -> None:
    """Keep where an invoice can be seen online: Xero never changes it."""
    with writing(engine, now) as book:
        row = book.session.get_one(InvoiceSnapshot, (tenant_id, invoice_id), with_for_update=True)
        row.online_link = link


def numbers_by_id(session: Session, tenant_id: str, invoice_ids: Sequence[str]) -> dict[str, str]:
    """The numbers of these invoices, in their order; one that was never read has none."""
    rows = session.exec(
        select(InvoiceSnapshot.invoice_id, InvoiceSnapshot.number).where(
            InvoiceSnapshot.tenant_id == tenant_id, col(InvoiceSnapshot.invoice_id).in_(invoice_ids)
        )
    ).all()
    found = dict(rows)
    return {one: found[one] for one in invoice_ids if one in found}


def contacts(engine: Engine, tenant_id: str, contact_ids: Sequence[str]) -> dict[str, ReadContact]:
    """The kept contacts among those asked for, by id."""
    with reading(engine) as session:
        return read_contacts(session, tenant_id, contact_ids)


def read_contacts(session: Session, tenant_id: str, contact_ids: Sequence[str]) -> dict[str, ReadContact]:
    """The same, inside a transaction of the caller's."""
    rows = _contacts(session, tenant_id, contact_ids).all()
    return {
        row.contact_id: ReadContact(parse_contact_body(row.body), row.read_at, row.version) for row in rows
    }


@built_once
def _contacts(tenant_id: str, ids: Sequence[str]) -> SelectOfScalar[ContactSnapshot]:
    return select(ContactSnapshot).where(
        ContactSnapshot.tenant_id == tenant_id, col(ContactSnapshot.contact_id).in_(ids)
    )


def mark_compared(session: Session, tenant_id: str, invoice_id: str, body: str) -> None:
    """Remember the body whose changes have been told, in the transaction that tells them."""
    row = session.get(InvoiceSnapshot, (tenant_id, invoice_id))
    if row is not None:
        row.compared_body = body


def never_compared(engine: Engine, tenant_id: str) -> list[tuple[str, str]]:
    """The invoices (id, body) whose changes were never derived: what the first sync found to be news.

    One that was edited between two walks of the first sync is among them.
    """
    with reading(engine) as session:
        rows = session.exec(
            select(InvoiceSnapshot.invoice_id, InvoiceSnapshot.body).where(
                InvoiceSnapshot.tenant_id == tenant_id,
                col(InvoiceSnapshot.compared_body).is_(None)
                | (col(InvoiceSnapshot.compared_body) != col(InvoiceSnapshot.body)),
            )
        ).all()
    return list(rows)
