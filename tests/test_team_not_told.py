"""That a customer could not be told is told to a team while somebody has to see to it, and no longer."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.keys import INVOICE_OVERDUE, NEEDS_ATTENTION
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt, Notification
from duebell.planning.draining import RunToStart
from duebell.sending.resending import resend
from duebell.states import AttemptState, NotificationState
from tests.support_facts import conclude, keep_contact, numbered, open_tenant, receipt
from tests.support_overdue import TEAM_PHONE, Office, a_payment, at, due, office_over, policy_text

DUE = date(2026, 11, 2)  # a Monday
DAY = timedelta(days=1)
ANY_TIME = 'opens = "00:00"\ncloses = "00:00"'
HOURS = 'opens = "09:00"\ncloses = "17:00"\nclock = "organisation"'

CAME_BACK = Conclusion(
    AttemptState.ACCEPTED, NotificationState.UNDELIVERED, reason="email:bounce", provider_status="undelivered"
)


def started(engine: Engine, folder: Path, overdue: str = "", **contact: Any) -> Office:
    """The day of a stage, with a team that hears of each day on the next morning."""
    open_tenant(engine)
    keep_contact(engine, **contact)
    head, team = policy_text(overdue).split("[team.accounts]")
    text = head + "[team.accounts]" + team.replace(ANY_TIME, HOURS)
    return office_over(engine, folder, at(DUE + DAY, 11), text, email_from="us@kauri.example")


def comes_back(office: Office, number: int = 1) -> None:
    """The reminder of this message did not arrive, and the sweep sees it."""
    keep_receipt(office.engine, receipt("undelivered", number, code=30003), now=office.clock.now)
    office.later(hours=1)
    office.day()


def told(office: Office) -> list[tuple[str, str]]:
    """What stands for the team of who could not be told: state and reason."""
    with reading(office.engine) as session:
        wanted = select(Notification).where(Notification.kind == NEEDS_ATTENTION)
        rows = session.exec(wanted.order_by(col(Notification.notification_id))).all()
    return [(row.state, row.reason) for row in rows]


def morning(office: Office) -> list[str]:
    """What the team has heard on the next morning."""
    office.clock.now = at(DUE + 2 * DAY, 9, 3)
    office.day()
    return office.phones.to(TEAM_PHONE)


def test_what_a_person_had_said_again_is_seen_to(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = started(sqlite_ledger, tmp_path)
    office.keeps(1, **due(DUE))
    office.day()
    comes_back(office)
    assert told(office) == [("held", "digest")]
    resend(office.resources, "INV-0001", by="person:test", why="it was off", kind=INVOICE_OVERDUE)
    office.tells([numbered(1)])
    keep_receipt(office.engine, receipt("delivered", 2), now=office.clock.now)
    assert morning(office) == []
    assert told(office) == [("skipped", "seen_to")]
    assert broken(office.engine) == []


def test_what_did_not_arrive_when_it_was_said_again_is_told(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = started(sqlite_ledger, tmp_path)
    office.keeps(1, **due(DUE))
    office.day()
    comes_back(office)
    resend(office.resources, "INV-0001", by="person:test", why="it was off", kind=INVOICE_OVERDUE)
    office.tells([numbered(1)])
    comes_back(office, 2)
    [said] = morning(office)
    assert "not told, the message could not be delivered" in said


@pytest.mark.parametrize(
    "since",
    [{"Status": "PAID", "AmountDue": 0, "AmountPaid": 115}, {"Status": "VOIDED", "AmountDue": 0}],
    ids=["paid", "voided"],
)
@pytest.mark.parametrize("phones", [None, []], ids=["it came back", "no number"])
def test_what_nothing_is_owed_on_by_the_morning_needs_nobody(
    sqlite_ledger: Engine, tmp_path: Path, since: dict[str, Any], phones: list[Any] | None
) -> None:
    contact: dict[str, Any] = {} if phones is None else {"Phones": phones}
    office = started(sqlite_ledger, tmp_path, **contact)
    office.keeps(1, **due(DUE))
    office.day()
    if phones is None:
        comes_back(office)
    assert told(office) == [("held", "digest")]
    office.keeps(1, **due(DUE, **since))
    office.runs(office.hears(1))
    assert morning(office) == []
    assert told(office) == [("skipped", "seen_to")]
    assert broken(office.engine) == []


def is_paid(office: Office, amount: int = 115) -> list[RunToStart]:
    """The customer has paid so much of the 115; returns the runs that follow."""
    whole = {"Status": "PAID"} if amount == 115 else {}
    paid = [a_payment(1, amount, DUE + DAY)]
    office.keeps(1, **due(DUE, AmountDue=115 - amount, AmountPaid=amount, Payments=paid, **whole))
    return office.hears(1)


@pytest.mark.parametrize("amount", [115, 40])
def test_that_nobody_could_be_thanked_for_a_payment_needs_somebody_while_something_is_owed(
    sqlite_ledger: Engine, tmp_path: Path, amount: int
) -> None:
    office = started(sqlite_ledger, tmp_path, Phones=[])
    office.keeps(1, **due(DUE + 30 * DAY))
    office.hears(1)
    office.later(hours=1)
    is_paid(office, amount)
    office.day()
    said = morning(office)
    if amount == 115:
        assert said == []
    else:
        assert "$75.00: not told, the contact has no usable mobile number" in said[0]


def test_the_message_of_a_payment_that_went_astray_needs_somebody_though_all_is_paid(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = started(sqlite_ledger, tmp_path)
    office.keeps(1, **due(DUE))
    office.hears(1)
    office.later(hours=1)
    office.runs(is_paid(office))
    assert "we received $115.00" in office.phones.heard[-1][1]
    comes_back(office, len(office.phones.heard))
    [said] = morning(office)
    assert "Rimu Test Limited, INV-0001: not told, the message could not be delivered." in said


@pytest.mark.parametrize("phones", [None, []], ids=["told by SMS", "told by nothing"])
def test_the_customer_was_told_though_a_further_person_was_not(
    sqlite_ledger: Engine, tmp_path: Path, phones: list[Any] | None
) -> None:
    """The customer has a message of its own, which tells or does not tell of it."""
    ana = {"FirstName": "Ana", "EmailAddress": "ana@rimu.example", "IncludeInEmails": True}
    contact = {"ContactPersons": [ana]} | ({} if phones is None else {"Phones": phones})
    office = started(sqlite_ledger, tmp_path, 'channels = ["sms", "email"]', **contact)
    office.keeps(1, **due(DUE))
    office.day()
    assert "ana@rimu.example" in dict(office.phones.heard)
    with reading(office.engine) as session:
        email = session.exec(select(Attempt).where(Attempt.address == "ana@rimu.example")).one()
    conclude(office.engine, CAME_BACK, email.attempt_id, now=office.clock.now)
    assert ["not told" in said for said in morning(office)] == ([] if phones is None else [True])
