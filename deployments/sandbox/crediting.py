"""Credit notes, prepayments and overpayments: given or received, allocated to invoices, refunded.

An allocation is no payment: it never stands in ``/Payments``, and on the invoice only in ``AmountCredited``.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from deployments.sandbox.books import BookkeepingError, Books, Change
from deployments.sandbox.documents import contact_stub, rate_of
from deployments.sandbox.invoicing import portion, settled
from deployments.sandbox.payment_records import new_payment, payment_row
from deployments.sandbox.wire import (
    Json,
    Record,
    amount_of,
    calendar_ms,
    calendar_string,
    money,
    record_of,
    records_of,
    text_of,
)


@dataclass(frozen=True, slots=True)
class CreditKind:
    """One of the three: Xero's category and names, and its type on the customers' and the suppliers' side."""

    category: str
    noun: str
    types: tuple[str, str]
    prefix: str = ""

    @property
    def plural(self) -> str:
        """The name of the lists that hold them."""
        return f"{self.noun}s"

    @property
    def id_name(self) -> str:
        """The name of their id."""
        return f"{self.noun}ID"


KINDS = {
    kind.category: kind
    for kind in (
        CreditKind("CREDITNOTE", "CreditNote", ("ACCRECCREDIT", "ACCPAYCREDIT"), "CN"),
        CreditKind("PREPAYMENT", "Prepayment", ("RECEIVE-PREPAYMENT", "SPEND-PREPAYMENT")),
        CreditKind("OVERPAYMENT", "Overpayment", ("RECEIVE-OVERPAYMENT", "SPEND-OVERPAYMENT")),
    )
}


@dataclass(frozen=True, slots=True)
class Given:
    """What an accountant types into a credit; the amount is with tax, in the credit's currency."""

    category: str
    contact_id: str
    amount: Decimal
    on: date
    currency: str
    reference: str = ""
    is_bill: bool = False


def kind_of(record: Record) -> CreditKind:
    """Which of the three a record is."""
    return next(kind for kind in KINDS.values() if kind.id_name in record)


def give(books: Books, given: Given, now: datetime) -> tuple[Change, str]:
    """Enter a credit that nothing has used yet; returns its id too."""
    if given.category not in KINDS or given.amount <= 0:
        raise BookkeepingError(f"no {given.category} over that amount")
    kind, at = KINDS[given.category], books.tick(now)
    record = _new_credit(books, kind, given)
    return books.save_credit(kind.category, record, at, created=True), text_of(record, "ID")


def _new_credit(books: Books, kind: CreditKind, given: Given) -> Record:
    credit_id, amount = str(uuid.uuid4()), money(given.amount)
    number: Record = {"CreditNoteNumber": books.next_number(kind.prefix)} if kind.prefix else {}
    return {
        kind.id_name: credit_id,
        **number,
        "ID": credit_id,
        "CurrencyRate": rate_of(given.currency),
        "Type": kind.types[given.is_bill],
        "Reference": given.reference,
        "RemainingCredit": amount,
        "Allocations": [],
        "Payments": [],
        "HasAttachments": False,
        "Contact": contact_stub(books.contact(given.contact_id)),
        "DateString": calendar_string(given.on),
        "Date": calendar_ms(given.on),
        "Status": "AUTHORISED",
        "LineAmountTypes": "NoTax",
        "LineItems": [_line(amount)],
        "SubTotal": amount,
        "TotalTax": money(Decimal(0)),
        "Total": amount,
        "CurrencyCode": given.currency,
    }


def _line(amount: Decimal) -> Record:
    return {
        "Description": "Credit",
        "UnitAmount": amount,
        "TaxType": "NONE",
        "TaxAmount": money(Decimal(0)),
        "LineAmount": amount,
        "AccountCode": "800",
        "Tracking": [],
        "Quantity": Decimal("1.0000"),
    }


def allocate(
    books: Books, credit_id: str, invoice_id: str, amount: Decimal | None, on: date, now: datetime
) -> list[Change]:
    """Set ``amount`` of a credit (all that fits where ``None``) against an invoice of the same contact."""
    credit, record = books.credit(credit_id), books.invoice(invoice_id, "AUTHORISED")
    _check_match(credit, record)
    fits = min(amount_of(credit, "RemainingCredit"), amount_of(record, "AmountDue"))
    taken, kind, at = portion(record, fits if amount is None else amount), kind_of(credit), books.tick(now)
    allocations: list[Json] = [*records_of(credit["Allocations"]), _allocation(record, taken, on)]
    credit_change = books.save_credit(kind.category, _spent(credit, "Allocations", allocations), at)
    applied: list[Json] = [*records_of(record.get(kind.plural)), _applied(kind, credit, taken)]
    changed: Record = {
        kind.plural: applied,
        "AmountCredited": money(amount_of(record, "AmountCredited") + taken),
    }
    return [credit_change, books.save_invoice(settled(record, changed, at), at)]


