"""What the books hold: every invoice that somebody may be told of, a customer's all together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.deciding.known import Known, known_of
from duebell.ledger.engine import reading
from duebell.ledger.tables import ContactSnapshot, InvoiceSnapshot, Tenant
from duebell.model import Contact, InvoiceStatus, InvoiceType
from duebell.xero.parse import parse_contact_body

TOLD_OF = (InvoiceStatus.AUTHORISED.value, InvoiceStatus.PAID.value)

LOT = 200
"""Invoices read at once."""


@dataclass(slots=True)
class Vocabulary:
    """The words of the books that a policy may name, as they are written there."""

    groups: set[str] = field(default_factory=set[str])
    tracking: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    themes: set[str] = field(default_factory=set[str])
    currencies: set[str] = field(default_factory=set[str])

    def add_contact(self, contact: Contact) -> None:
        """Learn the groups of a contact."""
        self.groups.update(contact.groups)

    def add_invoices(self, theirs: Iterable[Known]) -> None:
        """Learn what invoices are marked with."""
        for known in theirs:
            invoice = known.read.invoice
            self.tracking.update((one.category, one.option) for one in invoice.tracking)
            self.currencies.add(invoice.currency)
            if invoice.branding_theme_id:
                self.themes.update(filter(None, (invoice.branding_theme_id, known.theme_name)))


def contacts(engine: Engine, tenant_id: str) -> Iterator[Contact]:
    """Every contact of an organisation that was ever read, whether or not an invoice is theirs."""
    wanted = select(ContactSnapshot.body).where(
        ContactSnapshot.tenant_id == tenant_id, col(ContactSnapshot.body) != ""
    )
    with reading(engine) as session:
        for body in session.exec(wanted):
            yield parse_contact_body(body)


def organisations(engine: Engine) -> Sequence[Tenant]:
    """Every organisation that the ledger knows."""
    with reading(engine) as session:
        return session.exec(select(Tenant).order_by(col(Tenant.connected_at))).all()


def customers(engine: Engine, tenant_id: str) -> Iterator[tuple[Known, ...]]:
    """Each customer's invoices that may be told of, customer by customer.

    Left out is what no message is ever made of: bills, drafts, what was voided, and what has no amount.
    """
    with reading(engine) as session:
        found = session.exec(
            select(InvoiceSnapshot.invoice_id, InvoiceSnapshot.contact_id)
            .where(
                InvoiceSnapshot.tenant_id == tenant_id,
                InvoiceSnapshot.type == InvoiceType.SALE.value,
                col(InvoiceSnapshot.status).in_(TOLD_OF),
            )
            .order_by(col(InvoiceSnapshot.contact_id), col(InvoiceSnapshot.invoice_id))
        ).all()
    for start in range(0, len(found), LOT):
        lot = found[start : start + LOT]
        with reading(engine) as session:
            known = known_of(session, tenant_id, [invoice_id for invoice_id, _ in lot])
        for _, theirs in groupby(lot, key=lambda pair: pair[1]):
            yield _complete(known, [invoice_id for invoice_id, _ in theirs])


def _complete(known: Mapping[str, Known], invoice_ids: Sequence[str]) -> tuple[Known, ...]:
    return tuple(
        known[one] for one in invoice_ids if one in known and known[one].read.invoice.amount_due is not None
    )
