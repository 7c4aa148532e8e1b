"""Versions of records: a read that tells other things than the one before keeps that one, read or not."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from sqlmodel import Session, col, select

from duebell.ledger.tables import ContactSnapshot, CreditSnapshot, EarlierVersion, InvoiceSnapshot
from duebell.model import Contact, Invoice, InvoiceType
from duebell.xero.parse import parse_contact_body, parse_invoice_body

INVOICE, CONTACT = "INVOICE", "CONTACT"


@dataclass(frozen=True, slots=True)
class Version:
    """One version's body. ``since`` is when it was first read, empty for before versions were counted;
    ``until`` is when another was read, empty for the present one.
    """

    number: int
    body: str
    since: datetime | None
    until: datetime | None


def count_invoice(session: Session, row: InvoiceSnapshot, invoice: Invoice, read_at: datetime) -> None:
    """Keep what the row holds where ``invoice`` tells something else. Bills have no history."""
    is_sale = InvoiceType.SALE in {row.type, invoice.type}
    if row.body and is_sale and _told_of_invoice(parse_invoice_body(row.body)) != _told_of_invoice(invoice):
        _keep(session, row, INVOICE, row.invoice_id, row.body, read_at)
    row.first_read_at = row.first_read_at if row.body else read_at


def count_contact(session: Session, row: ContactSnapshot, contact: Contact, read_at: datetime) -> None:
    """The same for a contact."""
    if row.body and _told_of_contact(parse_contact_body(row.body)) != _told_of_contact(contact):
        _keep(session, row, CONTACT, row.contact_id, row.body, read_at)
    row.first_read_at = row.first_read_at if row.body else read_at


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a version of a credit tells: whose it is, and how much of it waits to be allocated.

    ``updated_at`` is Xero's time of it, as ISO 8601; empty where Xero told none.
    """

    contact_id: str | None
    currency: str
    remaining: str
    updated_at: str = field(default="", compare=False)


def waiting_of(row: CreditSnapshot) -> Waiting:
    """What the version that a credit's row holds tells."""
    updated_at = row.updated_at.isoformat() if row.updated_at else ""
    return Waiting(row.contact_id, row.currency, row.remaining, updated_at)


def count_credit(session: Session, row: CreditSnapshot, now: Waiting, read_at: datetime) -> None:
    """The same for a credit, of which only what waits is kept; one that was never read has no currency."""
    before = waiting_of(row)
    if row.currency and before != now:
        _keep(session, row, row.kind, row.credit_id, json.dumps(asdict(before)), read_at)
    row.first_read_at = row.first_read_at if row.currency else read_at


def _told_of_invoice(invoice: Invoice) -> Invoice:
    """What any verdict could rest on: a list leaves out what a single invoice says beside that."""
    sent = bool(invoice.sent_to_contact)
    return replace(invoice, contact=None, contact_name="", updated_at=None, sent_to_contact=sent)


def _told_of_contact(contact: Contact) -> Contact:
    return replace(contact, updated_at=None)


def _keep(
    session: Session,
    row: InvoiceSnapshot | ContactSnapshot | CreditSnapshot,
    category: str,
    record_id: str,
    body: str,
    read_at: datetime,
) -> None:
    session.add(
        EarlierVersion(
            tenant_id=row.tenant_id,
            category=category,
            record_id=record_id,
            version=row.version,
            body=body,
            first_read_at=row.first_read_at,
            replaced_at=read_at,
        )
    )
    row.version, row.first_read_at = row.version + 1, read_at


def of_invoice(session: Session, row: InvoiceSnapshot) -> list[Version]:
    """Every version of an invoice that is kept, the oldest first, the present one last."""
    earlier = _earlier(session, row.tenant_id, INVOICE, [row.invoice_id])
    return [*earlier.get(row.invoice_id, ()), Version(row.version, row.body, row.first_read_at, None)]


def of_contact(session: Session, row: ContactSnapshot) -> list[Version]:
    """The same of a contact."""
    earlier = _earlier(session, row.tenant_id, CONTACT, [row.contact_id])
    return [*earlier.get(row.contact_id, ()), Version(row.version, row.body, row.first_read_at, None)]


def _earlier(
    session: Session, tenant_id: str, category: str, record_ids: Sequence[str]
) -> dict[str, list[Version]]:
    wanted = select(EarlierVersion).where(
        EarlierVersion.tenant_id == tenant_id,
        EarlierVersion.category == category,
        col(EarlierVersion.record_id).in_(record_ids),
    )
    found: dict[str, list[Version]] = {}
    for row in session.exec(wanted.order_by(col(EarlierVersion.version))).all():
        one = Version(row.version, row.body, row.first_read_at, row.replaced_at)
        found.setdefault(row.record_id, []).append(one)
    return found


def body_of(session: Session, tenant_id: str, category: str, record_id: str, version: int) -> str | None:
    """The body of one version; nothing where it is kept no longer."""
    table = InvoiceSnapshot if category == INVOICE else ContactSnapshot
    present = session.get(table, (tenant_id, record_id))
    if present is not None and present.version == version:
        return present.body
    earlier = session.get(EarlierVersion, (tenant_id, category, record_id, version))
    return earlier.body if earlier else None
