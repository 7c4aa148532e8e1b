"""What a message told is known by that message, whoever joined or left its group since."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.ledger import preferences
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt
from duebell.ledger.writing import writing
from tests.support_facts import MOBILE, keep_contact, numbered, open_tenant, receipt
from tests.support_overdue import Office, at, due, office_over, policy_text

DUE = date(2026, 11, 2)  # a Monday
DAY = timedelta(days=1)
LIMITS = "[limits]\nreminders_a_day = 9\nreminders_a_week = 9\n"


def test_one_of_several_that_were_left_out_together_is_told_alone_when_it_is_asked_for(
    ledger: Engine, tmp_path: Path
) -> None:
    open_tenant(ledger)
    keep_contact(ledger, read_at=at(DUE - 30 * DAY))
    office = office_over(ledger, tmp_path, at(DUE + DAY), policy_text("gap_days = 0\n", rest=LIMITS))
    office.keeps(1, 2, **due(DUE))
    office.sweeps()
    [claim] = office.claims([*office.books])
    with writing(ledger, office.clock.now) as book:
        preferences.refuse_address(book, MOBILE, "sms", preferences.OPTED_OUT, "STOP")
    office.says(claim)
    assert states(office) == {"1": "skipped", "2": "skipped"}
    with writing(ledger, office.clock.now) as book:
        preferences.allow(book, MOBILE, "sms", "START")
    office.tells([numbered(1)])
    assert states(office) == {"1": "accepted", "2": "skipped"}


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    """A business whose first reminder, of two invoices, Twilio refused for want of capacity."""
    open_tenant(ledger)
    keep_contact(ledger, read_at=at(DUE - 30 * DAY))
    text = policy_text("gap_days = 0\n", rest=LIMITS)
    business = office_over(ledger, tmp_path, at(DUE + DAY), text)
    business.phones.answer = 429
    business.keeps(1, 2, **due(DUE))
    business.day()
    business.phones.answer = 201
    return business


def arrived_after_all(office: Office) -> None:
    """The network says that what Twilio refused was delivered."""
    with reading(office.engine) as session:
        first = session.exec(select(Attempt).order_by(col(Attempt.started_at))).all()[0]
    assert first.state == "not_processed"
    news = replace(receipt("delivered", 77), attempt_id=first.attempt_id)
    keep_receipt(office.engine, news, now=office.clock.now)


def states(office: Office) -> dict[str, str]:
    assert broken(office.engine) == []
    return {number: state for number, _, state, _ in office.stands()}


def test_an_invoice_that_joined_since_was_not_told_by_it_and_is_told(office: Office) -> None:
    office.keeps(3, **due(DUE))
    office.sweeps()
    arrived_after_all(office)
    assert states(office) == {"1": "delivered", "2": "delivered", "3": "planned"}
    office.later(minutes=20)
    office.nets()
    assert states(office)["3"] == "accepted"
    [told] = office.phones.heard
    assert "INV-0003" in told[1]
    assert "INV-0001" not in told[1]


def test_an_invoice_that_joined_since_and_was_told_by_the_next_is_not_told_again(office: Office) -> None:
    office.keeps(3, **due(DUE))
    office.sweeps()
    office.later(minutes=20)
    office.nets()
    assert states(office) == {"1": "accepted", "2": "accepted", "3": "accepted"}
    arrived_after_all(office)
    office.later(minutes=20)
    office.nets()
    assert set(states(office).values()) == {"delivered"}
    assert len(office.phones.heard) == 1


def test_an_invoice_that_left_it_since_was_told_by_it_all_the_same(office: Office) -> None:
    office.keeps(2, **due(DUE, Status="PAID", AmountDue=0))
    office.later(minutes=20)
    office.phones.answer = 429
    office.nets()
    assert states(office) == {"1": "planned", "2": "skipped"}
    arrived_after_all(office)
    assert states(office) == {"1": "delivered", "2": "delivered"}


def test_an_invoice_that_waits_by_itself_since_is_not_told_again(office: Office) -> None:
    promised = {"ExpectedPaymentDate": "2026-11-12T00:00:00"}
    office.keeps(2, **due(DUE, **promised))
    office.later(minutes=20)
    office.phones.answer = 429
    office.nets()
    assert states(office) == {"1": "planned", "2": "held"}
    arrived_after_all(office)
    assert states(office) == {"1": "delivered", "2": "delivered"}
    office.phones.answer = 201
    office.keeps(2, **due(DUE))
    office.later(days=1)
    office.day()
    assert office.phones.heard == []


def test_one_whose_claim_is_taken_meanwhile_goes_its_own_way(office: Office) -> None:
    office.keeps(3, **due(DUE))
    office.sweeps()
    office.later(minutes=20)
    [claim] = office.claims([*office.books])
    arrived_after_all(office)
    assert states(office) == {"1": "delivered", "2": "delivered", "3": "planned"}
    office.says(claim)
    assert office.phones.heard == []
    office.nets()
    [told] = office.phones.heard
    assert "INV-0003" in told[1]
