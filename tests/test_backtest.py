"""A policy played over the past says what the runs said then, and what another one would have said."""

import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from duebell.backtest.histories import months_before
from duebell.backtest.running import backtest
from duebell.clock import system_clock
from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, KeptVerdict, Notification, Tenant
from tests.support_backtest import AT_TEN, DAY, DUE, keeps, office_at, paid, played, run, said
from tests.support_facts import TENANT, counted
from tests.support_overdue import ZONE, Office, a_payment, at, due, policy_text


def test_the_policy_in_force_says_what_was_really_said(sqlite_ledger: Engine, tmp_path: Path) -> None:
    start = DUE - 10 * DAY
    office = office_at(sqlite_ledger, tmp_path, start, AT_TEN)
    for number, customer in ((1, 71), (2, 71), (3, 72), (4, 73), (5, 72)):
        keeps(office, number, customer, **(due(DUE + 9 * DAY) if number == 5 else {}))
    changes: dict[date, list[tuple[int, int, dict[str, Any]]]] = {
        DUE + 4 * DAY: [(1, 71, paid(1, DUE + 3 * DAY, 50)), (3, 72, {"ExpectedPaymentDate": "2026-10-12"})],
        DUE + 10 * DAY: [(2, 71, paid(2, DUE + 5 * DAY))],
        DUE + 16 * DAY: [(5, 72, due(DUE + 20 * DAY))],
        DUE + 24 * DAY: [(3, 72, paid(3, DUE + 24 * DAY))],
    }
    for day in range(50):
        office.clock.now = at(start + day * DAY, 9, 55)
        for number, customer, fields in changes.get(start + day * DAY, []):
            keeps(office, number, customer, **fields)
        office.later(minutes=5)
        office.day()
    happened = said(office)
    assert len(happened) > 12
    assert played(office, at(start), at(start + 50 * DAY)) == happened


@pytest.mark.parametrize("opens", ["00:00", "11:00"])
def test_a_reminder_waits_for_the_announcement_of_its_invoice_as_it_really_did(
    sqlite_ledger: Engine, tmp_path: Path, opens: str
) -> None:
    hours = f'opens = "{opens}"\ncloses = "21:00"'
    text = AT_TEN.replace("[invoice_issued]\nenabled = false", f"[invoice_issued]\n{hours}")
    office = office_at(sqlite_ledger, tmp_path, DUE, text)
    for number, customer, due_in in ((1, 71, 0), (2, 72, -2), (3, 73, 0)):
        keeps(office, number, customer, **due(DUE + due_in * DAY, DateString=f"{DUE}T00:00:00"))
    office.runs(office.hears(1, 2, 3))
    for day in range(40):
        for hour in (10, 11):
            office.clock.now = at(DUE + day * DAY, hour)
            office.runs(office.sweeps().runs if hour == 10 else ())
            office.nets()
    happened = said(office)
    assert happened[DUE + 3 * DAY, "Customer 71", ("overdue",)] == 1
    assert played(office, at(DUE, 0), at(DUE + 40 * DAY)) == happened


def old(office: Office) -> None:
    """What Duebell read today for the first time: invoices that were paid, or not, long before."""
    keeps(office, 1, 71, **paid(1, DUE + 5 * DAY))
    keeps(office, 2, 72)
    keeps(office, 3, 72)
    keeps(office, 4, 73)
    keeps(office, 6, 71, Status="VOIDED")
    keeps(office, 7, 71, Status="DRAFT")
    keeps(office, 8, 71, Type="ACCPAY")


