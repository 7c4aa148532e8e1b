"""One organisation's books, and what an accountant does in them.

The records are kept as Xero sends them, so that books loaded from a recorded answer are served as they were.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from deployments.sandbox.documents import PHONE_TYPES, contact_stub, new_contact, new_payment, phone, stamp
from deployments.sandbox.wire import (
    Json,
    Record,
    amount_of,
    calendar_ms,
    calendar_string,
    money,
    ms_date,
    read_ms_date,
    record_of,
    records_of,
    text_of,
)


class BookkeepingError(Exception):
    """Xero's screens would not offer this: the record is unknown, or not in a state for it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What Xero would ring about: category ``INVOICE`` or ``CONTACT``, type ``CREATE`` or ``UPDATE``."""

    tenant_id: str
    category: str
    type: str
    resource_id: str
    at: datetime


@dataclass
class Books:
    """A tenant: its organisation record, contacts and invoices by id, and whether our app is connected."""

    tenant_id: str
    organisation: Record
    connection_id: str
    connected_at: datetime
    contacts: dict[str, Record] = field(default_factory=dict[str, Record])
    invoices: dict[str, Record] = field(default_factory=dict[str, Record])
    connected: bool = True
    last_number: int = 1000
    _last_change: datetime | None = None

    def _tick(self, now: datetime) -> datetime:
        # Xero's times have milliseconds and two changes of one organisation never share one here.
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        if self._last_change is not None and now <= self._last_change:
            now = self._last_change + timedelta(milliseconds=1)
        self._last_change = now
        return now

    def forget_last_change(self) -> None:
        """Let the next change bear an earlier time than the last; for entering the past."""
        self._last_change = None

    def invoice(self, invoice_id: str) -> Record:
        """The invoice of this id. Raises ``BookkeepingError`` where there is none."""
        if invoice_id not in self.invoices:
            raise BookkeepingError(f"no invoice {invoice_id}")
        return self.invoices[invoice_id]

    def contact(self, contact_id: str) -> Record:
        """The contact of this id. Raises ``BookkeepingError`` where there is none."""
        if contact_id not in self.contacts:
            raise BookkeepingError(f"no contact {contact_id}")
        return self.contacts[contact_id]

    def next_number(self) -> str:
        """The next invoice number of this organisation."""
        self.last_number += 1
        return f"INV-{self.last_number}"

    def add_invoice(self, make: Callable[[datetime], Record], now: datetime) -> Change:
        """Enter a new invoice, made by ``make`` at the moment it is given."""
        at = self._tick(now)
        record = make(at)
        invoice_id = text_of(record, "InvoiceID")
        self.invoices[invoice_id] = record
        return Change(self.tenant_id, "INVOICE", "CREATE", invoice_id, at)

    def approve(self, invoice_id: str, now: datetime) -> Change:
        """A draft becomes authorised; to Xero that is an update, not a creation."""
        record = self._in_state(invoice_id, "DRAFT", "SUBMITTED")
        return self._save(record | {"Status": "AUTHORISED"}, now)

    def edit(
        self, invoice_id: str, now: datetime, *, reference: str | None = None, due_on: date | None = None
    ) -> Change | None:
        """Change the reference or the due date; ``None`` where Xero would tell nobody of it."""
        record = self._in_state(invoice_id, "DRAFT", "SUBMITTED", "AUTHORISED")
        changed: Record = {} if reference is None else {"Reference": reference}
        if due_on is not None:
            changed |= {"DueDateString": calendar_string(due_on), "DueDate": calendar_ms(due_on)}
        # "requests-and-responses" of developer.xero.com: a due date moved on a part-paid document does not
        # touch UpdatedDateUTC, so neither a filter by date nor an event can be relied on to show it.
        if amount_of(record, "AmountPaid") and reference is None:
            self.invoices[invoice_id] = record | changed
            return None
        return self._save(record | changed, now)

    def promise(self, invoice_id: str, expected_on: date, now: datetime) -> Change:
        """The customer promised to pay on that day."""
        record = self._in_state(invoice_id, "AUTHORISED")
        return self._save(record | {"ExpectedPaymentDate": calendar_ms(expected_on)}, now)

    def pay(
        self, invoice_id: str, amount: Decimal | None, paid_on: date, now: datetime, reference: str = ""
    ) -> tuple[Change, str]:
        """Take ``amount`` (all that is due where ``None``); returns the change and the payment's id."""
        record = self._in_state(invoice_id, "AUTHORISED")
        due = amount_of(record, "AmountDue")
        amount = due if amount is None else money(amount)
        if not Decimal(0) < amount <= due:
            raise BookkeepingError(f"invoice {invoice_id} cannot take that amount")
        payment = new_payment(amount, paid_on, reference)
        payments: list[Json] = [*records_of(record["Payments"]), payment]
        return self._settle(record | {"Payments": payments}, now), text_of(payment, "PaymentID")

    def remove_payment(self, invoice_id: str, payment_id: str, now: datetime) -> Change:
        """Take a payment back; a paid invoice is open again."""
        record = self._in_state(invoice_id, "AUTHORISED", "PAID")
        kept = [p for p in records_of(record["Payments"]) if text_of(p, "PaymentID") != payment_id]
        if len(kept) == len(records_of(record["Payments"])):
            raise BookkeepingError(f"invoice {invoice_id} has no payment {payment_id}")
        return self._settle(record | {"Payments": kept}, now)

    def credit(self, invoice_id: str, amount: Decimal, now: datetime) -> Change:
        """Allocate a credit note: less is due, and nothing was paid."""
        record = self._in_state(invoice_id, "AUTHORISED")
        if not Decimal(0) < amount <= amount_of(record, "AmountDue"):
            raise BookkeepingError(f"invoice {invoice_id} cannot take that credit")
        credited = money(amount_of(record, "AmountCredited") + amount)
        return self._settle(record | {"AmountCredited": credited}, now)

    def void(self, invoice_id: str, now: datetime) -> Change:
        """Void an authorised invoice that has no payment; its amount due becomes zero."""
        record = self._in_state(invoice_id, "AUTHORISED")
        if amount_of(record, "AmountPaid"):
            raise BookkeepingError(f"invoice {invoice_id} has payments and cannot be voided")
        return self._save(record | {"Status": "VOIDED", "AmountDue": money(Decimal(0))}, now)

    def set_phone(self, contact_id: str, kind: str, parts: tuple[str, str, str], now: datetime) -> Change:
        """Type country code, area code and number into one of a contact's four phones."""
        if kind not in PHONE_TYPES:
            raise BookkeepingError(f"a contact has no phone {kind}")
        record = self.contact(contact_id)
        others = [p for p in records_of(record.get("Phones")) if text_of(p, "PhoneType") != kind]
        return self._save_contact(record | {"Phones": [*others, phone(kind, *parts)]}, now)

    def set_email(self, contact_id: str, email: str, now: datetime) -> Change:
        """Change a contact's email address."""
        return self._save_contact(self.contact(contact_id) | {"EmailAddress": email}, now)

    def archive(self, contact_id: str, now: datetime) -> Change:
        """Archive a contact; lists hide it from now on."""
        return self._save_contact(self.contact(contact_id) | {"ContactStatus": "ARCHIVED"}, now)

    def add_contact(self, contact_id: str, name: str, now: datetime, **known: Json) -> Change:
        """Enter a new contact."""
        at = self._tick(now)
        self.contacts[contact_id] = new_contact(contact_id, name, at, **known)
        return Change(self.tenant_id, "CONTACT", "CREATE", contact_id, at)

    def _in_state(self, invoice_id: str, *statuses: str) -> Record:
        record = self.invoice(invoice_id)
        if text_of(record, "Status") not in statuses:
            raise BookkeepingError(f"invoice {invoice_id} is {text_of(record, 'Status')}")
        return record

    def _settle(self, record: Record, now: datetime) -> Change:
        payments = records_of(record["Payments"])
        paid = sum((amount_of(p, "Amount") for p in payments), Decimal(0))
        due = amount_of(record, "Total") - paid - amount_of(record, "AmountCredited")
        changed = record | {"AmountPaid": money(paid), "AmountDue": money(due), "Status": "AUTHORISED"}
        changed.pop("FullyPaidOnDate", None)
        if not due:
            latest = max((read_ms_date(p["Date"]) for p in payments), default=now).date()
            changed |= {"Status": "PAID", "FullyPaidOnDate": calendar_ms(latest)}
        return self._save(changed, now)

    def _save(self, record: Record, now: datetime) -> Change:
        at = self._tick(now)
        invoice_id = text_of(record, "InvoiceID")
        self.invoices[invoice_id] = record | stamp(at)
        return Change(self.tenant_id, "INVOICE", "UPDATE", invoice_id, at)

    def _save_contact(self, record: Record, now: datetime) -> Change:
        at = self._tick(now)
        contact_id = text_of(record, "ContactID")
        self.contacts[contact_id] = record | {"UpdatedDateUTC": ms_date(at)}
        return Change(self.tenant_id, "CONTACT", "UPDATE", contact_id, at)


def load(books: Books, invoices: list[Record], contacts: list[Record], now: datetime) -> None:
    """Replace a tenant's books by records as Xero sent them.

    A contact that an invoice carries whole is kept and cut down to its stub there, because no list carries it
    whole; a contact that is only named becomes one without phones.
    """
    books.contacts = {text_of(record, "ContactID"): record for record in contacts}
    books.invoices = {}
    for record in invoices:
        carried = record_of(record.get("Contact"))
        contact_id = text_of(carried, "ContactID")
        whole = "ContactStatus" in carried
        if contact_id and contact_id not in books.contacts:
            books.contacts[contact_id] = (
                carried if whole else new_contact(contact_id, text_of(carried, "Name"), now)
            )
        books.invoices[text_of(record, "InvoiceID")] = (
            record | {"Contact": contact_stub(carried)} if whole else record
        )
