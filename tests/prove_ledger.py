"""What an event, a message and a sweep cost an empty ledger, and one that holds years of messages.

    make prove-ledger
    make prove-ledger ARGS="--messages 50000 --database postgresql"

Every message of the past has its invoice, its payment, its event and its attempt. The times are medians of a
few repetitions; SQLite does not wait for the disk, and the providers are played.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Engine, insert, text

from duebell.keys import INVOICE_ISSUED
from duebell.ledger.tables import (
    Attempt,
    ContactSnapshot,
    InvoiceSnapshot,
    Leg,
    Notification,
    PaymentSnapshot,
    XeroEvent,
)
from tests.support_facts import NOW, TENANT, invoice_body, keep_contact, numbered, open_tenant
from tests.support_overdue import Office, due, office_over, policy_text
from tests.support_proofs import commit, ledgers

AT_ONCE = CUSTOMERS = 20_000
APART = timedelta(seconds=100)
REPETITIONS = 20
NEXT_NUMBER = 10_000_000
"""Past the numbers that the rows of the past are given here."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what each step costs, in milliseconds, without a past and with one."""
    parser = argparse.ArgumentParser(prog="make prove-ledger", description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000, help="how many were sent before")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    wanted = parser.parse_args(arguments)
    found = [measured(wanted.database, messages) for messages in (0, wanted.messages)]
    print(f"{wanted.database}, commit {commit()}: behind 0 and {wanted.messages} messages")  # noqa: T201 - its purpose
    for step in found[0]:
        print(f"{step:<28}" + "".join(f"{one[step] * 1_000:10.1f} ms" for one in found))  # noqa: T201 - its purpose
    return 0


def measured(database: str, messages: int) -> dict[str, float]:
    """The seconds that each step takes behind so many messages."""
    with tempfile.TemporaryDirectory() as name, ledgers(database, Path(name), "duebell_large") as some:
        engine = some.fresh()
        open_tenant(engine)
        remember(engine, messages)
        keep_contact(engine)
        policy = policy_text(rest="[limits]\nmessages_an_hour = 100000\n")
        office = office_over(engine, Path(name), NOW, policy)
        return {step: _seconds(prepare, run) for step, (prepare, run) in steps(office).items()}


Step = tuple[Callable[[int], None], Callable[[int], object]]


def steps(office: Office) -> dict[str, Step]:
    """What is measured, each with what comes before it, for the invoice of a repetition."""

    def issue(number: int) -> None:
        office.keeps(number, DateString=f"{NOW:%Y-%m-%d}T00:00:00")

    def owe(number: int) -> None:
        overdue = due(NOW.date() - timedelta(days=10), DateString="2026-10-10T00:00:00")
        office.keeps(1_000 + number, **overdue)

    def nothing(_: int) -> None: ...

    return {
        "an event is handled": (issue, office.hears),
        "an issued invoice is told": (issue, lambda one: office.tells([numbered(one)], INVOICE_ISSUED)),
        "a reminder is told": (owe, lambda one: office.tells([numbered(1_000 + one)])),
        "a sweep": (nothing, lambda _: office.sweeps()),
    }


def _seconds(prepare: Callable[[int], None], run: Callable[[int], object]) -> float:
    took: list[float] = []
    for number in range(1, REPETITIONS + 1):
        prepare(number)
        began = time.perf_counter()
        run(number)
        took.append(time.perf_counter() - began)
    return median(took)


def remember(engine: Engine, messages: int) -> None:
    """Put a past into the ledger: paid invoices of many customers, each told of once."""
    if not messages:
        return
    with engine.begin() as connection:
        connection.execute(insert(ContactSnapshot), [_contact(one) for one in range(CUSTOMERS)])
    for start in range(0, messages, AT_ONCE):
        numbers = range(start + 1, min(start + AT_ONCE, messages) + 1)
        with engine.begin() as connection:
            for table, row in PAST:
                connection.execute(insert(table), [row(one) for one in numbers])
    if engine.dialect.name == "postgresql":
        _go_on(engine)


def _go_on(engine: Engine) -> None:
    """PostgreSQL's next numbers and statistics, as they would be had the rows come one by one."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table, column in (("notification", "notification_id"), ("leg", "leg_id")):
            sequence = {"table": table, "column": column, "next": NEXT_NUMBER}
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:table, :column), :next)"), sequence
            )
        connection.exec_driver_sql("ANALYZE")


def _when(number: int) -> datetime:
    return NOW - timedelta(days=400) + number * APART


def _contact(number: int) -> dict[str, Any]:
    return {
        "tenant_id": TENANT,
        "contact_id": f"contact {number}",
        "status": "ACTIVE",
        "read_at": NOW,
        "body": "{}",
    }


def _invoice(number: int) -> dict[str, Any]:
    return {
        "tenant_id": TENANT,
        "invoice_id": f"invoice {number}",
        "contact_id": f"contact {number % CUSTOMERS}",
        "type": "ACCREC",
        "status": "PAID",
        "number": f"OLD-{number}",
        "currency": "NZD",
        "due_on": "2026-01-01",
        "updated_at": _when(number),
        "read_at": _when(number),
        "body": BODY,
        "compared_body": BODY,
    }


def _payment(number: int) -> dict[str, Any]:
    return {
        "tenant_id": TENANT,
        "payment_id": f"payment {number}",
        "invoice_id": f"invoice {number}",
        "subject_id": f"payment {number}",
        "amount": "115",
        "first_seen_at": _when(number),
    }


def _notification(number: int) -> dict[str, Any]:
    return {
        "notification_id": number,
        "key": f"key {number}",
        "tenant_id": TENANT,
        "kind": INVOICE_ISSUED,
        "recipient": f"contact:contact {number % CUSTOMERS}",
        "contact_id": f"contact {number % CUSTOMERS}",
        "subject_id": f"invoice {number}",
        "invoice_id": f"invoice {number}",
        "state": "delivered",
        "planned_at": _when(number),
        "not_before": _when(number),
        "dispatch_at": _when(number),
        "updated_at": _when(number),
    }


def _leg(number: int) -> dict[str, Any]:
    told = {"channel": "sms", "address": f"+64210{number % CUSTOMERS:06}", "text": TEXT}
    return {"leg_id": number, "notification_id": number, **told}


def _attempt(number: int) -> dict[str, Any]:
    return {
        "attempt_id": f"attempt {number}",
        "notification_id": number,
        "leg_id": number,
        "lease_token": 1,
        "state": "accepted",
        "started_at": _when(number),
        "address": f"+64210{number % CUSTOMERS:06}",
        "text": TEXT,
        "read_age_seconds": 1.0,
        "sid": f"SM of {number}",
        "provider_status": "delivered",
        "answer": TEXT * 3,
    }


def _event(number: int) -> dict[str, Any]:
    return {
        "tenant_id": TENANT,
        "category": "INVOICE",
        "resource_id": f"invoice {number}",
        "type": "CREATE",
        "mark": f"mark {number}",
        "event_time": _when(number),
        "received_at": _when(number),
        "retry_at": _when(number),
        "state": "handled",
    }


TEXT, BODY = "a text of the length that such a text has " * 3, invoice_body()
PAST: tuple[tuple[Any, Callable[[int], dict[str, Any]]], ...] = (
    (InvoiceSnapshot, _invoice),
    (PaymentSnapshot, _payment),
    (Notification, _notification),
    (Leg, _leg),
    (Attempt, _attempt),
    (XeroEvent, _event),
)


if __name__ == "__main__":
    sys.exit(main())
