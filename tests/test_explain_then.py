"""What is explained for a time that is past rests on nothing that came later, or says what may not be so."""

from datetime import date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import update
from typer.testing import CliRunner

from deployments.cli import app
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger import preferences
from duebell.ledger.inbound import keep_inbound
from duebell.ledger.tables import Tenant
from duebell.ledger.writing import writing
from duebell.showing import explaining
from duebell.twilio.inbound import read_inbound
from tests.support_facts import ACCOUNT, MOBILE, OTHER_MOBILE, OURS, keep_contact, open_tenant, sid
from tests.support_office import environment_of
from tests.support_overdue import TEAM_PHONE, Office, at, due, has_credit, office_over, policy_text

DUE = date(2026, 11, 2)
NOON = datetime(2026, 11, 3, 12)  # noqa: DTZ001 - on the organisation's clock
GOES_OUT = "stage overdue, to the customer: goes out by sms to +64•••••567"
NOT_SAID = "stage overdue, to the customer: is not said: the person asked for no more messages"


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    """An invoice that is due, with a stage on the third at which no sweep ever looked."""
    open_tenant(ledger)
    office = office_over(ledger, tmp_path, at(DUE), policy_text())
    keep_contact(ledger, read_at=office.clock.now)
    office.keeps(1, **due(DUE), DateString="2026-10-02T00:00:00")
    return office


def texts(office: Office, word: str, when: datetime) -> None:
    office.clock.now = when
    number = int(when.timestamp())
    fields = [("MessageSid", sid(number)), ("AccountSid", ACCOUNT), ("From", MOBILE), ("To", OURS.own)]
    fields.append(("Body", word))
    with writing(office.engine, when) as book:
        keep_inbound(book, read_inbound(fields), MOBILE, OURS)


def said_of(office: Office, then: datetime) -> tuple[str, tuple[str, ...]]:
    """What is said of the reminder, and what of that is said not to be as of then: asked an hour later, or
    when the clock says already.
    """
    office.clock.now = max(office.clock.now, at(date(2026, 11, 3), 13))
    found = explaining.explain(office.resources, "INV-0001", INVOICE_OVERDUE, then)
    [(_, why)] = found.silent
    return why, found.not_of_then


def test_a_stop_that_came_later_is_left_out_and_that_is_said(office: Office) -> None:
    texts(office, "STOP", at(date(2026, 11, 5), 9))
    why, not_of_then = said_of(office, NOON)
    assert why.startswith(GOES_OUT)
    assert not_of_then[0] == (
        "what was noted 05 Nov 2026 09:00 for or against writing to +64•••••567 is left out, "
        "and whether anything stood against it before is not kept"
    )


def test_a_stop_of_before_is_heeded_also_where_it_was_taken_back_or_said_again_since(office: Office) -> None:
    texts(office, "STOP", at(date(2026, 11, 3), 9))
    assert said_of(office, NOON)[0] == NOT_SAID
    texts(office, "STOP", at(date(2026, 11, 4), 9))
    why, not_of_then = said_of(office, NOON)
    assert (why, len(not_of_then)) == (NOT_SAID, 1)
    texts(office, "START", at(date(2026, 11, 5), 9))
    why, not_of_then = said_of(office, NOON)
    assert (why, len(not_of_then)) == (NOT_SAID, 1)


def test_a_start_of_before_outweighs_the_stop_before_it(office: Office) -> None:
    texts(office, "STOP", at(DUE, 9))
    texts(office, "START", at(DUE, 10))
    assert said_of(office, NOON)[0].startswith(GOES_OUT)
    texts(office, "STOP", at(date(2026, 11, 5), 9))
    assert said_of(office, NOON)[0].startswith(GOES_OUT)


def test_a_number_of_then_is_looked_up_and_not_the_number_of_today(office: Office) -> None:
    texts(office, "STOP", at(date(2026, 11, 3), 9))
    keep_contact(office.engine, mobile=OTHER_MOBILE, read_at=at(date(2026, 11, 5)))
    office.clock.now = at(date(2026, 11, 5))
    assert said_of(office, NOON)[0] == NOT_SAID


def test_a_team_s_number_that_was_found_bad_later_was_good_then(office: Office) -> None:
    office.clock.now = at(date(2026, 11, 20))
    with writing(office.engine, office.clock.now) as book:
        preferences.refuse_address(book, TEAM_PHONE, "sms", preferences.INVALID, "twilio:21211")
    then = datetime(2026, 11, 16, 12)  # noqa: DTZ001 - on the organisation's clock
    found = explaining.explain(office.resources, "INV-0001", INVOICE_OVERDUE, then)
    assert any("to the team:accounts: goes out by sms" in why for _, why in found.silent)


def test_credit_of_three_decimals_is_said_whole(office: Office) -> None:
    has_credit(office, "10.125", "KWD")
    [said] = said_of(office, NOON)[1]
    assert said.endswith("that 10.125 KWD of the customer's credit waits in Xero")


def test_what_is_of_today_is_said_and_only_of_a_time_that_is_past(office: Office, tmp_path: Path) -> None:
    with writing(office.engine, office.clock.now) as book:
        book.session.exec(update(Tenant).values(sending="review"))
    assert said_of(office, NOON)[1] == (
        "it is taken as it is today that the organisation's sending is review, and that no credit of the "
        "customer waits in Xero",
    )
    assert explaining.explain(office.resources, "INV-0001", INVOICE_OVERDUE).not_of_then == ()
    url = office.engine.url.render_as_string(hide_password=False)
    environment = environment_of(tmp_path / "home", url, "http://127.0.0.1:9")
    environment |= {"DUEBELL_POLICY": str(tmp_path / "policy.toml"), "COLUMNS": "300"}
    shown = CliRunner().invoke(app, ["explain", "INV-0001", "--at", "2026-11-03 12:00"], env=environment)
    assert "Not as of then: it is taken as it is today that" in shown.output
