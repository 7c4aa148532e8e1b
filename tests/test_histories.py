"""However Xero's events come, late, twice, in any order or never: with polling, the end is the same."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.books.reading import Reading
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import inbox, snapshots
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.tables import InvoiceSnapshot, Notification, PaymentSnapshot
from duebell.ledger.writing import writing
from duebell.planning.draining import record_changes
from duebell.xero.parse import parse_invoice_body
from tests.support_facts import (
    MINUTE,
    NOW,
    RULES,
    TENANT,
    invoice_body,
    keep_contact,
    numbered,
    open_tenant,
)
from tests.support_ledger import copied

DAY = date(2026, 11, 20)
WHOLE = 115


@dataclass
class Books:
    """An organisation's invoices as they are in Xero at this moment."""

    status: dict[int, str] = field(default_factory=dict[int, str])
    payments: dict[int, dict[int, int]] = field(default_factory=dict[int, dict[int, int]])
    """Of each invoice the amounts that were paid on it, by the number of the payment."""
    due: dict[int, int] = field(default_factory=dict[int, int])
    entered: int = 0

    def do(self, step: str, invoice: int) -> None:
        """One thing that an accountant does, where Xero allows it."""
        status, paid = self.status.get(invoice, "DRAFT"), self.payments.setdefault(invoice, {})
        if step == "approve" and status == "DRAFT":
            self.status[invoice] = "AUTHORISED"
        elif step == "pay" and status == "AUTHORISED" and len(paid) < 3:
            self.entered += 1
            paid[self.entered] = 5
        elif step == "settle" and status == "AUTHORISED":
            self.entered += 1
            paid[self.entered] = WHOLE - sum(paid.values())
            self.status[invoice] = "PAID"
        elif step == "unpay" and paid:
            paid.pop(next(iter(paid)))
            self.status[invoice] = "AUTHORISED"
        elif step == "void" and status == "AUTHORISED" and not paid:
            self.status[invoice] = "VOIDED"
        elif step == "move":
            self.due[invoice] = self.due.get(invoice, 0) + 1

    def body(self, invoice: int, minute: int) -> str:
        """The invoice as Xero tells it."""
        paid = self.payments.get(invoice, {})
        return invoice_body(
            numbered(invoice),
            updated_at=NOW + minute * MINUTE,
            Status=self.status.get(invoice, "DRAFT"),
            DueDateString=f"{DAY + timedelta(days=20 + self.due.get(invoice, 0))}T00:00:00",
            AmountPaid=sum(paid.values()),
            AmountDue=0 if self.status.get(invoice) == "VOIDED" else WHOLE - sum(paid.values()),
            Payments=[_payment(number, amount) for number, amount in paid.items()],
        )


def _payment(number: int, amount: int) -> dict[str, Any]:
    day = (DAY - date(1970, 1, 1)).days * 86_400_000
    return {"PaymentID": numbered(900 + number), "Amount": amount, "Date": f"/Date({day}+0000)/"}


def handle(engine: Engine, books: Books, invoices: Iterable[int], minute: int, mark: str = "") -> None:
    """Events of these invoices come, and a drain reads the books as they are now."""
    now = NOW + minute * MINUTE
    wanted = sorted(set(invoices))
    new = [
        NewEvent(TENANT, "INVOICE", numbered(one), "UPDATE", mark or f"{now.isoformat()} {one}", now)
        for one in wanted
    ]
    inbox.keep(engine, new, [], now=now)
    bodies = [books.body(one, minute) for one in wanted]
    pairs = [(parse_invoice_body(body), body) for body in bodies]
    snapshots.save_invoices(engine, TENANT, pairs, read_at=now)
    claimed = inbox.claim(engine, TENANT, now=now, most=100)
    with writing(engine, now) as book:
        record_changes(book, TENANT, claimed, Reading(0, 1), RULES, flow_run_id=None)


def owed(engine: Engine) -> Counter[tuple[str, str]]:
    """What is to be told in the end, by kind and invoice: the keys may differ, the news may not.

    That an invoice which is paid by now was issued is left unsaid at the last look, if not before.
    """
    with reading(engine) as session:
        rows = session.exec(select(Notification).where(Notification.state != "skipped")).all()
        is_paid = col(InvoiceSnapshot.status) == "paid"
        paid = set(session.exec(select(InvoiceSnapshot.invoice_id).where(is_paid)).all())
    told = (row for row in rows if row.kind != INVOICE_ISSUED or row.invoice_id not in paid)
    return Counter((row.kind, row.invoice_id) for row in told)


THINGS = ["approve", "approve", "pay", "pay", "settle", "unpay", "void", "move"]
STEPS = st.tuples(st.sampled_from(THINGS), st.integers(1, 2))
DELIVERED = st.lists(st.integers(0, 5), max_size=3)
"""After how many more steps the event of a step comes: never, once, or several times."""


def played(
    template: Path, folder: Path, history: Sequence[tuple[tuple[str, int], Sequence[int]]]
) -> tuple[Counter[tuple[str, str]], list[str], int]:
    """What is owed at the end of a history, with what is broken, and how many payments were written down."""
    engine = copied(template, folder)
    open_tenant(engine)
    keep_contact(engine)
    books, coming = Books(), dict[int, list[int]]()
    for minute, ((step, invoice), delays) in enumerate(history, start=1):
        books.do(step, invoice)
        for delay in delays:
            coming.setdefault(minute + delay, []).append(invoice)
        handle(engine, books, coming.pop(minute, []), minute)
    late = len(history) + 10
    handle(engine, books, [one for invoices in coming.values() for one in invoices], late)
    for again in (1, 2):  # the poll, and once more: it finds nothing new then
        handle(engine, books, [1, 2], late + again, mark=f"poll {again}")
    with reading(engine) as session:
        payments = len(session.exec(select(PaymentSnapshot).where(PaymentSnapshot.gone_at == None)).all())  # noqa: E711 - SQL's NULL
    found = owed(engine), broken(engine), payments
    engine.dispose()
    return found


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(STEPS, DELIVERED), min_size=1, max_size=12))
def test_f003_any_order_repetition_and_loss_of_events_ends_in_what_the_orderly_history_ends_in(
    migrated: Path, tmp_path_factory: pytest.TempPathFactory, history: list[tuple[tuple[str, int], list[int]]]
) -> None:
    orderly = [(step, [0]) for step, _ in history]
    expected = played(migrated, tmp_path_factory.mktemp("orderly"), orderly)
    found = played(migrated, tmp_path_factory.mktemp("unruly"), history)
    silent = played(migrated, tmp_path_factory.mktemp("silent"), [(step, []) for step, _ in history])
    assert found == silent == expected
    assert expected[1] == []


def test_the_books_of_this_test_do_what_the_test_is_about(migrated: Path, tmp_path: Path) -> None:
    """Approved, part-paid twice, one payment removed: an invoice and one payment are owed."""
    steps = [("approve", 1), ("pay", 1), ("pay", 1), ("unpay", 1)]
    expected, wrong, payments = played(migrated, tmp_path, [(step, [0]) for step in steps])
    assert expected == {("invoice_issued", numbered(1)): 1, ("payment_received", numbered(1)): 1}
    assert (wrong, payments) == ([], 1)
    assert json.loads(Books().body(1, 0))["Status"] == "DRAFT"
