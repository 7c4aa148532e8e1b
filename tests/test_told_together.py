"""What a message told is known by that message, whoever joined or left its group since."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.ledger import preferences
from duebell.ledger.engine import reading
from duebell.ledger.evidence import Conclusion, conclude
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt
from duebell.ledger.writing import writing
from duebell.states import AttemptState, NotificationState
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


def told_by_the_second_alone(office: Office) -> None:
    """One left since the first message was refused, another joined, and a second is about to be sent."""
    office.keeps(2, **due(DUE, Status="PAID", AmountDue=0))
    office.keeps(3, **due(DUE))
    office.sweeps()
    office.later(minutes=20)


def the_second(office: Office) -> str:
    """The attempt of the second message."""
    with reading(office.engine) as session:
        return session.exec(select(Attempt.attempt_id).order_by(col(Attempt.started_at).desc())).all()[0]


def concluded(office: Office, attempt_state: AttemptState, state: NotificationState) -> None:
    """What is known of the second message now."""
    again = office.clock.now if state is NotificationState.PLANNED else None
    known = Conclusion(attempt_state, state, "as the test has it", not_before=again)
    with writing(office.engine, office.clock.now) as book:
        conclude(book, the_second(office), known)


@pytest.fixture
def in_doubt(office: Office) -> Office:
    """The same, where nobody knows what became of a second message, and the first turned out to be there."""
    told_by_the_second_alone(office)
    office.phones.answer = 500
    office.nets()
    assert states(office) == {"1": "unknown", "2": "skipped", "3": "unknown"}
    arrived_after_all(office)
    assert states(office)["1"] == "delivered"
    office.phones.answer = 201
    return office


def test_an_invoice_that_the_second_message_alone_was_to_tell_is_told_where_that_one_never_was(
    in_doubt: Office,
) -> None:
    concluded(in_doubt, AttemptState.NOT_PROCESSED, NotificationState.PLANNED)
    assert states(in_doubt) == {"1": "delivered", "2": "delivered", "3": "planned"}
    in_doubt.later(minutes=20)
    in_doubt.nets()
    [told] = in_doubt.phones.heard
    assert "INV-0003" in told[1]
    assert "INV-0001" not in told[1]
    assert states(in_doubt) == {"1": "delivered", "2": "delivered", "3": "accepted"}


def test_an_invoice_that_the_second_message_alone_may_have_told_is_left_to_a_person(in_doubt: Office) -> None:
    concluded(in_doubt, AttemptState.PARKED, NotificationState.PARKED)
    assert states(in_doubt) == {"1": "delivered", "2": "delivered", "3": "parked"}
    second = the_second(in_doubt)
    late = replace(receipt("delivered", 78), attempt_id=second)
    keep_receipt(in_doubt.engine, late, now=in_doubt.clock.now)
    assert set(states(in_doubt).values()) == {"delivered"}


def test_an_invoice_that_the_second_message_alone_told_did_not_arrive_with_the_first(
    in_doubt: Office,
) -> None:
    second = the_second(in_doubt)
    for status in ("sent", "undelivered"):
        late = replace(receipt(status, 78), attempt_id=second)
        keep_receipt(in_doubt.engine, late, now=in_doubt.clock.now)
    assert states(in_doubt) == {"1": "delivered", "2": "delivered", "3": "undelivered"}


def test_where_the_first_turns_out_to_be_there_while_the_second_is_refused_the_rest_is_told(
    office: Office,
) -> None:
    told_by_the_second_alone(office)
    office.phones.answer = 429
    office.phones.meanwhile = lambda: arrived_after_all(office)
    office.nets()
    assert states(office) == {"1": "delivered", "2": "delivered", "3": "planned"}
    office.phones.answer = 201
    office.later(minutes=20)
    office.nets()
    [told] = office.phones.heard
    assert "INV-0003" in told[1]
    assert "INV-0001" not in told[1]
