"""The accountant's half of the control client."""

from datetime import date
from decimal import Decimal

from deployments.sandbox.control_client import ControlClient
from deployments.sandbox.control_types import ContactSummary, InvoiceSummary
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

    def invoices(self, tenant_id: str = TENANT_ID) -> tuple[InvoiceSummary, ...]:
        """Every invoice and bill of a tenant."""
        return self._ask("invoices", tuple[InvoiceSummary, ...], tenant_id=tenant_id)

    def contacts(self, tenant_id: str = TENANT_ID) -> tuple[ContactSummary, ...]:
        """Every contact of a tenant, archived ones too."""
        return self._ask("contacts", tuple[ContactSummary, ...], tenant_id=tenant_id)

    def add_invoice(
        self,
        contact_id: str,
        amount: Decimal | str,
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
        """Enter an invoice over ``amount`` before tax; by default approved and due 20 days after today."""
        return self._ask(
            "add_invoice",
            InvoiceSummary,
            contact_id=contact_id,
            amount=str(amount),
            approved=approved,
            is_bill=is_bill,
            reference=reference,
            number=number,
            issued_on=issued_on,
            due_on=due_on,
            currency=currency,
            tenant_id=tenant_id,
        )

    def approve(self, invoice_id: str, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Approve a draft."""
        return self._ask("approve", InvoiceSummary, invoice_id=invoice_id, tenant_id=tenant_id)

    def edit(
        self,
        invoice_id: str,
        *,
        reference: str | None = None,
        due_on: date | None = None,
        tenant_id: str = TENANT_ID,
    ) -> InvoiceSummary:
        """Change an invoice's reference or due date."""
        return self._ask(
            "edit",
            InvoiceSummary,
            invoice_id=invoice_id,
            reference=reference,
            due_on=due_on,
            tenant_id=tenant_id,
        )

    def promise(self, invoice_id: str, expected_on: date, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Note the day on which the customer promised to pay."""
        return self._ask(
            "promise", InvoiceSummary, invoice_id=invoice_id, expected_on=expected_on, tenant_id=tenant_id
        )

    def pay(
        self,
        invoice_id: str,
        amount: Decimal | str | None = None,
        *,
        paid_on: date | None = None,
        reference: str = "",
        tenant_id: str = TENANT_ID,
    ) -> InvoiceSummary:
        """Take a payment of all that is due, or of ``amount`` in the invoice's currency."""
        return self._ask(
            "pay",
            InvoiceSummary,
            invoice_id=invoice_id,
            amount=amount,
            paid_on=paid_on,
            reference=reference,
            tenant_id=tenant_id,
        )

    def remove_payment(self, invoice_id: str, payment_id: str, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Take a payment back."""
        return self._ask(
            "remove_payment",
            InvoiceSummary,
            invoice_id=invoice_id,
            payment_id=payment_id,
            tenant_id=tenant_id,
        )

    def credit(self, invoice_id: str, amount: Decimal | str, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Allocate a credit note: less is due, nothing was paid."""
        return self._ask("credit", InvoiceSummary, invoice_id=invoice_id, amount=amount, tenant_id=tenant_id)

    def void(self, invoice_id: str, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Void an approved invoice that has no payment."""
        return self._ask("void", InvoiceSummary, invoice_id=invoice_id, tenant_id=tenant_id)

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
        """Enter a contact; ``mobile`` is country code, area code and number, as typed."""
        return self._ask(
            "add_contact",
            ContactSummary,
            name=name,
            mobile=mobile,
            email=email,
            country=country,
            currency=currency,
            tenant_id=tenant_id,
        )

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
        """Type a number into one of a contact's four phones."""
        return self._ask(
            "set_phone",
            ContactSummary,
            contact_id=contact_id,
            number=number,
            country=country,
            area=area,
            kind=kind,
            tenant_id=tenant_id,
        )

    def set_email(self, contact_id: str, email: str, tenant_id: str = TENANT_ID) -> ContactSummary:
        """Change a contact's email address."""
        return self._ask("set_email", ContactSummary, contact_id=contact_id, email=email, tenant_id=tenant_id)

    def archive_contact(self, contact_id: str, tenant_id: str = TENANT_ID) -> ContactSummary:
        """Archive a contact."""
        return self._ask("archive_contact", ContactSummary, contact_id=contact_id, tenant_id=tenant_id)