def test_invoices_that_were_read_today_have_a_past_by_their_dates(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = office_at(sqlite_ledger, tmp_path, date(2026, 11, 20), policy_text())
    old(office)
    start, end = at(date(2026, 8, 20), 0), at(date(2026, 11, 20), 0)
    october = {
        (DUE - 3 * DAY, "soon"): {"Customer 71": 1, "Customer 72": 2},
        (DUE + 1 * DAY, "overdue"): {"Customer 71": 1, "Customer 72": 2},
        (DUE + 7 * DAY, "second"): {"Customer 72": 2},
        (DUE + 14 * DAY, "third"): {"Customer 72": 2, "team:accounts": 3},
        (DUE + 30 * DAY, "last"): {"Customer 72": 2, "team:accounts": 3},
    }
    wanted = Counter(
        (day, name, (stage,) * count)
        for (day, stage), told in october.items()
        for name, count in told.items()
    )
    wanted[date(2026, 9, 1), "Customer 71", ("invoice_issued",)] = 1
    wanted[date(2026, 9, 1), "Customer 72", ("invoice_issued",)] = 2
    wanted[date(2026, 9, 2), "team:accounts", ("not_told",)] = 1
    wanted[DUE + 5 * DAY, "Customer 71", ("payment_received",)] = 1
    assert played(office, start, end) == wanted


def test_an_invoice_that_was_paid_by_mistake_is_said_once_something_is_owed_on_it_again(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    day = date(2026, 11, 2)
    office = office_at(sqlite_ledger, tmp_path, day, policy_text())
    fields = due(day + 30 * DAY, DateString=f"{day}T00:00:00")
    for number in (1, 2):
        keeps(office, number, 71, **fields, Status="PAID", AmountDue=0, AmountCredited=115)
    office.later(hours=2)
    keeps(office, 1, 71, **fields)
    office.later(days=20)
    keeps(office, 2, 71, **fields)  # long after the days within which an invoice is announced
    told = played(office, at(day, 0), at(day + 25 * DAY, 0))
    assert told == {(day, "Customer 71", ("invoice_issued",)): 1}


def test_a_payment_that_was_removed_and_entered_anew_is_said_once(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    day = date(2026, 11, 2)
    text = policy_text().replace("[invoice_issued]\n", "[invoice_issued]\nenabled = false\n")
    office = office_at(sqlite_ledger, tmp_path, day, text)
    fields = due(day + 30 * DAY, DateString=f"{day}T00:00:00")
    for payments in ([], [1], [], [2], [2, 3]):
        paid_now = [a_payment(number, 20, day) for number in payments]
        total = 20 * len(payments)
        keeps(office, 1, 71, **fields, AmountDue=115 - total, AmountPaid=total, Payments=paid_now)
        office.runs(office.hears(1))
        office.later(hours=1)
    happened = said(office)
    assert happened == {(day, "Customer 71", ("payment_received",)): 2}
    assert played(office, at(day, 0), at(day + DAY, 0)) == happened


def test_two_policies_stand_side_by_side_and_nothing_is_written(ledger: Engine, tmp_path: Path) -> None:
    today = system_clock().astimezone(ZONE).date()
    office = office_at(ledger, tmp_path, today, policy_text())
    issued, due_on = today - 40 * DAY, today - 20 * DAY
    fields = due(due_on, DateString=f"{issued}T00:00:00")
    keeps(office, 1, 71, **fields)
    keeps(office, 2, 72, **fields, **paid(2, due_on + 3 * DAY))
    other = tmp_path / "other.toml"
    other.write_text(policy_text(rest="").replace("[invoice_issued]", "[invoice_issued]\nenabled = false"))
    shown = run(office, tmp_path, "backtest", "--months", "3", "--policy", str(other), "--price", "0.10")
    assert shown.exit_code == 0, shown.output
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown.output.splitlines()]
    for row in (
        ["invoice issued to customer by sms", "2", "0"],
        ["invoice overdue, soon to customer by sms", "2", "2"],
        ["invoice overdue, overdue to customer by sms", "2", "2"],
        ["invoice overdue, second to customer by sms", "1", "1"],
        ["invoice overdue, third to customer by sms", "1", "1"],
        ["invoice overdue, third to team:accounts by sms", "1", "1"],
        ["payment received to customer by sms", "1", "1"],
        ["all", "10", "8"],
        ["cost, at 0.1 a part", "1.00", "0.80"],
        ["told most", "5 Customer 71", "4 Customer 71"],
        ["reminders of what had been paid", "0", "0"],
    ):
        assert row in rows, shown.output
    figures = json.loads(run(office, tmp_path, "backtest", "--json").output)
    assert figures[0]["policies"]["in force"]["messages"] == 10
    assert {counted(office.engine, table) for table in (Notification, Attempt, KeptVerdict)} == {0}


def test_reminders_of_what_had_been_paid_and_was_entered_late_are_counted(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = office_at(sqlite_ledger, tmp_path, DUE - 10 * DAY, policy_text())
    keeps(office, 1, 71)
    office.later(days=20)
    keeps(office, 1, 71, **paid(1, DUE + 3 * DAY))
    office.later(days=40)
    with reading(office.engine) as session:
        tenant = session.get_one(Tenant, TENANT)
    found = backtest(office.resources, tenant, {"": office.resources.policy}, 3, Decimal("0.08"))
    assert found.tallies[""].had_paid == 1, "the second stage, a week after the due date"


def test_a_past_without_customers_is_played_too(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = office_at(sqlite_ledger, tmp_path, DUE, policy_text())
    keeps(office, 1, 99)
    shown = run(office, tmp_path, "backtest")
    assert shown.exit_code == 0, shown.output
    assert "Kauri Test Limited: 0 invoices" in shown.output
    assert "1 more are left out: their customers were never read from Xero." in shown.output


@pytest.mark.parametrize(
    ("today", "months", "first"),
    [
        (date(2026, 11, 20), 6, date(2026, 5, 20)),
        (date(2026, 8, 31), 6, date(2026, 2, 28)),
        (date(2028, 3, 31), 1, date(2028, 2, 29)),
        (date(2026, 1, 15), 1, date(2025, 12, 15)),
        (date(2026, 12, 31), 0, date(2026, 12, 31)),
        (date(2026, 12, 31), 24, date(2024, 12, 31)),
    ],
)
def test_months_are_counted_back_on_the_calendar(today: date, months: int, first: date) -> None:
    assert months_before(at(today), months, "Pacific/Auckland") == at(first, 0)
