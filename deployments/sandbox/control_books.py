"""The accountant's verbs about invoices and the books as a whole."""

import uuid
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal

from deployments.sandbox import invoicing
from deployments.sandbox.books import BookkeepingError, Books, Change
from deployments.sandbox.company import branding_theme, empty_books, theme_id_of, tracking_category
from deployments.sandbox.control_records import NewInvoice
from deployments.sandbox.control_types import InvoiceSummary
from deployments.sandbox.control_verbs import TenantVerbs
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.documents import HOME_CURRENCY, Draft, Line
from deployments.sandbox.filling import fill
from deployments.sandbox.loading import load
from deployments.sandbox.summaries import invoice_summary, rows_of
from deployments.sandbox.wire import Record, records_of, text_of

MOST_TRACKED = 2  # by how many categories Xero tracks one line


class BookVerbs(TenantVerbs):
    """What an accountant does to invoices and bills, and what makes or fills books."""

    def verbs(self) -> dict[str, Callable[..., object]]:
        """The verbs by name."""
        return {
            "add_tenant": self.add_tenant,
            "disconnect": self.disconnect,
            "load_books": self.load_books,
            "fill_books": self.fill_books,
            "add_tracking": self.add_tracking,
            "add_theme": self.add_theme,
            "set_reminders": self.set_reminders,
            "invoices": self.invoices,
            "invoice": self.invoice,
            "add_invoice": self.add_invoice,
            "submit": self.submit,
            "approve": self.approve,
            "delete_draft": self.delete_draft,
            "edit": self.edit,
            "promise": self.promise,
            "mark_sent": self.mark_sent,
            "void": self.void,
            "notes": self.notes,
        }

    def add_tenant(self, tenant_id: str, name: str) -> None:
        """Connect a further organisation, with nothing in its books."""
        self.parts.tenants[tenant_id] = empty_books(tenant_id, name, self.now)

    def disconnect(self, *, tenant_id: str = TENANT_ID, connected: bool = False) -> None:
        """The organisation disconnects the app (or connects it again)."""
        self.books(tenant_id).connected = connected

    def load_books(
        self, invoices: str, contacts: str = "[]", organisation: str = "", *, tenant_id: str = TENANT_ID
    ) -> int:
        """Serve the records of these JSON texts (a list, or a whole answer) in place of what there was."""
        books = self.books(tenant_id)
        load(books, rows_of(invoices, "Invoices"), rows_of(contacts, "Contacts"), self.now)
        if organisation:
            books.organisation = (rows_of(organisation, "Organisations") or [books.organisation])[0]
        return len(books.invoices)

    def fill_books(self, invoices: int, *, seed: int = 0, tenant_id: str = TENANT_ID) -> int:
        """Enter so many approved invoices without a word, the same for the same seed; returns how many."""
        books = self.books(tenant_id)
        fill(books, invoices, seed, self.now)
        return len(books.invoices)

    def add_tracking(self, name: str, options: list[str], *, tenant_id: str = TENANT_ID) -> None:
        """Track by a further category, or give one other options."""
        category = tracking_category(name, options)
        self.books(tenant_id).tracking[text_of(category, "TrackingCategoryID")] = category

    def add_theme(self, name: str, *, tenant_id: str = TENANT_ID) -> None:
        """Add a branding theme."""
        self.books(tenant_id).themes[theme_id_of(name)] = branding_theme(name, self.now)

    def set_reminders(self, *, enabled: bool, tenant_id: str = TENANT_ID) -> None:
        """Turn Xero's own invoice reminders on or off."""
        self.books(tenant_id).reminders = enabled

    def invoices(self, *, tenant_id: str = TENANT_ID) -> list[InvoiceSummary]:
        """Every invoice and bill."""
        return [invoice_summary(record) for record in self.books(tenant_id).invoices.values()]

    def invoice(self, invoice_id: str, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """One invoice or bill."""
        return invoice_summary(self.books(tenant_id).invoice(invoice_id))

    def add_invoice(
        self, contact_id: str, amount: Decimal, words: NewInvoice, *, tenant_id: str = TENANT_ID
    ) -> InvoiceSummary:
        """Enter an invoice over ``amount`` before tax."""
        books = self.books(tenant_id)
        contact, issued_on = books.contact(contact_id), words.issued_on or self.today
        line = Line("Bakery supplies", Decimal(1), amount, _tracked(books, words.tracking))
        draft = Draft(
            number=words.number or books.next_number(),
            contact=contact,
            issued_on=issued_on,
            due_on=words.due_on or issued_on + timedelta(days=20),
            lines=(line,),
            currency=words.currency or text_of(contact, "DefaultCurrency") or HOME_CURRENCY,
            is_bill=words.is_bill,
            reference=words.reference,
            status=words.status,
            rate=words.rate,
            theme_id=_theme(books, words.theme),
            repeating_id=str(uuid.uuid4()) if words.repeating else "",
            sent=words.sent,
        )
        return self._rung(books, invoicing.enter(books, draft, self.now))

    def submit(self, invoice_id: str, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Hand a draft in for approval."""
        books = self.books(tenant_id)
        return self._rung(books, invoicing.submit(books, invoice_id, self.now))

    def approve(self, invoice_id: str, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Approve a draft."""
        books = self.books(tenant_id)
        return self._rung(books, invoicing.approve(books, invoice_id, self.now))

    def delete_draft(self, invoice_id: str, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Delete what was never approved."""
        books = self.books(tenant_id)
        return self._rung(books, invoicing.delete(books, invoice_id, self.now))

    def edit(
        self,
        invoice_id: str,
        *,
        reference: str | None = None,
        due_on: date | None = None,
        amount: Decimal | None = None,
        tenant_id: str = TENANT_ID,
    ) -> InvoiceSummary:
        """Change reference, due date, or the amount before tax of what is unpaid."""
        books = self.books(tenant_id)
        change = invoicing.edit(
            books, invoice_id, self.now, reference=reference, due_on=due_on, amount=amount
        )
        return self._rung(books, change, invoice_id)

    def promise(self, invoice_id: str, expected_on: date, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Note the day on which the customer promised to pay."""
        books = self.books(tenant_id)
        return self._rung(books, invoicing.promise(books, invoice_id, expected_on, self.now))

    def mark_sent(self, invoice_id: str, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Mark an approved invoice as sent."""
        books = self.books(tenant_id)
        return self._rung(books, invoicing.mark_sent(books, invoice_id, self.now), invoice_id)

    def void(self, invoice_id: str, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Void an unpaid, approved invoice."""
        books = self.books(tenant_id)
        return self._rung(books, invoicing.void(books, invoice_id, self.now))

    def notes(self, invoice_id: str, *, tenant_id: str = TENANT_ID) -> list[str]:
        """The history notes that were written to an invoice, oldest first."""
        return [text_of(row, "Details") for row in self.books(tenant_id).notes.get(invoice_id, [])]

    def _rung(self, books: Books, change: Change | None, invoice_id: str = "") -> InvoiceSummary:
        if change is not None:
            self.ring([change])
        return invoice_summary(books.invoice(change.resource_id if change else invoice_id))


def _theme(books: Books, name: str) -> str:
    if name and theme_id_of(name) not in books.themes:
        raise BookkeepingError(f"no branding theme {name}")
    return theme_id_of(name) if name else ""


def _tracked(books: Books, tracking: Sequence[tuple[str, str]]) -> list[Record]:
    options = {
        (text_of(category, "Name"), text_of(option, "Name")): category
        for category in books.tracking.values()
        for option in records_of(category["Options"])
    }
    if len(tracking) > MOST_TRACKED or not set(tracking) <= options.keys():
        raise BookkeepingError("a line is tracked by at most two categories, each with an option of its own")
    return [
        {
            "Name": name,
            "Option": option,
            "TrackingCategoryID": options[name, option]["TrackingCategoryID"],
            "Options": [],
        }
        for name, option in tracking
    ]
