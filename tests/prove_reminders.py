"""How long a sweep takes over ten thousand open invoices of a thousand customers, on SQLite.

Run it by hand: ``python -m tests.prove_reminders``.
"""

import resource
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from duebell.ledger import snapshots
from duebell.ledger.engine import migrate, open_ledger
from duebell.ledger.invariants import broken
from duebell.model import Contact, Invoice
from duebell.xero.parse import parse_contact_body, parse_invoice_body
from tests.support_facts import TENANT, invoice_body, numbered, open_tenant
from tests.support_overdue import Office, at, due, office_over, policy_text

INVOICES, CUSTOMERS = 10_000, 1_000
CURRENCIES = ("NZD", "AUD", "GBP", "USD")
NUMBERS = ("+6421555{:04}", "+61491570{:03}", "+447700900{:03}", "+1212555{:04}")
TODAY = date(2026, 11, 20)


def main() -> None:
    """Fill a ledger, sweep it, and print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_ledger(f"sqlite:///{folder}/ledger.db")
        migrate(engine)
        open_tenant(engine)
        rest = "[limits]\nbreaker_from = 100000\nmessages_an_hour = 100000"
        office = office_over(engine, Path(folder), at(TODAY), policy_text(rest=rest))
        fill(office)
        for what in ("first sweep", "second sweep, an hour later", "third sweep, another hour later"):
            measured(what, office)
            office.later(hours=1)
        print("invariants:", broken(engine) or "all hold")  # noqa: T201 - it is read at a terminal


def fill(office: Office) -> None:
    """Invoices that were due from 95 days ago to 4 days from now, ten for each customer."""
    contacts: list[tuple[Contact, str]] = []
    for number in range(CUSTOMERS):
        text = (
            f'{{"ContactID": "{numbered(50_000 + number)}", "Name": "Customer {number}", '
            f'"ContactStatus": "ACTIVE", "Phones": [{{"PhoneType": "MOBILE", '
            f'"PhoneNumber": "+6421555{number:04}"}}]}}'
        )
        contacts.append((parse_contact_body(text), text))
    snapshots.save_contacts(office.engine, TENANT, contacts, read_at=office.clock.now)
    for start in range(0, INVOICES, 1_000):
        records: list[tuple[Invoice, str]] = []
        for number in range(start, start + 1_000):
            fields = due(
                TODAY + timedelta(days=4 - number % 100),
                Contact={"ContactID": numbered(50_000 + number // 10)},
                CurrencyCode=CURRENCIES[number % 4],
                InvoiceNumber=f"INV-{number:05}",
            )
            body = invoice_body(numbered(number), updated_at=office.clock.now, **fields)
            records.append((parse_invoice_body(body), body))
        snapshots.save_invoices(office.engine, TENANT, records, read_at=office.clock.now)


def measured(what: str, office: Office) -> None:
    """Print one sweep."""
    began = time.perf_counter()
    swept = office.sweeps()
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(  # noqa: T201 - it is read at a terminal
        f"{what}: {took:.1f} s, {swept.looked_at} looked at, {swept.decided} decided, "
        f"{len(swept.runs)} runs, no call to Xero, {peak} MB at most"
    )


if __name__ == "__main__":
    main()
