"""Messages to render: who writes to whom about what, in the shapes that the templates have to bear."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from duebell.deciding.known import Known
from duebell.deciding.subjects import Subject
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, NEEDS_ATTENTION, PAYMENT_RECEIVED
from duebell.ledger.payments import KnownPayment
from duebell.ledger.snapshots import ReadInvoice
from duebell.ledger.tables import Tenant
from duebell.model import Contact, ContactStatus, Invoice, InvoicePayment, InvoiceStatus, InvoiceType
from duebell.policy.ladder import step_key
from duebell.policy.rules import NO_RULE
from duebell.policy_file.policy import Policy
from duebell.render.wording import Telling, Told
from duebell.render.wording_shapes import DIGEST

SHIPPED = Path(__file__).resolve().parents[1] / "deployments" / "templates"
KINDS = (INVOICE_ISSUED, PAYMENT_RECEIVED, INVOICE_OVERDUE, NEEDS_ATTENTION)
DUE, AT = date(2026, 11, 20), datetime(2026, 11, 20, 1, tzinfo=UTC)
CONTACT = Contact("c", "Rimu Test Limited", ContactStatus.ACTIVE, "Ana", "Rimu", "ana@example.com")
INVOICE = Invoice(
    "i", InvoiceType.SALE, InvoiceStatus.AUTHORISED, "c", number="INV-0042", currency="NZD",
    issued_on=date(2026, 10, 20), due_on=DUE, total=Decimal("1234.50"), amount_due=Decimal("1234.50"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Business:
    """Whose books, and their customer."""

    organisation: str = "Kauri Test Limited"
    country: str = "NZ"
    contact: Contact = CONTACT
    invoice: Invoice = INVOICE

    def known(self, number: int, **changes: object) -> Known:
        """The invoice of this number as the ledger has it."""
        named = {"invoice_id": f"i{number}", "number": f"INV-{number:04}"} if number > 1 else {}
        invoice = replace(self.invoice, **(named | changes))
        tenant = Tenant(
            tenant_id="t", token_set_id="s", connected_at=AT, name=self.organisation, country=self.country,
            short_code="!mBdtL", timezone="Pacific/Auckland",
        )  # fmt: skip
        paid = tuple(
            KnownPayment(one.payment_id, one.payment_id, known_before_connecting=False)
            for one in invoice.payments
        )
        read = ReadInvoice(invoice, "", AT, None, known_before_connecting=False)
        return Known(tenant, read, self.contact, {}, paid)


TYPICAL = Business()
LONG = Business(
    "Te Whare Hukahuka me ngā Kaimahi Horticultural Co-operative Society (2009) Limited",
    "NZ",
    replace(
        CONTACT, name="The Trustees of the Waitematā Harbour Cup " * 3, first_name="Maximiliana-Josephine"
    ),
    replace(
        INVOICE,
        number="2026/11/PROJECT-0000042-REV-B",
        reference="PO 77/3 <urgent> {{ x }}",
        total=Decimal("9876543210.125"),
        amount_due=Decimal("9876543210.125"),
    ),
)
BARE = Business(
    contact=replace(CONTACT, name="", first_name="", last_name=""),
    invoice=replace(INVOICE, number="7", reference="", due_on=None),
)
RIGHT_TO_LEFT = Business(
    "شركة النور للتجارة",
    "AE",
    replace(CONTACT, name="מסעדת הגן", first_name="דנה", last_name="לוי", country="Israel"),
    replace(INVOICE, number="2026-0042", reference="طلب 5", currency="AED"),
)
AWKWARD = Business(
    "{{ 7 * 7 }} {%x%} & <b>Söhne</b>",
    "DE",
    replace(CONTACT, name="https://evil.example/pay", first_name="\u202eanA", country="Schweiz"),
    replace(INVOICE, number="№ 1", currency="CHF"),
)
BUSINESSES = {
    "typical": TYPICAL,
    "long": LONG,
    "bare": BARE,
    "right to left": RIGHT_TO_LEFT,
    "awkward": AWKWARD,
}


def tellings(kind: str, business: Business, language: str) -> Iterator[Telling]:
    """A message of this kind of template about one, two, three and eleven invoices, at each of its turns."""
    base, team = kind.removesuffix("_team"), "team:accounts" if kind.endswith("_team") else ""
    every = KINDS if base == DIGEST else (base,)
    for count in (1, 2, 3, 11, 25):
        for days in (-3, 1, 2, 14) if base in {INVOICE_OVERDUE, DIGEST} else (0,):
            told = tuple(
                _told(one, business, number, days, team) for number in range(1, count + 1) for one in every
            )
            yield Telling(told, Policy(), NO_RULE, DUE + timedelta(days=days), language)


def _told(kind: str, business: Business, number: int, days: int, team: str) -> Told:
    if kind == INVOICE_ISSUED:
        return Told(Subject(kind, f"i{number}", team=team), business.known(number))
    if kind == NEEDS_ATTENTION:
        step = ("promise_broken@2026-11-01", "not_told@undelivered", "credit_waits@")[number % 3]
        known = business.known(number, expected_payment_on=DUE)
        return Told(Subject(kind, f"i{number}", step, team), known)
    if kind == PAYMENT_RECEIVED:
        payment = InvoicePayment(f"p{number}", Decimal("20.00"), None if number == 3 else DUE)
        owing = Decimal(0) if number % 2 else Decimal("95.00")
        return Told(
            Subject(kind, f"p{number}", team=team),
            business.known(number, payments=(payment,), amount_due=owing),
        )
    stage = {-3: "soon", 1: "overdue", 2: "overdue", 14: "third"}[days]
    known = business.known(number, due_on=DUE)
    return Told(Subject(kind, f"i{number}", step_key(stage, DUE), team), known)
