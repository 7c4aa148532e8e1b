"""What its own message, proven late, told stands by that one, also where it is told in another's since."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.ledger.attempts import reap
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt, Notification
from duebell.ledger.writing import writing
from tests.support_facts import keep_contact, numbered, open_tenant, receipt
from tests.support_overdue import Office, at, due, office_over, policy_text

DUE = date(2026, 11, 2)  # a Monday
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
LIMITS = "[limits]\nreminders_a_day = 9\nreminders_a_week = 9\n"
PROMISED = {"ExpectedPaymentDate": "2026-11-12T00:00:00"}


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    """A business whose reminder of its second invoice Twilio refused; the first was promised, and is no more.

    From now on the second is told in the message of the first.
    """
    business = with_a_promise(ledger, tmp_path)
    business.phones.answer = 201
    business.keeps(1, **due(DUE))
    business.later(minutes=20)
    business.sweeps()
    assert leads(business) == {"2": "1"}
    return business


def with_a_promise(ledger: Engine, tmp_path: Path, *further: int) -> Office:
    """The same before that: one invoice is promised, and Twilio refuses the reminder of all others."""
    open_tenant(ledger)
    keep_contact(ledger, read_at=at(DUE - 30 * DAY))
    text = policy_text("gap_days = 0\n", rest=LIMITS)
    business = office_over(ledger, tmp_path, at(DUE + DAY), text)
    business.keeps(1, **due(DUE, **PROMISED))
    business.keeps(2, *further, **due(DUE))
    business.phones.answer = 429
    business.day()
    assert states(business).pop("1") == "held"
    return business


def states(office: Office) -> dict[str, str]:
    assert broken(office.engine) == []
    return {number: state for number, _, state, _ in office.stands()}


def leads(office: Office) -> dict[str, str]:
    """The invoice in whose message another is told."""
    with reading(office.engine) as session:
        rows = {row.notification_id: row for row in session.exec(select(Notification)).all()}
    numbers = {key: str(int(row.invoice_id[-4:], 16) & 0xFFF) for key, row in rows.items()}
    return {numbers[key]: numbers[row.lead_id] for key, row in rows.items() if row.lead_id is not None}


def arrived_after_all(office: Office) -> None:
    """The network says that the refused message was delivered."""
    with reading(office.engine) as session:
        first = session.exec(select(Attempt.attempt_id).order_by(col(Attempt.started_at))).all()[0]
    keep_receipt(office.engine, replace(receipt("delivered", 77), attempt_id=first), now=office.clock.now)


def nobody_is_told_of_the_second_again(office: Office) -> None:
    for _ in range(3):
        office.later(minutes=20)
        with writing(office.engine, office.clock.now) as book:
            reap(book, MINUTE)
        office.nets()
    assert states(office) == {"1": "accepted", "2": "delivered"}
    [told] = office.phones.heard
    assert "INV-0001" in told[1]
    assert "INV-0002" not in told[1]


def test_the_other_message_is_sent_without_it(office: Office) -> None:
    arrived_after_all(office)
    assert states(office) == {"1": "planned", "2": "delivered"}
    nobody_is_told_of_the_second_again(office)


def test_so_is_one_that_a_run_has_claimed_meanwhile(office: Office) -> None:
    [claim] = office.claims([numbered(1), numbered(2)])
    arrived_after_all(office)
    assert states(office) == {"1": "claimed", "2": "delivered"}
    office.says(claim)
    nobody_is_told_of_the_second_again(office)


def test_it_is_told_even_while_the_other_message_is_refused(office: Office) -> None:
    office.phones.answer = 429
    office.phones.meanwhile = lambda: arrived_after_all(office)
    office.tells([numbered(1)])
    assert states(office) == {"1": "planned", "2": "delivered"}
    office.phones.answer = 201
    nobody_is_told_of_the_second_again(office)


def test_it_is_told_where_nobody_knows_what_became_of_the_other_message(office: Office) -> None:
    office.phones.answer = 500
    office.tells([numbered(1)])
    assert states(office) == {"1": "unknown", "2": "unknown"}
    arrived_after_all(office)
    assert states(office) == {"1": "unknown", "2": "delivered"}


def test_where_the_other_message_told_it_too_it_was_told_by_the_one_that_got_further(office: Office) -> None:
    office.tells([numbered(1)])
    assert states(office) == {"1": "accepted", "2": "accepted"}
    arrived_after_all(office)
    assert states(office) == {"1": "accepted", "2": "delivered"}


def test_what_its_own_message_told_beside_it_was_told_too(ledger: Engine, tmp_path: Path) -> None:
    office = with_a_promise(ledger, tmp_path, 3)
    office.phones.answer = 201
    office.keeps(1, **due(DUE))
    office.keeps(3, **due(DUE, Status="PAID", AmountDue=0))
    office.later(minutes=20)
    office.sweeps()
    assert leads(office) == {"2": "1"}
    office.tells([numbered(1)])
    assert states(office) == {"1": "accepted", "2": "accepted", "3": "skipped"}
    keep_receipt(office.engine, receipt("delivered", 1), now=office.clock.now)
    arrived_after_all(office)
    assert states(office) == {"1": "delivered", "2": "delivered", "3": "delivered"}


def test_its_claims_stay_counted_while_it_is_told_in_anothers_message(ledger: Engine, tmp_path: Path) -> None:
    office = with_a_promise(ledger, tmp_path)
    office.later(minutes=20)
    office.nets()  # refused once more
    office.keeps(1, **due(DUE))
    office.later(minutes=40)
    office.sweeps()
    assert leads(office) == {"2": "1"}
    [claim] = office.claims([numbered(1), numbered(2)])
    assert states(office) == {"1": "claimed", "2": "claimed"}
    office.keeps(1, **due(DUE, **PROMISED))
    office.says(claim)
    office.later(minutes=20)
    office.nets()
    assert states(office) == {"1": "held", "2": "planned"}
    with reading(office.engine) as session:
        assert sorted(session.exec(select(Attempt.lease_token)).all()) == [1, 2, 3]
