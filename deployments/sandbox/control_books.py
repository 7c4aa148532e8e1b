"""The accountant's verbs of the control surface."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from deployments.sandbox.books import BookkeepingError, Books, Change, load
from deployments.sandbox.company import HOME_ZONE, empty_books
from deployments.sandbox.control_types import ContactSummary, InvoiceSummary
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.documents import PHONE_TYPES, Draft, Line, address, new_invoice, phone
from deployments.sandbox.parts import Parts
from deployments.sandbox.summaries import contact_summary, invoice_summary, rows_of
from deployments.sandbox.wire import Json, text_of


@dataclass
class BookVerbs:
    """Each verb changes one tenant's books, rings about it, and answers the record as it is then."""

    parts: Parts

    def verbs(self) -> dict[str, Callable[..., object]]:
        """The verbs by name."""
        return {
            "add_tenant": self.add_tenant,
            "disconnect": self.disconnect,
            "load_books": self.load_books,
            "invoices": self.invoices,
            "contacts": self.contacts,
            "add_invoice": self.add_invoice,
            "approve": self.approve,
            "edit": self.edit,
            "promise": self.promise,
            "pay": self.pay,
            "remove_payment": self.remove_payment,
            "credit": self.credit,
            "void": self.void,
            "add_contact": self.add_contact,
            "set_phone": self.set_phone,
            "set_email": self.set_email,
            "archive_contact": self.archive_contact,
        }

    def add_tenant(self, tenant_id: str, name: str) -> None:
        """Connect a further organisation, with nothing in its books."""
        self.parts.tenants[tenant_id] = empty_books(tenant_id, name, self.parts.conditions.now())

    def disconnect(self, *, tenant_id: str = TENANT_ID, connected: bool = False) -> None:
        """The organisation disconnects the app (or connects it again)."""
        self._books(tenant_id).connected = connected

    def load_books(
        self, invoices: str, contacts: str = "[]", organisation: str = "", *, tenant_id: str = TENANT_ID
    ) -> int:
        """Serve the records of these JSON texts (a list, or a whole answer) in place of what there was."""
        books = self._books(tenant_id)
        load(books, rows_of(invoices, "Invoices"), rows_of(contacts, "Contacts"), self.parts.conditions.now())
        if organisation:
            books.organisation = (rows_of(organisation, "Organisations") or [books.organisation])[0]
        return len(books.invoices)

    def invoices(self, *, tenant_id: str = TENANT_ID) -> list[InvoiceSummary]:
        """Every invoice and bill."""
        return [invoice_summary(record) for record in self._books(tenant_id).invoices.values()]

    def contacts(self, *, tenant_id: str = TENANT_ID) -> list[ContactSummary]:
        """Every contact, archived ones too."""
        return [contact_summary(record) for record in self._books(tenant_id).contacts.values()]

    def add_invoice(
        self,
        contact_id: str,
        amount: Decimal,
        *,
        approved: bool = True,
        is_bill: bool = False,
        reference: str = "",
        number: str = "",
        issued_on: date | None = None,
        due_on: date | None = None,
        currency: str = "",
        tenant_id: str = TENANT_ID,
    ) -> InvoiceSummary:
        """Enter an invoice over ``amount`` before tax, as a draft or born approved."""
        books, now = self._books(tenant_id), self.parts.conditions.now()
        contact = books.contact(contact_id)
        issued_on = issued_on or now.astimezone(HOME_ZONE).date()
        draft = Draft(
            number=number or books.next_number(),
            contact=contact,
            issued_on=issued_on,
            due_on=due_on or issued_on + timedelta(days=20),
            lines=(Line("Bakery supplies", Decimal(1), amount),),
            currency=currency or text_of(contact, "DefaultCurrency") or "NZD",
            is_bill=is_bill,
            reference=reference,
            status="AUTHORISED" if approved else "DRAFT",
        )
        return self._rung(books, books.add_invoice(lambda at: new_invoice(draft, at), now))

    def approve(self, invoice_id: str, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Approve a draft."""
        books = self._books(tenant_id)
        return self._rung(books, books.approve(invoice_id, self.parts.conditions.now()))

    def edit(
        self,
        invoice_id: str,
        *,
        reference: str | None = None,
        due_on: date | None = None,
        tenant_id: str = TENANT_ID,
    ) -> InvoiceSummary:
        """Change reference or due date."""
        books = self._books(tenant_id)
        change = books.edit(invoice_id, self.parts.conditions.now(), reference=reference, due_on=due_on)
        self.parts.changed(change)
        return invoice_summary(books.invoice(invoice_id))

    def promise(self, invoice_id: str, expected_on: date, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Note the day on which the customer promised to pay."""
        books = self._books(tenant_id)
        return self._rung(books, books.promise(invoice_id, expected_on, self.parts.conditions.now()))

    def pay(
        self,
        invoice_id: str,
        *,
        amount: Decimal | None = None,
        paid_on: date | None = None,
        reference: str = "",
        tenant_id: str = TENANT_ID,
    ) -> InvoiceSummary:
        """Take a payment of all that is due, or of ``amount``."""
        books, now = self._books(tenant_id), self.parts.conditions.now()
        day = paid_on or now.astimezone(HOME_ZONE).date()
        change, _ = books.pay(invoice_id, amount, day, now, reference)
        return self._rung(books, change)

    def remove_payment(
        self, invoice_id: str, payment_id: str, *, tenant_id: str = TENANT_ID
    ) -> InvoiceSummary:
        """Take a payment back."""
        books = self._books(tenant_id)
        return self._rung(books, books.remove_payment(invoice_id, payment_id, self.parts.conditions.now()))

    def credit(self, invoice_id: str, amount: Decimal, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Allocate a credit note."""
        books = self._books(tenant_id)
        return self._rung(books, books.credit(invoice_id, amount, self.parts.conditions.now()))

    def void(self, invoice_id: str, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Void an unpaid, approved invoice."""
        books = self._books(tenant_id)
        return self._rung(books, books.void(invoice_id, self.parts.conditions.now()))

    def add_contact(
        self,
        name: str,
        *,
        mobile: tuple[str, str, str] = ("", "", ""),
        email: str = "",
        country: str = "",
        currency: str = "NZD",
        tenant_id: str = TENANT_ID,
    ) -> ContactSummary:
        """Enter a contact; ``mobile`` is country code, area code and number as typed."""
        books, contact_id = self._books(tenant_id), str(uuid.uuid4())
        phones: list[Json] = [phone(kind, *(mobile if kind == "MOBILE" else ())) for kind in PHONE_TYPES]
        change = books.add_contact(
            contact_id,
            name,
            self.parts.conditions.now(),
            EmailAddress=email,
            Phones=phones,
            DefaultCurrency=currency,
            Addresses=[address("STREET", "", ""), address("POBOX", "", country)],
        )
        return self._rung_contact(books, change)

    def set_phone(
        self,
        contact_id: str,
        number: str,
        *,
        country: str = "",
        area: str = "",
        kind: str = "MOBILE",
        tenant_id: str = TENANT_ID,
    ) -> ContactSummary:
        """Type a number into one of a contact's phones."""
        books, now = self._books(tenant_id), self.parts.conditions.now()
        return self._rung_contact(books, books.set_phone(contact_id, kind, (country, area, number), now))

    def set_email(self, contact_id: str, email: str, *, tenant_id: str = TENANT_ID) -> ContactSummary:
        """Change a contact's email address."""
        books = self._books(tenant_id)
        return self._rung_contact(books, books.set_email(contact_id, email, self.parts.conditions.now()))

    def archive_contact(self, contact_id: str, *, tenant_id: str = TENANT_ID) -> ContactSummary:
        """Archive a contact."""
        books = self._books(tenant_id)
        return self._rung_contact(books, books.archive(contact_id, self.parts.conditions.now()))

    def _books(self, tenant_id: str) -> Books:
        if tenant_id not in self.parts.tenants:
            raise BookkeepingError(f"no tenant {tenant_id}")
        return self.parts.tenants[tenant_id]

    def _rung(self, books: Books, change: Change) -> InvoiceSummary:
        self.parts.changed(change)
        return invoice_summary(books.invoice(change.resource_id))

    def _rung_contact(self, books: Books, change: Change) -> ContactSummary:
        self.parts.changed(change)
        return contact_summary(books.contact(change.resource_id))
