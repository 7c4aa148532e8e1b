"""Money that came in or went out: payments of invoices and bills, alone or in a batch, and their removal."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from deployments.sandbox.books import BookkeepingError, Books, Change
from deployments.sandbox.documents import rate_of, stamp
from deployments.sandbox.invoicing import portion, settled
from deployments.sandbox.payment_records import new_batch, new_payment, paid_on_of, payment_row, removed
from deployments.sandbox.wire import Json, Record, amount_of, record_of, records_of, text_of


def pay(
    books: Books, invoice_id: str, amount: Decimal | None, paid_on: date, now: datetime, reference: str = ""
) -> tuple[Change, str]:
    """Take ``amount`` (all that is due where ``None``); returns the change and the payment's id.

    The day may be in the future: Xero counts such a payment at once.
    """
    record = books.invoice(invoice_id, "AUTHORISED")
    taken = portion(record, amount)
    return _take(books, record, taken, paid_on, reference, books.tick(now))


def pay_batch(
    books: Books,
    portions: Sequence[tuple[str, Decimal | None]],
    paid_on: date,
    now: datetime,
    reference: str = "",
) -> tuple[list[Change], str]:
    """Take one deposit for several invoices, of one contact or of several; returns the batch's id too."""
    records = [(books.invoice(invoice_id, "AUTHORISED"), amount) for invoice_id, amount in portions]
    kinds = {text_of(record, "Type") for record, _ in records}
    if len(kinds) != 1 or len({invoice_id for invoice_id, _ in portions}) != len(portions):
        raise BookkeepingError("a batch pays several sales invoices, or several bills, each once")
    taken = [portion(record, amount) for record, amount in records]
    at = books.tick(now)
    batch = new_batch(taken, paid_on, stamp(at), is_bill=kinds == {"ACCPAY"})
    changes = [
        _take(books, record, amount, paid_on, reference, at, batch)[0]
        for (record, _), amount in zip(records, taken, strict=True)
    ]
    return changes, text_of(batch, "BatchPaymentID")


def remove(books: Books, invoice_id: str, payment_id: str, now: datetime) -> Change:
    """Take a payment of an invoice back; a paid invoice is open again, and the payment stays as removed."""
    row = books.payment(payment_id)
    if text_of(row, "Status") == "DELETED" or text_of(record_of(row["Invoice"]), "InvoiceID") != invoice_id:
        raise BookkeepingError(f"invoice {invoice_id} has no payment {payment_id}")
    record, at = books.invoice(invoice_id, "AUTHORISED", "PAID"), books.tick(now)
    kept: list[Json] = [
        p for p in records_of(record.get("Payments")) if text_of(p, "PaymentID") != payment_id
    ]
    books.save_payment(removed(row), at)
    return books.save_invoice(settled(record, {"Payments": kept}, at), at)


def enter_again(books: Books, payment_id: str, now: datetime) -> tuple[Change, str]:
    """Enter a removed payment anew, the same in all but its id, which is how Xero's users change one."""
    row = books.payment(payment_id)
    if text_of(row, "Status") != "DELETED":
        raise BookkeepingError(f"payment {payment_id} was not removed")
    invoice_id = text_of(record_of(row["Invoice"]), "InvoiceID")
    return pay(books, invoice_id, amount_of(row, "Amount"), paid_on_of(row), now, text_of(row, "Reference"))


def _take(
    books: Books,
    record: Record,
    amount: Decimal,
    paid_on: date,
    reference: str,
    at: datetime,
    batch: Record | None = None,
) -> tuple[Change, str]:
    rate = amount_of(record, "CurrencyRate") or rate_of(text_of(record, "CurrencyCode"))
    payment = new_payment(amount, paid_on, reference, rate)
    # A payment and its invoice bear the same time of change (getPayment of Xero-OpenAPI).
    books.save_payment(payment_row(payment, record, batch), at)
    payments: list[Json] = [*records_of(record.get("Payments")), payment]
    change = books.save_invoice(settled(record, {"Payments": payments}, at), at)
    return change, text_of(payment, "PaymentID")
