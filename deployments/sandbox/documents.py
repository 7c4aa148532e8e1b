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
HOME_CURRENCY = "NZD"
_HOME_TAX = Decimal("0.15")  # New Zealand's GST; what leaves the country is zero-rated
# How much of a currency one home dollar buys; invented, and one where a currency is not named.
_RATES = {"AUD": Decimal("0.915"), "GBP": Decimal("0.47"), "USD": Decimal("0.6"), "EUR": Decimal("0.55")}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice; the unit amount is without tax, in the invoice's currency.

    ``tracking`` is what the line is tracked by, in Xero's form.
    """

    description: str
    quantity: Decimal
    unit_amount: Decimal
    tracking: Sequence[Record] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """What an accountant types into a new invoice, or what a repeating template types for them."""

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
    rate: Decimal | None = None
    theme_id: str = ""
    repeating_id: str = ""
    sent: bool = False


def rate_of(currency: str, rate: Decimal | None = None) -> Decimal:
    """How much of a currency one home dollar buys, with the six decimals that Xero writes."""
    return (rate or _RATES.get(currency, Decimal(1))).quantize(Decimal("0.000001"))


def new_invoice(draft: Draft, now: datetime) -> Record:
    """A fresh, unpaid invoice or bill in its listed form, with lines."""
    lists: dict[str, Json] = {name: [] for name in ("Payments", "CreditNotes", "Prepayments", "Overpayments")}
    priced = priced_lines(draft.lines, draft.currency, is_bill=draft.is_bill)
    record: Record = {
        "Type": "ACCPAY" if draft.is_bill else "ACCREC",
        "InvoiceID": draft.invoice_id or str(uuid.uuid4()),
        "InvoiceNumber": draft.number,
        "Reference": draft.reference,
        **lists,
        "AmountDue": priced["Total"],
        "AmountPaid": money(Decimal(0)),
        "AmountCredited": money(Decimal(0)),
        "CurrencyRate": rate_of(draft.currency, draft.rate),
        "IsDiscounted": False,
        "HasAttachments": False,
        "HasErrors": False,
        "Contact": contact_stub(draft.contact),
        **dates(draft.issued_on, draft.due_on),
        **_where_given(draft),
        "Status": draft.status,
        "LineAmountTypes": "Exclusive",
        **priced,
        "CurrencyCode": draft.currency,
    }
    return record | stamp(now)


def _where_given(draft: Draft) -> Record:
    given: Record = {"BrandingThemeID": draft.theme_id, "RepeatingInvoiceID": draft.repeating_id}
    told: Record = {name: value for name, value in given.items() if value}
    return told | {"SentToContact": True} if draft.sent else told


def priced_lines(lines: Sequence[Line], currency: str, *, is_bill: bool) -> Record:
    """The lines of a document and its three totals."""
    at_home = currency == HOME_CURRENCY
    before_tax = money(sum((line.quantity * line.unit_amount for line in lines), Decimal(0)))
    tax = money(before_tax * _HOME_TAX) if at_home else money(Decimal(0))
    rows: list[Json] = [_line(line, at_home=at_home, is_bill=is_bill) for line in lines]
    return {"LineItems": rows, "SubTotal": before_tax, "TotalTax": tax, "Total": before_tax + tax}


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
        "Tracking": list(line.tracking),
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


def contact_stub(contact: Record) -> Record:
    """A contact as every list of documents carries it: the id, the name, and empty lists."""
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
