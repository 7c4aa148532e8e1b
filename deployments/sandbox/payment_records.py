"""Payments in the forms that Xero gives them: in their document, in ``/Payments``, and as a batch."""

import uuid
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from deployments.sandbox.wire import Json, Record, amount_of, calendar_ms, money, read_ms_date, text_of

_ACCOUNT: Record = {"AccountID": "5a4db0c5-acc0-4000-8000-000000000090", "Code": "090"}
# What the money is, by the type of the document that it pays or refunds.
PAYMENT_TYPES = {
    "ACCREC": "ACCRECPAYMENT",
    "ACCPAY": "ACCPAYPAYMENT",
    "ACCRECCREDIT": "ARCREDITPAYMENT",
    "ACCPAYCREDIT": "APCREDITPAYMENT",
    "RECEIVE-OVERPAYMENT": "AROVERPAYMENTPAYMENT",
    "SPEND-OVERPAYMENT": "APOVERPAYMENTPAYMENT",
    "RECEIVE-PREPAYMENT": "ARPREPAYMENTPAYMENT",
    "SPEND-PREPAYMENT": "APPREPAYMENTPAYMENT",
}
_STUB_TYPES = {
    "RECEIVE-OVERPAYMENT": "AROVERPAYMENT",
    "SPEND-OVERPAYMENT": "APOVERPAYMENT",
    "RECEIVE-PREPAYMENT": "ARPREPAYMENT",
    "SPEND-PREPAYMENT": "APPREPAYMENT",
}


def new_payment(amount: Decimal, paid_on: date, reference: str, rate: Decimal) -> Record:
    """A payment as its document lists it: without a type, a status or its batch."""
    return {
        "PaymentID": str(uuid.uuid4()),
        "Date": calendar_ms(paid_on),
        "Amount": money(amount),
        "Reference": reference,
        "CurrencyRate": rate,
        "HasAccount": False,
        "HasValidationErrors": False,
    }


def payment_row(payment: Record, document: Record, batch: Record | None = None) -> Record:
    """The same payment as ``GET /Payments`` has it; its ``Invoice`` names the document, whatever that is."""
    amount = amount_of(payment, "Amount")
    row: Record = {"PaymentID": payment["PaymentID"]}
    if batch is not None:
        row |= {"BatchPaymentID": batch["BatchPaymentID"], "BatchPayment": batch}
    return row | {
        "Date": payment["Date"],
        # The bank account is in the home currency, the amount in the document's.
        "BankAmount": money(amount / (amount_of(payment, "CurrencyRate") or Decimal(1))),
        "Amount": amount,
        "Reference": text_of(payment, "Reference"),
        "CurrencyRate": payment.get("CurrencyRate", Decimal("1.000000")),
        "PaymentType": PAYMENT_TYPES[text_of(document, "Type")],
        "Status": "AUTHORISED",
        "HasAccount": True,
        "IsReconciled": False,
        "Account": _ACCOUNT,
        # Refunds of over- and prepayments put their ids here, no invoice's (calcinai/xero-php#889).
        "Invoice": {"InvoiceID": text_of(document, "InvoiceID") or text_of(document, "ID")},
        "HasValidationErrors": False,
    }


def new_batch(amounts: Sequence[Decimal], paid_on: date, at: Record, *, is_bill: bool) -> Record:
    """A batch payment as each of its payments carries it, its total and its flag as texts."""
    return {
        "Account": {"AccountID": _ACCOUNT["AccountID"]},
        "BatchPaymentID": str(uuid.uuid4()),
        "Date": calendar_ms(paid_on),
        "Type": "PAYBATCH" if is_bill else "RECBATCH",
        "Status": "AUTHORISED",
        # The example of getPayments in Xero-OpenAPI has both of these as texts.
        "TotalAmount": str(money(sum(amounts, Decimal(0)))),
        "UpdatedDateUTC": at["UpdatedDateUTC"],
        "IsReconciled": "false",
    }


def removed(row: Record) -> Record:
    """A payment of ``/Payments`` that was removed."""
    return row | {"Status": "DELETED"}


def paid_on_of(row: Record) -> date:
    """The calendar date of a payment."""
    return read_ms_date(row["Date"]).date()


def document_stub(document: Record, contact: Json) -> Record:
    """The ``Invoice`` of a listed payment: its document's type, id and number, and hardly anything else."""
    lists: dict[str, Json] = {name: [] for name in ("Payments", "CreditNotes", "Prepayments", "Overpayments")}
    number = text_of(document, "InvoiceNumber") or text_of(document, "CreditNoteNumber")
    return {
        "Type": _STUB_TYPES.get(text_of(document, "Type"), text_of(document, "Type")),
        "InvoiceID": text_of(document, "InvoiceID") or text_of(document, "ID"),
        "InvoiceNumber": number,
        **lists,
        "HasErrors": False,
        "IsDiscounted": False,
        "Contact": contact,
        "LineItems": [],
        "CurrencyCode": text_of(document, "CurrencyCode"),
    }
