"""How long a backtest takes over six months of ten thousand invoices of a thousand customers, on SQLite.

Run it by hand: ``python -m tests.prove_backtest``, with ``--invoices`` for fewer.
"""

import argparse
import tempfile
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from deployments.backtest import show
from deployments.terminal import make_console
from duebell.backtest.running import backtest
from duebell.ledger import snapshots, tenants
from duebell.ledger.engine import migrate, open_ledger
from duebell.model import Invoice
from duebell.policy_file.policy import read_policy
from duebell.xero.parse import parse_invoice_body
from tests.support_facts import TENANT, invoice_body, keep_contact, numbered, open_tenant
from tests.support_overdue import Office, a_payment, at, due, office_over, policy_text

CUSTOMERS = 1_000
CURRENCIES = ("NZD", "AUD", "GBP", "USD")
TODAY = date(2026, 11, 20)
OTHER = policy_text(overdue="gap_days = 10\nminimum = { NZD = 100 }")


def main() -> None:
    """Fill a ledger, play two policies over it, and print the tables and what it took."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--invoices", type=int, default=10_000)
    invoices = asked.parse_args().invoices
    with tempfile.TemporaryDirectory() as folder:
        engine = open_ledger(f"sqlite:///{folder}/ledger.db")
        migrate(engine)
        open_tenant(engine)
        office = office_over(engine, Path(folder), at(TODAY), policy_text())
        for number in range(min(CUSTOMERS, invoices)):
            keep_contact(engine, numbered(50_000 + number), f"+6421555{number:04}", Name=f"Customer {number}")
        for start in range(0, invoices, 1_000):
            fill(office, range(start, min(start + 1_000, invoices)))
        other = read_policy(OTHER.encode(), Path("other.toml"))
        policies = {"in force": office.resources.policy, "other.toml": other}
        [tenant] = [one for one in tenants.connected(engine) if one.tenant_id == TENANT]
        for some in (dict(list(policies.items())[:1]), policies):
            began = time.process_time()
            found = backtest(office.resources, tenant, some, 6, Decimal("0.08"))
            print(f"{len(some)} policies: {time.process_time() - began:.1f} s of processor")  # noqa: T201 - read at a terminal
        show(make_console(), found, "0.08")


def fill(office: Office, numbers: range) -> None:
    """Invoices of the last seven months, due after 20 days; most are paid a number of days after that."""
    records: list[tuple[Invoice, str]] = []
    for number in numbers:
        issued = TODAY - timedelta(days=number % 210)
        paid = issued + timedelta(days=15 + (number * 7) % 45)
        fields: dict[str, Any] = {"AmountPaid": 0}
        if paid <= TODAY and number % 11:
            payments = [a_payment(number, 115, paid)]
            fields = {"AmountDue": 0, "AmountPaid": 115, "Status": "PAID", "Payments": payments}
        body = invoice_body(
            numbered(number),
            updated_at=office.clock.now,
            **due(issued + timedelta(days=20), Contact={"ContactID": numbered(50_000 + number % CUSTOMERS)}),
            **fields,
            DateString=f"{issued}T00:00:00",
            CurrencyCode=CURRENCIES[number % 4],
        )
        records.append((parse_invoice_body(body), body))
    snapshots.save_invoices(office.engine, TENANT, records, read_at=office.clock.now)


if __name__ == "__main__":
    main()
