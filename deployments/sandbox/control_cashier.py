"""The cashier's part of the control client: payments, credits and refunds."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from deployments.sandbox.control_client import ControlClient
from deployments.sandbox.control_records import CreditSummary, MoneySummary
from deployments.sandbox.control_types import InvoiceSummary
from deployments.sandbox.credentials import TENANT_ID


class Cashier(ControlClient):
    """Does with money what an accountant does; Xero rings of invoices and credits, never of a payment."""

    def payments(self, tenant_id: str = TENANT_ID) -> tuple[MoneySummary, ...]:
        """Every payment and refund, removed ones too, in the order in which they were entered."""
        return self._ask("payments", tuple[MoneySummary, ...], tenant_id=tenant_id)

    def credits(self, tenant_id: str = TENANT_ID) -> tuple[CreditSummary, ...]:
        """Every credit note, prepayment and overpayment."""
        return self._ask("credits", tuple[CreditSummary, ...], tenant_id=tenant_id)

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

    def pay_batch(
        self,
        portions: Sequence[tuple[str, Decimal | str | None]],
        *,
        paid_on: date | None = None,
        reference: str = "",
        tenant_id: str = TENANT_ID,
    ) -> str:
        """Take one deposit for several invoices, all that is due of each or an amount; returns its id."""
        return self._ask(
            "pay_batch",
            str,
            portions=list(portions),
            paid_on=paid_on,
            reference=reference,
            tenant_id=tenant_id,
        )

    def enter_payment_again(self, payment_id: str, tenant_id: str = TENANT_ID) -> MoneySummary:
        """Enter a removed payment anew; it has a new id."""
        return self._ask("enter_payment_again", MoneySummary, payment_id=payment_id, tenant_id=tenant_id)

    def add_credit(
        self,
        category: str,
        contact_id: str,
        amount: Decimal | str,
        *,
        on: date | None = None,
        currency: str = "",
        reference: str = "",
        is_bill: bool = False,
        tenant_id: str = TENANT_ID,
    ) -> CreditSummary:
        """Give a credit note (``CREDITNOTE``), or receive a ``PREPAYMENT`` or ``OVERPAYMENT``, with tax."""
        return self._ask(
            "add_credit",
            CreditSummary,
            category=category,
            contact_id=contact_id,
            amount=amount,
            on=on,
            currency=currency,
            reference=reference,
            is_bill=is_bill,
            tenant_id=tenant_id,
        )

    def allocate(
        self,
        credit_id: str,
        invoice_id: str,
        amount: Decimal | str | None = None,
        *,
        on: date | None = None,
        tenant_id: str = TENANT_ID,
    ) -> InvoiceSummary:
        """Set a credit (all that fits, or ``amount``) against an invoice: less is due, nothing was paid."""
        return self._ask(
            "allocate",
            InvoiceSummary,
            credit_id=credit_id,
            invoice_id=invoice_id,
            amount=amount,
            on=on,
            tenant_id=tenant_id,
        )

    def take_back(self, credit_id: str, invoice_id: str, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Undo what was allocated of a credit to an invoice."""
        return self._ask(
            "take_back", InvoiceSummary, credit_id=credit_id, invoice_id=invoice_id, tenant_id=tenant_id
        )

    def refund(
        self,
        credit_id: str,
        amount: Decimal | str | None = None,
        *,
        paid_on: date | None = None,
        reference: str = "",
        tenant_id: str = TENANT_ID,
    ) -> MoneySummary:
        """Pay back what remains of a credit, or ``amount`` of it."""
        return self._ask(
            "refund",
            MoneySummary,
            credit_id=credit_id,
            amount=amount,
            paid_on=paid_on,
            reference=reference,
            tenant_id=tenant_id,
        )
