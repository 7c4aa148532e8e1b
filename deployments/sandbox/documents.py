"""Invoices, bills and contacts as Xero's records, made from an accountant's words."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from deployments.sandbox.wire import (
    Json,
    Record,
    calendar_ms,
    calendar_string,
    money,
    ms_date,
    text_of,
)

PHONE_TYPES = ("DDI", "DEFAULT", "FAX", "MOBILE")
_HOME_TAX = Decimal("0.15")  # New Zealand's GST; what leaves the country is zero-rated


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice; the unit amount is without tax, in the invoice's currency."""

    description: str
    quantity: Decimal
    unit_amount: Decimal


@dataclass(frozen=True, slots=True)
class Draft:
    """What an accountant types into a new invoice."""

    number: str
    contact: Record
    issued_on: date
    due_on: date
    lines: Sequence[Line]
    currency: str
    is_bill: bool = False
    reference: str = ""
    status: str = "DRAFT"
    invoice_id: str = ""


def new_invoice(draft: Draft, now: datetime) -> Record:
    """A fresh, unpaid invoice or bill in its listed form, with lines."""
    at_home = draft.currency == "NZD"
    lines = [_line(line, at_home=at_home, is_bill=draft.is_bill) for line in draft.lines]
    before_tax = money(sum((line.quantity * line.unit_amount for line in draft.lines), Decimal(0)))
    tax = money(before_tax * _HOME_TAX) if at_home else money(Decimal(0))
    record: Record = {
        "Type": "ACCPAY" if draft.is_bill else "ACCREC",
        "InvoiceID": draft.invoice_id or str(uuid.uuid4()),
        "InvoiceNumber": draft.number,
        "Reference": draft.reference,
        **dict.fromkeys(("Payments", "CreditNotes", "Prepayments", "Overpayments"), ()),
        "AmountDue": before_tax + tax,
        "AmountPaid": money(Decimal(0)),
        "AmountCredited": money(Decimal(0)),
        "CurrencyRate": Decimal("1.000000"),
        "IsDiscounted": False,
        "HasAttachments": False,
        "HasErrors": False,
        "Contact": contact_stub(draft.contact),
        **dates(draft.issued_on, draft.due_on),
        "Status": draft.status,
        "LineAmountTypes": "Exclusive",
        "LineItems": lines,
        "SubTotal": before_tax,
        "TotalTax": tax,
        "Total": before_tax + tax,
        "CurrencyCode": draft.currency,
    }
    return record | stamp(now)


def _line(line: Line, *, at_home: bool, is_bill: bool) -> Record:
    amount = money(line.quantity * line.unit_amount)
    side = "INPUT" if is_bill else "OUTPUT"
    return {
        "Description": line.description,
        "UnitAmount": money(line.unit_amount),
        "TaxType": f"{side}2" if at_home else f"ZERORATED{side}",
        "TaxAmount": money(amount * _HOME_TAX) if at_home else money(Decimal(0)),
        "LineAmount": amount,
        "AccountCode": "300" if is_bill else "200",
        "Tracking": [],
        "Quantity": line.quantity.quantize(Decimal("0.0001")),
        "LineItemID": str(uuid.uuid4()),
    }


def dates(issued_on: date, due_on: date) -> Record:
    """An invoice's two dates, each in both of Xero's forms."""
    return {
        "DateString": calendar_string(issued_on),
        "Date": calendar_ms(issued_on),
        "DueDateString": calendar_string(due_on),
        "DueDate": calendar_ms(due_on),
    }


def stamp(now: datetime) -> Record:
    """When a document was last changed, in both of Xero's forms."""
    return {"UpdatedDateUTC": ms_date(now), "UpdatedDateUTCString": now.strftime("%Y-%m-%dT%H:%M:%SZ")}


def new_payment(amount: Decimal, paid_on: date, reference: str) -> Record:
    """A payment as an invoice lists it."""
    return {
        "PaymentID": str(uuid.uuid4()),
        "Date": calendar_ms(paid_on),
        "Amount": money(amount),
        "Reference": reference,
        "CurrencyRate": Decimal("1.000000"),
        "HasAccount": False,
        "HasValidationErrors": False,
    }


def contact_stub(contact: Record) -> Record:
    """A contact as every list of invoices carries it: the id, the name, and empty lists."""
    empty: list[Json] = []
    return {
        "ContactID": text_of(contact, "ContactID"),
        "Name": text_of(contact, "Name"),
        "Addresses": empty,
        "Phones": empty,
        "ContactGroups": empty,
        "ContactPersons": empty,
        "HasValidationErrors": False,
    }


def phone(kind: str, country: str = "", area: str = "", number: str = "") -> Record:
    """One of a contact's four phones: three free texts."""
    return {
        "PhoneType": kind,
        "PhoneNumber": number,
        "PhoneAreaCode": area,
        "PhoneCountryCode": country,
    }


def new_contact(contact_id: str, name: str, now: datetime, **known: Json) -> Record:
    """A contact whole, as a single read shows it. ``known`` overrides what is empty by default."""
    record: Record = {
        "ContactID": contact_id,
        "ContactStatus": "ACTIVE",
        "Name": name,
        "FirstName": "",
        "LastName": "",
        "EmailAddress": "",
        "BankAccountDetails": "",
        "Addresses": [address("STREET", "", ""), address("POBOX", "", "")],
        "Phones": [phone(kind) for kind in PHONE_TYPES],
        "ContactGroups": [],
        "ContactPersons": [],
        "HasAttachments": False,
        "HasValidationErrors": False,
        "UpdatedDateUTC": ms_date(now),
    }
    return record | known


def address(kind: str, city: str, country: str) -> Record:
    """One of a contact's two addresses."""
    return {
        "AddressType": kind,
        "City": city,
        "Region": "",
        "PostalCode": "",
        "Country": country,
        "AttentionTo": "",
    }
