"""Books of many open invoices: of customers in several countries, for organisations in several zones."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from duebell.ledger import snapshots
from duebell.model import Contact, Invoice
from duebell.xero.parse import parse_contact_body, parse_invoice_body
from tests.support_facts import numbered, open_tenant

PAGE = 1_000
CURRENCIES = ("NZD", "AUD", "GBP", "USD")
PREFIXES = ("+6421", "+6149", "+44771", "+1212", "+1213", "+658")
FIRST_NUMBER = 2_345_000


@dataclass(frozen=True, slots=True)
class Firm:
    """An organisation, and where it is."""

    tenant_id: str
    zone: str
    country: str


FIRMS = tuple(
    Firm(str(uuid.UUID(int=0xF0 << 120 | number)), zone, country)
    for number, (zone, country) in enumerate(
        [
            ("Pacific/Auckland", "NZ"), ("Australia/Sydney", "AU"), ("Asia/Singapore", "SG"),
            ("Europe/London", "GB"), ("America/New_York", "US"), ("America/Los_Angeles", "US"),
        ]
    )
)  # fmt: skip


def contact_body(number: int) -> dict[str, Any]:
    """The ``number``-th customer, whose telephone is in one of six zones."""
    phone = f"{PREFIXES[number % len(PREFIXES)]}{FIRST_NUMBER + number}"
    return {
        "ContactID": numbered(500_000 + number), "Name": f"Customer {number}", "ContactStatus": "ACTIVE",
        "Phones": [{"PhoneType": "MOBILE", "PhoneNumber": phone}],
    }  # fmt: skip


def invoice_of(number: int, customers: int, today: date, updated_at: datetime) -> dict[str, Any]:
    """The ``number``-th open invoice, which was due between 95 days ago and 4 days from now."""
    due_on = today + timedelta(days=4 - number % 100)
    return {
        "Type": "ACCREC", "InvoiceID": numbered(number), "InvoiceNumber": f"INV-{number:05}",
        "Status": "AUTHORISED", "Contact": {"ContactID": numbered(500_000 + number % customers)},
        "DateString": f"{due_on - timedelta(days=20)}T00:00:00", "DueDateString": f"{due_on}T00:00:00",
        "CurrencyCode": CURRENCIES[number % 4], "Total": 115.0, "AmountDue": 115.0, "AmountPaid": 0.0,
        "AmountCredited": 0.0, "Payments": [],
        "UpdatedDateUTC": f"/Date({int(updated_at.timestamp() * 1000)}+0000)/",
    }  # fmt: skip


def found(engine: Engine, firm: Firm, numbers: range, customers: int, now: datetime) -> None:
    """A firm that is connected, with these invoices in its ledger, read just now."""
    open_tenant(engine, firm.tenant_id, name=firm.zone, country=firm.country, timezone=firm.zone)
    people = [_contact(number) for number in range(customers)]
    snapshots.save_contacts(engine, firm.tenant_id, people, read_at=now)
    for start in range(numbers.start, numbers.stop, PAGE):
        page = range(start, min(start + PAGE, numbers.stop))
        records = list(_invoices(page, customers, now))
        snapshots.save_invoices(engine, firm.tenant_id, records, read_at=now)


def _contact(number: int) -> tuple[Contact, str]:
    text = json.dumps(contact_body(number))
    return parse_contact_body(text), text


def _invoices(numbers: range, customers: int, now: datetime) -> Iterator[tuple[Invoice, str]]:
    for number in numbers:
        text = json.dumps(invoice_of(number, customers, now.date(), now))
        yield parse_invoice_body(text), text
