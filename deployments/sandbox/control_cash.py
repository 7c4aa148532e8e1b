"""The accountant's verbs about money: payments, batches, credit notes, pre- and overpayments, refunds."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from deployments.sandbox import cashbook, crediting
from deployments.sandbox.control_records import CreditSummary, MoneySummary
from deployments.sandbox.control_types import InvoiceSummary
from deployments.sandbox.control_verbs import TenantVerbs
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.crediting import Given
from deployments.sandbox.documents import HOME_CURRENCY
from deployments.sandbox.summaries import credit_summary, invoice_summary, money_summary
from deployments.sandbox.wire import record_of, text_of


class CashVerbs(TenantVerbs):
    """What an accountant does with money that comes in, goes back, or is given credit for."""

    def verbs(self) -> dict[str, Callable[..., object]]:
        """The verbs by name."""
        return {
            "payments": self.payments,
            "credits": self.credits,
            "pay": self.pay,
            "pay_batch": self.pay_batch,
            "remove_payment": self.remove_payment,
            "enter_payment_again": self.enter_payment_again,
            "add_credit": self.add_credit,
            "credit": self.credit,
            "allocate": self.allocate,
            "take_back": self.take_back,
            "refund": self.refund,
        }

    def payments(self, *, tenant_id: str = TENANT_ID) -> list[MoneySummary]:
        """Every payment and refund, removed ones too, in the order in which they were entered."""
        return [money_summary(row) for row in self.books(tenant_id).payments.values()]

    def credits(self, *, tenant_id: str = TENANT_ID) -> list[CreditSummary]:
        """Every credit note, prepayment and overpayment."""
        return [credit_summary(record) for record in self.books(tenant_id).credits.values()]

    def pay(
        self,
        invoice_id: str,
        *,
        amount: Decimal | None = None,
        paid_on: date | None = None,
        reference: str = "",
        tenant_id: str = TENANT_ID,
    ) -> InvoiceSummary:
        """Take a payment of all that is due, or of ``amount``; the day may be in the future."""
        books = self.books(tenant_id)
        change, _ = cashbook.pay(books, invoice_id, amount, paid_on or self.today, self.now, reference)
        self.ring([change])
        return invoice_summary(books.invoice(invoice_id))

    def pay_batch(
        self,
        portions: list[tuple[str, Decimal | None]],
        *,
        paid_on: date | None = None,
        reference: str = "",
        tenant_id: str = TENANT_ID,
    ) -> str:
        """Take one deposit for several invoices; returns the id of the batch."""
        books = self.books(tenant_id)
        changes, batch_id = cashbook.pay_batch(books, portions, paid_on or self.today, self.now, reference)
        self.ring(changes)
        return batch_id

    def remove_payment(
        self, invoice_id: str, payment_id: str, *, tenant_id: str = TENANT_ID
    ) -> InvoiceSummary:
        """Take a payment back."""
        books = self.books(tenant_id)
        self.ring([cashbook.remove(books, invoice_id, payment_id, self.now)])
        return invoice_summary(books.invoice(invoice_id))

    def enter_payment_again(self, payment_id: str, *, tenant_id: str = TENANT_ID) -> MoneySummary:
        """Enter a removed payment anew; it has a new id."""
        books = self.books(tenant_id)
        change, again = cashbook.enter_again(books, payment_id, self.now)
        self.ring([change])
        return money_summary(books.payment(again))

    def add_credit(
        self,
        category: str,
        contact_id: str,
        amount: Decimal,
        *,
        on: date | None = None,
        currency: str = "",
        reference: str = "",
        is_bill: bool = False,
        tenant_id: str = TENANT_ID,
    ) -> CreditSummary:
        """Give a credit note (``CREDITNOTE``), or receive a ``PREPAYMENT`` or an ``OVERPAYMENT``."""
        books = self.books(tenant_id)
        money = currency or text_of(books.contact(contact_id), "DefaultCurrency") or HOME_CURRENCY
        given = Given(category, contact_id, amount, on or self.today, money, reference, is_bill)
        change, credit_id = crediting.give(books, given, self.now)
        self.ring([change])
        return credit_summary(books.credit(credit_id))

    def credit(self, invoice_id: str, amount: Decimal, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Give a credit note and allocate it to the invoice."""
        books = self.books(tenant_id)
        record = books.invoice(invoice_id, "AUTHORISED")
        given = self.add_credit(
            "CREDITNOTE",
            text_of(record_of(record["Contact"]), "ContactID"),
            amount,
            currency=text_of(record, "CurrencyCode"),
            is_bill=text_of(record, "Type") == "ACCPAY",
            tenant_id=tenant_id,
        )
        return self.allocate(given.credit_id, invoice_id, amount=amount, tenant_id=tenant_id)

    def allocate(
        self,
        credit_id: str,
        invoice_id: str,
        *,
        amount: Decimal | None = None,
        on: date | None = None,
        tenant_id: str = TENANT_ID,
    ) -> InvoiceSummary:
        """Set a credit, or ``amount`` of it, against an invoice: less is due, nothing was paid."""
        books = self.books(tenant_id)
        self.ring(crediting.allocate(books, credit_id, invoice_id, amount, on or self.today, self.now))
        return invoice_summary(books.invoice(invoice_id))

    def take_back(self, credit_id: str, invoice_id: str, *, tenant_id: str = TENANT_ID) -> InvoiceSummary:
        """Undo what was allocated."""
        books = self.books(tenant_id)
        self.ring(crediting.take_back(books, credit_id, invoice_id, self.now))
        return invoice_summary(books.invoice(invoice_id))

    def refund(
        self,
        credit_id: str,
        *,
        amount: Decimal | None = None,
        paid_on: date | None = None,
        reference: str = "",
        tenant_id: str = TENANT_ID,
    ) -> MoneySummary:
        """Pay a credit back, or ``amount`` of it."""
        books, day = self.books(tenant_id), paid_on or self.today
        change, payment_id = crediting.refund(books, credit_id, amount, day, self.now, reference)
        self.ring([change])
        return money_summary(books.payment(payment_id))
