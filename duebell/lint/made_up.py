"""Invented invoices: between them every field is filled, and each that may be empty is empty somewhere.

They stand in where there are no books yet, and show what no invoice of the books happens to show.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from duebell.deciding.known import Known
from duebell.ledger.payments import KnownPayment
from duebell.ledger.snapshots import ReadInvoice
from duebell.ledger.tables import Tenant
from duebell.model import Contact, ContactStatus, Invoice, InvoicePayment, InvoiceStatus, InvoiceType

ORGANISATION = Tenant(
    tenant_id="invented",
    token_set_id="",
    name="Kauri Limited",
    short_code="!Kauri",
    country="NZ",
    timezone="Pacific/Auckland",
    connected_at=datetime.min,  # noqa: DTZ901 - nothing asks how long an invented organisation is connected
)

ANA = Contact(
    "invented-1", "Rimu Joinery Limited", ContactStatus.ACTIVE, "Ana", "Cole", country="New Zealand"
)
NAMELESS = Contact("invented-2", "Nikau Limited", ContactStatus.ACTIVE)
EOIN = Contact("invented-3", "Wexford Mills", ContactStatus.ACTIVE, "Eoin", country="United Kingdom")

WHOLE = Invoice(
    "invented-1",
    InvoiceType.SALE,
    InvoiceStatus.AUTHORISED,
    ANA.contact_id,
    number="INV-1041",
    reference="PO 1066",
    issued_on=date(2028, 2, 1),
    due_on=date(2028, 2, 29),
    currency="NZD",
    total=Decimal("115.00"),
    amount_due=Decimal("115.00"),
    amount_paid=Decimal(0),
    expected_payment_on=date(2028, 3, 10),
)
BARE = replace(WHOLE, reference="", due_on=None, expected_payment_on=None)
LATER = {"number": "INV-1042", "due_on": date(2028, 3, 1)}
PART = InvoicePayment("invented-1", Decimal("40.00"), date(2028, 2, 29))
ALL = InvoicePayment("invented-2", Decimal("115.00"), None)
IN_POUNDS = replace(WHOLE, currency="GBP", total=Decimal("1234.56"), amount_due=Decimal("1234.56"))

CUSTOMERS: tuple[tuple[str, Contact, tuple[Invoice, ...]], ...] = (
    (
        "an invented invoice",
        ANA,
        (WHOLE, replace(WHOLE, **LATER, payments=(PART,), amount_paid=PART.amount, amount_due=Decimal(75))),
    ),
    (
        "an invented invoice without a due date and a reference, of a customer without a first name",
        NAMELESS,
        (BARE, replace(BARE, **LATER, payments=(ALL,), amount_paid=ALL.amount, amount_due=Decimal(0))),
    ),
    ("an invented invoice in pounds", EOIN, (IN_POUNDS,)),
)
"""How a finding calls each customer's invoices, whose they are, and what they say."""


def made_up(now: datetime, organisation: Tenant = ORGANISATION) -> Iterator[tuple[str, tuple[Known, ...]]]:
    """Each invented customer's invoices as if they were an organisation's, and what a finding calls them."""
    for what, contact, invoices in CUSTOMERS:
        yield what, tuple(_known(organisation, contact, invoice, now) for invoice in invoices)


def _known(organisation: Tenant, contact: Contact, invoice: Invoice, now: datetime) -> Known:
    read = ReadInvoice(
        replace(invoice, invoice_id=f"{contact.contact_id}/{invoice.number}"),
        body="",
        read_at=now,
        compared=None,
        known_before_connecting=False,
    )
    payments = tuple(
        KnownPayment(one.payment_id, one.payment_id, known_before_connecting=False)
        for one in invoice.payments
    )
    return Known(organisation, read, contact, {}, payments)