def take_back(books: Books, credit_id: str, invoice_id: str, now: datetime) -> list[Change]:
    """Undo what was allocated of a credit to an invoice; a paid invoice is open again."""
    credit, record = books.credit(credit_id), books.invoice(invoice_id, "AUTHORISED", "PAID")
    kind, at = kind_of(credit), books.tick(now)
    rows = records_of(credit["Allocations"])
    kept = [row for row in rows if text_of(record_of(row["Invoice"]), "InvoiceID") != invoice_id]
    if len(kept) == len(rows):
        raise BookkeepingError(f"nothing of credit {credit_id} is allocated to invoice {invoice_id}")
    change = books.save_credit(kind.category, _spent(credit, "Allocations", list(kept)), at)
    applied = records_of(record.get(kind.plural))
    left: list[Json] = [row for row in applied if text_of(row, "ID") != credit_id]
    back = sum(
        (amount_of(row, "AppliedAmount") for row in applied if text_of(row, "ID") == credit_id), Decimal(0)
    )
    credited = money(amount_of(record, "AmountCredited") - back)
    changed: Record = {kind.plural: left, "AmountCredited": credited}
    return [change, books.save_invoice(settled(record, changed, at), at)]


def refund(
    books: Books, credit_id: str, amount: Decimal | None, paid_on: date, now: datetime, reference: str = ""
) -> tuple[Change, str]:
    """Pay back ``amount`` of a credit (all that remains where ``None``); returns the payment's id too."""
    credit, at = books.credit(credit_id), books.tick(now)
    remaining = amount_of(credit, "RemainingCredit")
    taken = remaining if amount is None else money(amount)
    if not Decimal(0) < taken <= remaining:
        raise BookkeepingError(f"credit {credit_id} has not that much left")
    payment = new_payment(taken, paid_on, reference, amount_of(credit, "CurrencyRate"))
    books.save_payment(payment_row(payment, credit), at)
    payments: list[Json] = [*records_of(credit["Payments"]), payment]
    change = books.save_credit(kind_of(credit).category, _spent(credit, "Payments", payments), at)
    return change, text_of(payment, "PaymentID")


def _check_match(credit: Record, invoice: Record) -> None:
    sides = {"ACCREC": 0, "ACCPAY": 1}
    same_side = text_of(credit, "Type") == kind_of(credit).types[sides[text_of(invoice, "Type")]]
    ids = {text_of(record_of(record["Contact"]), "ContactID") for record in (credit, invoice)}
    currencies = {text_of(record, "CurrencyCode") for record in (credit, invoice)}
    if not same_side or len(ids) > 1 or len(currencies) > 1:
        raise BookkeepingError("a credit goes to an invoice of the same side, contact and currency")


def _spent(credit: Record, name: str, rows: list[Json]) -> Record:
    record = credit | {name: rows}
    used = [row for list_name in ("Allocations", "Payments") for row in records_of(record[list_name])]
    remaining = amount_of(record, "Total") - sum((amount_of(row, "Amount") for row in used), Decimal(0))
    if remaining < 0:
        raise BookkeepingError(f"credit {text_of(credit, 'ID')} has not that much left")
    return record | {"RemainingCredit": money(remaining), "Status": "AUTHORISED" if remaining else "PAID"}


def _allocation(invoice: Record, amount: Decimal, on: date) -> Record:
    lists: dict[str, Json] = {name: [] for name in ("Payments", "CreditNotes", "Prepayments", "Overpayments")}
    named: Record = {name: invoice[name] for name in ("InvoiceID", "InvoiceNumber")}
    return {
        "AllocationID": str(uuid.uuid4()),
        "Amount": amount,
        "Date": calendar_ms(on),
        "Invoice": named | lists | {"HasErrors": False, "IsDiscounted": False, "LineItems": []},
    }


def _applied(kind: CreditKind, credit: Record, amount: Decimal) -> Record:
    """A credit as the invoice lists it; its dates are the credit's own, as recorded."""
    # Only a credit note has a number, and says that it has no errors.
    numbered: Record = {"CreditNoteNumber": credit["CreditNoteNumber"]} if kind.prefix else {}
    sound: Record = {"HasErrors": False} if kind.prefix else {}
    return {
        kind.id_name: credit["ID"],
        **numbered,
        "ID": credit["ID"],
        **sound,
        "AppliedAmount": amount,
        "DateString": credit["DateString"],
        "Date": credit["Date"],
        "LineItems": [],
        "Total": credit["Total"],
    }
