"""Credit that waits, and what needs somebody, played over the past as the sweeps of that time saw it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.backtest.credit import credits_over_time
from duebell.clock import system_clock
from duebell.ledger import credits
from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, EarlierVersion
from duebell.model import Credit, CreditKind
from tests.support_backtest import AT_TEN, DAY, DUE, keeps, office_at, paid, played, run, said
from tests.support_facts import TENANT, numbered
from tests.support_overdue import ZONE, Office, at, day_of, due, policy_text

START = DUE - 5 * DAY


def has_credit(
    office: Office, number: int, customer: int, amount: str, updated_at: datetime | None = None
) -> None:
    """The ``number``-th overpayment, of which so much waits from now on."""
    kind = CreditKind.OVERPAYMENT
    credit = Credit(
        numbered(800 + number), kind, is_customers=True, contact_id=numbered(customer),
        currency="NZD", remaining=Decimal(amount), updated_at=updated_at,
    )  # fmt: skip
    now = office.clock.now
    credits.keep(office.engine, TENANT, [credit], read_at=now)
    credits.mark_read(office.engine, TENANT, kind, now, read_at=now)


CREDIT: Mapping[int, tuple[tuple[int, int, str], ...]] = {
    4: ((1, 71, "230"), (2, 72, "40")),  # covers both invoices of the one, a part of the other's
    9: ((1, 71, "115"),),  # the one invoice is settled by it, the other still covered
    15: ((1, 71, "0"),),  # refunded: what is left is owed as before
    18: ((2, 72, "200"),),
}
BOOKS: Mapping[int, tuple[tuple[int, int, dict[str, Any]], ...]] = {
    9: ((2, 71, {"AmountDue": 0, "AmountCredited": 115, "Status": "PAID"}),),
    6: ((3, 72, {"ExpectedPaymentDate": day_of(DUE + 3 * DAY)}),),
    30: ((3, 72, paid(3, START + 30 * DAY)),),
}


@pytest.mark.parametrize(
    ("holds", "digest"), [("covers", "daily"), ("covers", "each"), ("any", "daily"), ("ignore", "each")]
)
def test_what_credit_held_and_what_needed_somebody_is_played_as_the_sweeps_had_it(
    sqlite_ledger: Engine, tmp_path: Path, holds: str, digest: str
) -> None:
    text = AT_TEN.replace("[invoice_overdue]\n", f'[invoice_overdue]\ncredit = "{holds}"\n')
    text = text.replace("[team.accounts]\n", f'[team.accounts]\ndigest = "{digest}"\n')
    office = office_at(sqlite_ledger, tmp_path, START, text)
    for number, customer in ((1, 71), (2, 71), (3, 72), (4, 73)):
        keeps(office, number, customer)
    for day in range(40):
        office.clock.now = at(START + day * DAY, 9, 55)
        for number, customer, amount in CREDIT.get(day, ()):
            has_credit(office, number, customer, amount)
        for number, customer, fields in BOOKS.get(day, ()):
            keeps(office, number, customer, **fields)
        office.later(minutes=5)
        office.day()
    happened = said(office)
    told = {what for _, name, stages in happened for what in stages if name == "team:accounts"}
    expected = {"promise_broken", "not_told", "third", "last"}
    assert told == (expected if holds == "ignore" else expected | {"credit_waits"})
    assert played(office, at(START), at(START + 40 * DAY)) == happened


def test_credit_that_is_used_up_in_the_day_lets_the_next_sweep_remind(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    hours = 'opens = "09:00"\ncloses = "17:00"\n'
    text = AT_TEN.replace('opens = "10:00"\ncloses = "10:30"\n', hours)
    office = office_at(sqlite_ledger, tmp_path, DUE, text)
    keeps(office, 1, 71)
    has_credit(office, 1, 71, "115")
    for hour in range(9, 17):
        office.clock.now = at(DUE + DAY, hour)
        office.day()
        if hour == 11:
            office.clock.now = at(DUE + DAY, hour, 30)
            has_credit(office, 1, 71, "0")
    assert [one.astimezone(ZONE).hour for one in when(office)] == [9, 12]  # the team, then the customer
    assert played(office, at(DUE, 12), at(DUE + DAY, 17)) == said(office)


def when(office: Office) -> list[datetime]:
    """When something was said, oldest first."""
    with reading(office.engine) as session:
        return sorted(session.exec(select(Attempt.started_at)).all())


def test_what_waited_of_a_credit_is_kept_until_it_changes(ledger: Engine, tmp_path: Path) -> None:
    office = office_at(ledger, tmp_path, DUE, policy_text())
    began = office.clock.now
    has_credit(office, 1, 71, "50", updated_at=began - 9 * DAY)
    for amount in ("50", "50.00", "20"):
        office.later(hours=1)
        has_credit(office, 1, 71, amount, updated_at=began - 9 * DAY)
    office.later(hours=1)
    ended = office.clock.now
    credits.close_unread(ledger, TENANT, CreditKind.OVERPAYMENT, since=ended)
    office.later(hours=1)
    credits.close_unread(ledger, TENANT, CreditKind.OVERPAYMENT, since=office.clock.now)
    with reading(ledger) as session:
        past = credits_over_time(session, TENANT)
        assert [
            row.version
            for row in session.exec(select(EarlierVersion).order_by(col(EarlierVersion.version))).all()
        ] == [1, 2]
    changed = [began - 9 * DAY, began + timedelta(hours=3), ended]
    assert past.changes(numbered(71)) == tuple(changed)
    waited = [past.balance(numbered(71), [], moment).credit_in("NZD") for moment in changed]
    assert waited == [Decimal(50), Decimal(20), Decimal(0)]
    assert past.balance(numbered(71), [], changed[0] - timedelta(seconds=1)).credit_in("NZD") == 0
    assert past.unread == (CreditKind.CREDIT_NOTE, CreditKind.PREPAYMENT)


def test_the_command_tells_what_credit_held_and_which_of_it_was_never_read(
    ledger: Engine, tmp_path: Path
) -> None:
    today = system_clock().astimezone(ZONE).date()
    office = office_at(ledger, tmp_path, today, policy_text('credit = "any"', 'digest = "each"'))
    keeps(office, 1, 71, **due(today - 20 * DAY, DateString=f"{today - 40 * DAY}T00:00:00"))
    has_credit(office, 1, 71, "20", updated_at=at(today - 15 * DAY))
    other = tmp_path / "other.toml"
    other.write_text(policy_text('credit = "ignore"', 'digest = "each"'))
    shown = run(office, tmp_path, "backtest", "--months", "3", "--policy", str(other))
    assert shown.exit_code == 0, shown.output
    assert "Credit in credit notes and prepayments was never read from Xero" in shown.output
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown.output.splitlines()]
    for row in (
        ["invoice overdue, overdue to customer by sms", "1", "1"],
        ["invoice overdue, second to customer by sms", "0", "1"],
        ["invoice overdue, third to team:accounts by sms", "1", "1"],
        ["needs attention, credit_waits to team:accounts by sms", "1", "0"],
        ["the customer has credit in Xero that is not allocated to an invoice yet", "2", "0"],
    ):
        assert row in rows, shown.output
