"""A plan of payments dated ahead: each is told of on its day, and none as though the later ones were made."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from duebell.keys import PAYMENT_RECEIVED
from duebell.ledger.invariants import broken
from duebell.model import InvoicePayment
from duebell.render.wording_shapes import still_due
from duebell.sending.telling import render, tell
from tests.support_facts import MOBILE, an_invoice, keep_contact, numbered, open_tenant
from tests.support_overdue import TEAM_PHONE, Office, a_payment, at, due, office_over
from tests.test_team_news import news, policy

TODAY = date(2026, 11, 3)  # a Tuesday
DAY = timedelta(days=1)
THANKS = "Kauri Test Limited: thank you, we received"
EACH = 'digest = "each"'
CHANNELS = 'tell = ["customer", "team:accounts"]\nchannels = ["email"]'


def started(
    engine: Engine, folder: Path, team: str = EACH, kinds: str = 'tell = ["customer", "team:accounts"]'
) -> Office:
    """An invoice over 115 that was announced before, at 11 in the morning."""
    open_tenant(engine, short_code="!mBdtL")
    keep_contact(engine, EmailAddress="office@rimu.example")
    office = office_over(
        engine, folder, at(TODAY, 11), policy(team, kinds), email_from="accounts@kauri.example"
    )
    office.keeps(1, **due(TODAY + 60 * DAY), AmountPaid=0)
    office.runs(office.hears(1))
    return office


@pytest.fixture
def office(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    return started(sqlite_ledger, tmp_path)


def enters(office: Office, *plan: tuple[int, date], invoice: int = 1) -> None:
    """The payments of an invoice, all entered now: (amount, day)."""
    office.later(minutes=1)
    paid = sum(amount for amount, _ in plan)
    payments = [
        a_payment(10 * invoice + place, amount, day) for place, (amount, day) in enumerate(plan, start=1)
    ]
    settled: dict[str, Any] = {"Status": "PAID"} if paid == 115 else {}
    office.keeps(
        invoice,
        **due(TODAY + 60 * DAY),
        **settled,
        AmountPaid=paid,
        AmountDue=115 - paid,
        Payments=payments,
    )
    office.runs(office.hears(invoice))


def heard(office: Office, number: str) -> list[str]:
    """What was said of payments at a number or address."""
    return [text for text in office.phones.to(number) if "received" in text or " paid " in text]


def on(office: Office, day: date, hour: int = 10) -> None:
    """That hour of a later day comes, with what the sweep and the net do then."""
    office.clock.now = at(day, hour)
    office.day()
    office.nets()


def test_what_is_dated_ahead_is_still_to_pay_until_its_day(office: Office) -> None:
    enters(office, (20, TODAY), (95, TODAY + 30 * DAY))
    assert heard(office, MOBILE) == [f"{THANKS} $20.00 for invoice INV-0001. Still to pay: $95.00."]
    on(office, TODAY + 30 * DAY)
    [_, last] = heard(office, MOBILE)
    assert last == f"{THANKS} $95.00 for invoice INV-0001. It is now paid in full."
    assert broken(office.engine) == []


def test_each_instalment_says_what_is_left_on_its_day(office: Office) -> None:
    enters(office, (20, TODAY), (40, TODAY + DAY), (55, TODAY + 2 * DAY))
    on(office, TODAY + DAY)
    on(office, TODAY + 2 * DAY)
    assert [one.partition("INV-0001. ")[2] for one in heard(office, MOBILE)] == [
        "Still to pay: $95.00.",
        "Still to pay: $55.00.",
        "It is now paid in full.",
    ]


def nobody_reads(_tenant_id: str, _invoice_ids: Sequence[str], _since: datetime) -> None:
    raise AssertionError("what was read a minute ago is fresh")


def test_a_text_that_was_written_the_day_before_is_written_anew(office: Office) -> None:
    office.clock.now = at(TODAY, 23, 59)
    office.keeps(
        1,
        **due(TODAY + 60 * DAY, Status="PAID", AmountPaid=115, AmountDue=0),
        Payments=[a_payment(1, 20, TODAY), a_payment(2, 95, TODAY + DAY)],
    )
    office.hears(1)
    [claim] = office.claims([numbered(1)], kind=PAYMENT_RECEIVED)
    assert render(office.resources, claim) is None
    office.later(minutes=1)
    assert tell(office.resources, claim, nobody_reads, flow_run_id="run 1").state == "accepted"
    assert heard(office, MOBILE) == [f"{THANKS} $20.00 for invoice INV-0001. It is now paid in full."]


def test_an_email_lists_what_is_left_of_each_invoice(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = started(sqlite_ledger, tmp_path, kinds=CHANNELS)
    enters(office, (20, TODAY), (95, TODAY + 30 * DAY))
    [text] = heard(office, "office@rimu.example")
    assert "Invoice INV-0001: $95.00 still to pay." in text


def test_a_team_hears_of_a_payment_on_its_day_and_what_is_open_then(office: Office) -> None:
    enters(office, (20, TODAY), (40, TODAY + 30 * DAY), (55, TODAY + 31 * DAY))
    assert [one.split(". https")[0] for one in heard(office, TEAM_PHONE)] == [
        "Kauri Test Limited: Rimu Test Limited paid $20.00 for INV-0001, $95.00 still open"
    ]
    assert {reason for *_, reason in news(office, PAYMENT_RECEIVED)} == {"", "dated_ahead"}
    on(office, TODAY + 30 * DAY)
    on(office, TODAY + 31 * DAY)
    assert [one.split(". https")[0].partition("paid ")[2] for one in heard(office, TEAM_PHONE)[1:]] == [
        "$40.00 for INV-0001, $55.00 still open",
        "$55.00 for INV-0001",
    ]
    assert broken(office.engine) == []


def test_a_payment_that_bounces_before_its_day_is_told_to_nobody(office: Office) -> None:
    enters(office, (115, TODAY + 30 * DAY))
    assert (heard(office, MOBILE), heard(office, TEAM_PHONE)) == ([], [])
    enters(office)
    on(office, TODAY + 30 * DAY)
    assert (heard(office, MOBILE), heard(office, TEAM_PHONE)) == ([], [])
    assert news(office, PAYMENT_RECEIVED) == [("payment_received", "skipped", "payment_removed")]


def test_a_daily_message_tells_of_it_in_the_morning_of_its_day(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = started(sqlite_ledger, tmp_path, team="")
    enters(office, (115, TODAY + 3 * DAY))
    on(office, TODAY + DAY)
    assert heard(office, TEAM_PHONE) == []
    on(office, TODAY + 3 * DAY, hour=0)
    on(office, TODAY + 3 * DAY, hour=9)
    told = [one.split(". https")[0] for one in heard(office, TEAM_PHONE)]
    assert told == ["Kauri Test Limited: Rimu Test Limited paid $115.00 for INV-0001"]
    assert broken(office.engine) == []


def test_a_payment_of_an_amount_that_no_team_hears_of_stays_unsaid_on_its_day_too(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    kinds = 'tell = ["team:accounts"]\nteam_from = { NZD = 100 }'
    office = started(sqlite_ledger, tmp_path, kinds=kinds)
    enters(office, (20, TODAY + DAY))
    on(office, TODAY + DAY)
    assert news(office, PAYMENT_RECEIVED) == [("payment_received", "skipped", "below_team_from")]


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(-5, 5)), max_size=5), st.integers(-6, 6))
def test_what_is_due_on_a_day_and_what_was_paid_by_then_are_the_whole(
    plan: list[tuple[int, int]], offset: int
) -> None:
    payments = tuple(
        InvoicePayment(numbered(place), Decimal(amount), TODAY + ahead * DAY)
        for place, (amount, ahead) in enumerate(plan)
    )
    paid = sum(amount for amount, _ in plan)
    invoice = an_invoice(payments=payments, amount_due=Decimal(115 - paid))
    by_then = sum(amount for amount, ahead in plan if ahead <= offset)
    assert still_due(invoice, TODAY + offset * DAY) + by_then == 115
