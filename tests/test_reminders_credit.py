"""A customer in credit is not chased, and a disputed invoice is not mentioned; both go on where they were."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from duebell.keys import INVOICE_OVERDUE
from duebell.policy.verdict import IN_WORDS, Reason
from duebell.sending.resending import resend
from duebell.states import NotificationState
from tests.support_facts import MOBILE, keep_contact, open_tenant
from tests.support_overdue import TEAM_PHONE, Office, at, due, has_credit, office_over, policy_text

S = NotificationState
DUE = date(2026, 11, 2)  # a Monday
DAY = timedelta(days=1)
HELD = ("1", "overdue", "held", "in_credit")


def started(engine: Engine, folder: Path, days_late: int = 1, text: str | None = None) -> Office:
    open_tenant(engine)
    keep_contact(engine)
    return office_over(engine, folder, at(DUE + days_late * DAY), text)


@pytest.fixture
def office(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    return started(sqlite_ledger, tmp_path)


def test_nobody_is_reminded_while_credit_that_covers_it_waits(office: Office) -> None:
    office.keeps(1, **due(DUE))
    has_credit(office, "115")
    office.day()
    assert office.stands() == [HELD]
    office.later(hours=1)
    has_credit(office, "0")  # refunded: the invoice is owed as before
    office.day()
    assert office.stands() == [("1", "overdue", "accepted", "")]


def test_credit_holds_only_where_it_covers_all_that_is_due_in_its_currency(office: Office) -> None:
    office.keeps(1, 2, **due(DUE))
    office.keeps(3, **due(DUE, CurrencyCode="AUD"))
    office.keeps(4, **due(DUE + 90 * DAY))
    has_credit(office, "229.99")
    office.day()
    assert len(office.phones.to(MOBILE)) == 1
    assert [state for *_, state, _ in office.stands()] == ["accepted", "accepted", "held"]


@pytest.mark.parametrize(("holds", "heard"), [("covers", 1), ("any", 0), ("ignore", 1)])
def test_a_little_credit_holds_as_the_policy_says(
    sqlite_ledger: Engine, tmp_path: Path, holds: str, heard: int
) -> None:
    office = started(sqlite_ledger, tmp_path, text=policy_text(f'credit = "{holds}"'))
    office.keeps(1, **due(DUE))
    has_credit(office, "20")
    office.day()
    assert len(office.phones.to(MOBILE)) == heard


def test_whoever_wants_a_reminder_said_again_is_told_that_credit_holds_it(office: Office) -> None:
    office.keeps(1, **due(DUE))
    office.day()
    office.later(hours=1)
    has_credit(office, "115")
    again = resend(office.resources, "INV-0001", by="person:test", why="it was lost", kind=INVOICE_OVERDUE)
    assert (again.state, again.waits) == (S.HELD, IN_WORDS[Reason.IN_CREDIT])
    office.later(days=1)
    has_credit(office, "0")
    office.day()
    assert [state for *_, state, _ in office.stands()] == [S.ACCEPTED, S.ACCEPTED]


def test_credit_that_comes_between_the_plan_and_the_message_holds_it(office: Office) -> None:
    office.keeps(1, **due(DUE))
    runs = office.sweeps().runs
    claims = office.claims(runs[0].record_ids)
    has_credit(office, "500")
    assert [(said.state, said.reason) for said in map(office.says, claims)] == [(S.HELD, "in_credit")]
    assert office.phones.heard == []


DISPUTED = """
[[rule]]
name = "disputed"
when = { kind = "invoice_overdue", %s }
then = { silence = true }
"""


@pytest.mark.parametrize(
    ("when", "marked", "unmarked"),
    [
        ('reference = "*DISPUTED*"', {"Reference": "PO 7 Disputed by phone"}, {"Reference": "PO 7"}),
        (
            'tracking = { category = "State", option = "Disputed" }',
            {"LineItems": [{"Tracking": [{"Name": "State", "Option": "Disputed"}]}]},
            {"LineItems": []},
        ),
    ],
)
def test_a_disputed_invoice_is_silent_until_its_mark_is_gone_and_goes_on_where_it_is_then(
    sqlite_ledger: Engine, tmp_path: Path, when: str, marked: dict[str, Any], unmarked: dict[str, Any]
) -> None:
    office = started(sqlite_ledger, tmp_path, text=policy_text(rest=DISPUTED % when))
    office.keeps(1, **due(DUE, **marked))
    for _ in range(14):
        office.day()
        office.later(days=1)
    assert office.phones.to(MOBILE) == []
    assert len(office.phones.to(TEAM_PHONE)) == 1  # the team hears of the third stage all the same
    office.keeps(1, **due(DUE, **unmarked))
    office.day()
    assert ("1", "third", "accepted", "") in office.stands()
    assert len(office.phones.to(MOBILE)) == 1
