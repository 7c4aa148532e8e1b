"""An outage of Twilio's, or of the way there, puts messages off; it costs nobody theirs."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from duebell.ledger.invariants import broken
from tests.support_facts import MOBILE, keep_contact, open_tenant
from tests.support_overdue import Office, at, due, office_over, policy_text

DUE = date(2026, 11, 2)
DAY = timedelta(days=1)
EMAIL = "rimu@customer.example"


@pytest.fixture
def office(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger)
    return office_over(sqlite_ledger, tmp_path, at(DUE + DAY))


@pytest.mark.parametrize("hours", [1, 5, 18])
def test_who_was_to_be_told_while_twilio_takes_nothing_is_told_once_when_it_does_again(
    office: Office, hours: int
) -> None:
    office.keeps(1, **due(DUE))
    office.phones.answer = 429
    office.day()
    for _ in range(hours * 6):
        office.later(minutes=10)
        office.nets()
    office.phones.answer = 201
    assert office.phones.heard == []
    for _ in range(9):  # within the hour and a half that the longest wait may take
        office.later(minutes=10)
        office.nets()
    assert len(office.phones.to(MOBILE)) == 1
    assert office.stands() == [("1", "overdue", "accepted", "")]
    assert broken(office.engine) == []


def cut_off_from_sms(engine: Engine, folder: Path, fall_back: str) -> Office:
    """A reminder is due to a customer who has an email address too, and Twilio takes no SMS."""
    open_tenant(engine)
    keep_contact(engine, EmailAddress=EMAIL, read_at=at(DUE))
    text = policy_text(f'channels = ["sms", "email"]\nfall_back = "{fall_back}"\n')
    office = office_over(engine, folder, at(DUE + DAY), text, email_from="us@kauri.example")
    office.keeps(1, **due(DUE))
    office.phones.answer = 429
    office.day()
    return office


@pytest.mark.parametrize("fall_back", ["at_once", "next_day"])
def test_who_has_another_way_is_told_by_that_soon(
    sqlite_ledger: Engine, tmp_path: Path, fall_back: str
) -> None:
    """No SMS went out, so that neither day nor policy has anything against the email."""
    office = cut_off_from_sms(sqlite_ledger, tmp_path, fall_back)
    for _ in range(20):
        office.later(minutes=4)
        office.nets()
    office.phones.answer = 201
    office.later(hours=24)
    office.nets()
    assert [to for to, _ in office.phones.heard] == [EMAIL]
    assert broken(office.engine) == []


def test_who_wants_no_other_way_waits_for_the_first(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = cut_off_from_sms(sqlite_ledger, tmp_path, "never")
    for _ in range(12):
        office.later(minutes=10)
        office.nets()
    assert office.stands() == [("1", "overdue", "planned", "tried_too_often")]
    office.phones.answer = 201
    office.later(hours=1.5)
    office.nets()
    assert [to for to, _ in office.phones.heard] == [MOBILE]
