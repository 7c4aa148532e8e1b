"""What an accountant does to one invoice or bill."""

from datetime import date, datetime
from decimal import Decimal

from deployments.sandbox.books import BookkeepingError, Books, Change
from deployments.sandbox.documents import Draft, Line, new_invoice, priced_lines
from deployments.sandbox.wire import (
    Json,
    Record,
    amount_of,
    calendar_ms,
    calendar_string,
    money,
    read_ms_date,
    records_of,
    text_of,
)

UNAPPROVED = ("DRAFT", "SUBMITTED")
CREDIT_LISTS = ("CreditNotes", "Prepayments", "Overpayments")


def enter(books: Books, draft: Draft, now: datetime) -> Change:
    """Enter a new invoice in whatever state the draft has; a repeating one may be born approved."""
    at = books.tick(now)
    return books.save_invoice(new_invoice(draft, at), at, created=True)


def submit(books: Books, invoice_id: str, now: datetime) -> Change:
    """Hand a draft in for approval."""
    record = books.invoice(invoice_id, "DRAFT")
    return books.save_invoice(record | {"Status": "SUBMITTED"}, books.tick(now))


def approve(books: Books, invoice_id: str, now: datetime) -> Change:
    """A draft becomes authorised; to Xero that is an update, not a creation."""
    record = books.invoice(invoice_id, *UNAPPROVED)
    return books.save_invoice(record | {"Status": "AUTHORISED"}, books.tick(now))


def delete(books: Books, invoice_id: str, now: datetime) -> Change:
    """Delete what was never approved; lists still hold it."""
    record = books.invoice(invoice_id, *UNAPPROVED)
    return books.save_invoice(record | {"Status": "DELETED"}, books.tick(now))


def edit(
    books: Books,
    invoice_id: str,
    now: datetime,
    *,
    reference: str | None = None,
    due_on: date | None = None,
    amount: Decimal | None = None,
) -> Change | None:
    """Change the reference, the due date, or (with nothing paid) the amount before tax.

    ``None`` where Xero would tell nobody of it.
    """
    record = books.invoice(invoice_id, *UNAPPROVED, "AUTHORISED")
    changed: Record = {} if reference is None else {"Reference": reference}
    if due_on is not None:
        changed |= {"DueDateString": calendar_string(due_on), "DueDate": calendar_ms(due_on)}
    if amount is not None:
        changed |= _repriced(record, amount)
    return _save_visibly(books, record, changed, now, hidden=reference is None and amount is None)


def _repriced(record: Record, amount: Decimal) -> Record:
    if _settled_by_anything(record):
        raise BookkeepingError(
            f"invoice {text_of(record, 'InvoiceID')} is partly settled and keeps its amount"
        )
    rows = records_of(record.get("LineItems"))
    described = text_of(rows[0], "Description") if rows else ""
    tracked = records_of(rows[0].get("Tracking")) if rows else []
    line = Line(described, Decimal(1), amount, tracked)
    is_bill = text_of(record, "Type") == "ACCPAY"
    priced = priced_lines((line,), text_of(record, "CurrencyCode"), is_bill=is_bill)
    return priced | {"AmountDue": priced["Total"]}


def mark_sent(books: Books, invoice_id: str, now: datetime) -> Change | None:
    """Mark an approved invoice as sent; ``None`` where Xero would tell nobody of it."""
    record = books.invoice(invoice_id, "AUTHORISED", "PAID")
    return _save_visibly(books, record, {"SentToContact": True}, now, hidden=True)


def _save_visibly(
    books: Books, record: Record, changed: Record, now: datetime, *, hidden: bool
) -> Change | None:
    # "requests-and-responses" of developer.xero.com: a due date moved, or a document sent, does not touch
    # UpdatedDateUTC once the document is part-paid, so neither a filter by date nor an event shows it.
    if hidden and amount_of(record, "AmountPaid"):
        books.keep_invoice(record | changed)
        return None
    return books.save_invoice(record | changed, books.tick(now))


def promise(books: Books, invoice_id: str, expected_on: date, now: datetime) -> Change:
    """The customer promised to pay on that day."""
    record = books.invoice(invoice_id, "AUTHORISED")
    return books.save_invoice(record | {"ExpectedPaymentDate": calendar_ms(expected_on)}, books.tick(now))


def void(books: Books, invoice_id: str, now: datetime) -> Change:
    """Void an authorised invoice that has no payment and no credit; its amount due becomes zero."""
    record = books.invoice(invoice_id, "AUTHORISED")
    if _settled_by_anything(record):
        raise BookkeepingError(f"invoice {invoice_id} has payments or credits and cannot be voided")
    return books.save_invoice(record | {"Status": "VOIDED", "AmountDue": money(Decimal(0))}, books.tick(now))


def _settled_by_anything(record: Record) -> bool:
    return bool(amount_of(record, "AmountPaid") or amount_of(record, "AmountCredited"))


def portion(record: Record, amount: Decimal | None) -> Decimal:
    """How much of what is due an amount takes, all of it where ``None``. Raises ``BookkeepingError``."""
    due = amount_of(record, "AmountDue")
    taken = due if amount is None else money(amount)
    if not Decimal(0) < taken <= due:
        raise BookkeepingError(f"invoice {text_of(record, 'InvoiceID')} cannot take that amount")
    return taken


def settled(record: Record, changed: Record, now: datetime) -> Record:
    """An invoice after its payments or credits changed: what is due, and whether it is paid."""
    record = record | changed
    payments = records_of(record.get("Payments"))
    paid = sum((amount_of(payment, "Amount") for payment in payments), Decimal(0))
    due = amount_of(record, "Total") - paid - amount_of(record, "AmountCredited")
    record |= {"AmountPaid": money(paid), "AmountDue": money(due), "Status": "AUTHORISED"}
    record.pop("FullyPaidOnDate", None)
    if not due:
        dates: list[Json] = [row["Date"] for row in _settlements(record)]
        latest = max((read_ms_date(value) for value in dates), default=now).date()
        record |= {"Status": "PAID", "FullyPaidOnDate": calendar_ms(latest)}
    return record


def _settlements(record: Record) -> list[Record]:
    return [row for name in ("Payments", *CREDIT_LISTS) for row in records_of(record.get(name))]
