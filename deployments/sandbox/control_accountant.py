"""The accountant's part of the control client: the books as a whole, and invoices."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Unpack

from deployments.sandbox.control_client import ControlClient
from deployments.sandbox.control_records import InvoiceWords, NewInvoice
from deployments.sandbox.control_types import InvoiceSummary
from deployments.sandbox.credentials import TENANT_ID


class Accountant(ControlClient):
    """Does in the books what an accountant does; each change rings Xero's webhook where that is turned on."""

    def add_tenant(self, tenant_id: str, name: str) -> None:
        """Connect a further organisation with empty books."""
        self._do("add_tenant", tenant_id=tenant_id, name=name)

    def disconnect(self, tenant_id: str = TENANT_ID, *, connected: bool = False) -> None:
        """Disconnect an organisation from the app, or connect it again."""
        self._do("disconnect", tenant_id=tenant_id, connected=connected)

    def load_books(
        self, invoices: str, contacts: str = "[]", organisation: str = "", *, tenant_id: str = TENANT_ID
    ) -> int:
        """Serve the records of these JSON texts (a list, or a whole answer) as they are; returns how many."""
        return self._ask(
            "load_books",
            int,
            invoices=invoices,
            contacts=contacts,
            organisation=organisation,
            tenant_id=tenant_id,
        )

    def fill_books(self, invoices: int, *, seed: int = 0, tenant_id: str = TENANT_ID) -> int:
        """Enter so many approved invoices without a word, the same for the same seed; returns how many."""
        return self._ask("fill_books", int, invoices=invoices, seed=seed, tenant_id=tenant_id)

    def add_tracking(self, name: str, options: Sequence[str], tenant_id: str = TENANT_ID) -> None:
        """Track by a further category, or give one other options."""
        self._do("add_tracking", name=name, options=list(options), tenant_id=tenant_id)

    def add_theme(self, name: str, tenant_id: str = TENANT_ID) -> None:
        """Add a branding theme; "Standard" is there."""
        self._do("add_theme", name=name, tenant_id=tenant_id)

    def set_reminders(self, *, enabled: bool, tenant_id: str = TENANT_ID) -> None:
        """Turn Xero's own invoice reminders on or off."""
        self._do("set_reminders", enabled=enabled, tenant_id=tenant_id)

    def invoices(self, tenant_id: str = TENANT_ID) -> tuple[InvoiceSummary, ...]:
        """Every invoice and bill of a tenant."""
        return self._ask("invoices", tuple[InvoiceSummary, ...], tenant_id=tenant_id)

    def invoice(self, invoice_id: str, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """One invoice or bill."""
        return self._ask("invoice", InvoiceSummary, invoice_id=invoice_id, tenant_id=tenant_id)

    def add_invoice(
        self,
        contact_id: str,
        amount: Decimal | str,
        *,
        tenant_id: str = TENANT_ID,
        **words: Unpack[InvoiceWords],
    ) -> InvoiceSummary:
        """Enter an invoice over ``amount`` before tax; for the further words see ``NewInvoice``."""
        return self._ask(
            "add_invoice",
            InvoiceSummary,
            contact_id=contact_id,
            amount=str(amount),
            words=asdict(NewInvoice(**words)),
            tenant_id=tenant_id,
        )

    def submit(self, invoice_id: str, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Hand a draft in for approval."""
        return self._ask("submit", InvoiceSummary, invoice_id=invoice_id, tenant_id=tenant_id)

    def approve(self, invoice_id: str, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Approve a draft."""
        return self._ask("approve", InvoiceSummary, invoice_id=invoice_id, tenant_id=tenant_id)

    def edit(
        self,
        invoice_id: str,
        *,
        reference: str | None = None,
        due_on: date | None = None,
        amount: Decimal | str | None = None,
        tenant_id: str = TENANT_ID,
    ) -> InvoiceSummary:
        """Change an invoice's reference, its due date, or (with nothing paid) its amount before tax."""
        return self._ask(
            "edit",
            InvoiceSummary,
            invoice_id=invoice_id,
            reference=reference,
            due_on=due_on,
            amount=amount,
            tenant_id=tenant_id,
        )

    def promise(self, invoice_id: str, expected_on: date, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Note the day on which the customer promised to pay."""
        return self._ask(
            "promise", InvoiceSummary, invoice_id=invoice_id, expected_on=expected_on, tenant_id=tenant_id
        )

    def void(self, invoice_id: str, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Void an approved invoice that has no payment."""
        return self._ask("void", InvoiceSummary, invoice_id=invoice_id, tenant_id=tenant_id)

    def mark_sent(self, invoice_id: str, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Mark an approved invoice as sent."""
        return self._ask("mark_sent", InvoiceSummary, invoice_id=invoice_id, tenant_id=tenant_id)

    def delete_draft(self, invoice_id: str, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Delete an invoice that was never approved."""
        return self._ask("delete_draft", InvoiceSummary, invoice_id=invoice_id, tenant_id=tenant_id)

    def notes(self, invoice_id: str, tenant_id: str = TENANT_ID) -> tuple[str, ...]:
        """The history notes that were written to an invoice, oldest first."""
        return self._ask("notes", tuple[str, ...], invoice_id=invoice_id, tenant_id=tenant_id)
