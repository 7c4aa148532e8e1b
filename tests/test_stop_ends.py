"""What a STOP to an SMS ends: what goes to the number, or the customer's email too, as the policy has it."""

from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from sqlalchemy import Engine

from duebell.keys import INVOICE_OVERDUE
from duebell.ledger.inbound import keep_inbound
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.ledger.writing import writing
from duebell.showing import explaining
from duebell.twilio.inbound import read_inbound
from tests.support_backtest import DAY, played
from tests.support_facts import ACCOUNT, MOBILE, OURS, keep_contact, open_tenant, sid
from tests.support_overdue import TEAM_PHONE, Office, Phones, at, due, office_over, policy_text

DUE = date(2026, 11, 2)
MAIN, PERSON = "ana@rimu.example", "ben@rimu.example"
EVERYTHING = '[preferences]\nstop_ends = "everything"\n'
BOTH = 'channels = ["sms", "email"]\n'
ASKED = "the person asked for no more messages"


class Blocked(Phones):
    """Twilio, which knows of a STOP that was never seen here."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/v1/Emails" and parse_qs(request.content.decode())["To"] == [MOBILE]:
            return httpx.Response(400, json={"code": 21610, "message": "blocked", "status": 400})
        return super().__call__(request)


def office_of(
    engine: Engine, folder: Path, rest: str = "", overdue: str = BOTH, phones: Phones | None = None
) -> Office:
    """An invoice that is one day overdue, of a customer who has a number and an address."""
    open_tenant(engine)
    now, text = at(DUE), policy_text(overdue, rest=rest)
    office = office_over(engine, folder, now, text, email_from="Kauri <a@kauri.example>", phones=phones)
    person = {"FirstName": "Ben", "EmailAddress": PERSON, "IncludeInEmails": True}
    keep_contact(engine, read_at=now, EmailAddress=MAIN, ContactPersons=[person])
    office.keeps(1, **due(DUE), DateString="2026-10-02T00:00:00")
    office.later(days=1)
    return office


def texts(office: Office, word: str, number: int) -> None:
    fields = [("MessageSid", sid(900 + number)), ("AccountSid", ACCOUNT), ("From", MOBILE), ("To", OURS.own)]
    fields.append(("Body", word))
    with writing(office.engine, office.clock.now) as book:
        keep_inbound(book, read_inbound(fields), MOBILE, OURS)


def heard_on(office: Office, days: int) -> list[str]:
    """Who hears of the next stage, some days later."""
    before = len(office.phones.heard)
    office.later(days=days)
    office.day()
    return sorted(to for to, _ in office.phones.heard[before:])


@pytest.mark.parametrize(
    ("rest", "after_stop"),
    [("", [MAIN, PERSON]), ('[preferences]\nstop_ends = "sms"\n', [MAIN, PERSON]), (EVERYTHING, [PERSON])],
)
def test_after_stop_an_email_takes_over_or_not_and_after_start_an_sms_goes_again(
    ledger: Engine, tmp_path: Path, rest: str, after_stop: list[str]
) -> None:
    office = office_of(ledger, tmp_path, rest)
    assert heard_on(office, 0) == [MOBILE, PERSON]
    texts(office, "STOP", 1)
    assert heard_on(office, 6) == after_stop
    texts(office, "START", 2)
    assert heard_on(office, 7) == [TEAM_PHONE, MOBILE, PERSON]


def test_a_kind_that_goes_by_email_alone_is_ended_as_well(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = office_of(sqlite_ledger, tmp_path, EVERYTHING, 'channels = ["email"]\n')
    texts(office, "STOP", 1)
    assert heard_on(office, 0) == [PERSON]
    assert ("1", "overdue", "skipped", "opted_out") in office.stands()


def test_what_waits_to_go_by_email_is_decided_anew_once_somebody_stopped(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = office_of(sqlite_ledger, tmp_path, EVERYTHING, 'channels = ["email"]\ncontact_persons = false\n')
    [claim] = office.claims(office.sweeps().runs[0].record_ids)
    texts(office, "STOP", 1)
    office.says(claim)
    assert office.phones.heard == []
    assert office.stands() == [("1", "overdue", "skipped", "opted_out")]


@pytest.mark.parametrize(("rest", "reached"), [("", [MAIN, PERSON]), (EVERYTHING, [PERSON])])
def test_a_stop_that_twilio_tells_of_in_its_answer_ends_the_same(
    ledger: Engine, tmp_path: Path, rest: str, reached: list[str]
) -> None:
    office = office_of(ledger, tmp_path, rest, phones=Blocked())
    office.day()
    office.nets()
    assert sorted(to for to, _ in office.phones.heard) == reached
    ends = ("accepted", "") if MAIN in reached else ("skipped", "opted_out")
    assert ends in [(state, reason) for _, stage, state, reason in office.stands() if stage == "overdue"]


@pytest.mark.parametrize(("rest", "reached"), [("", [MAIN]), (EVERYTHING, [])])
def test_a_stop_that_twilio_tells_of_in_a_receipt_ends_the_same(
    ledger: Engine, tmp_path: Path, rest: str, reached: list[str]
) -> None:
    office = office_of(ledger, tmp_path, rest, f'{BOTH}contact_persons = false\nfall_back = "at_once"\n')
    assert heard_on(office, 0) == [MOBILE]
    keep_receipt(office.engine, NewReceipt(sid(1), "undelivered", 21610, None, "{}"), now=office.clock.now)
    office.nets()
    assert [to for to, _ in office.phones.heard[1:]] == reached


def test_a_number_that_cannot_be_reached_ends_nothing_else(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = office_of(sqlite_ledger, tmp_path, EVERYTHING, f"{BOTH}contact_persons = false\n")
    assert heard_on(office, 0) == [MOBILE]
    keep_receipt(office.engine, NewReceipt(sid(1), "undelivered", 21614, None, "{}"), now=office.clock.now)
    assert heard_on(office, 6) == [MAIN]


def explained(office: Office) -> list[Any]:
    return [
        step
        for person in explaining.explain(office.resources, "INV-0001", INVOICE_OVERDUE).people
        for step in person.steps
        if ASKED in step.what and step.details
    ]


def test_it_is_explained_that_the_stop_ended_the_email_and_decided_again_to_the_same(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = office_of(sqlite_ledger, tmp_path, EVERYTHING)
    office.day()
    texts(office, "STOP", 1)
    heard_on(office, 6)
    [step] = explained(office)
    assert (
        "who opted out at their number is told by email no more either, as stop_ends says in the policy"
        in step.details
    )
    assert step.details[-1] == "decided again from what was kept: the same"


@pytest.mark.parametrize(
    ("rest", "told"),
    [("", [("Rimu Test Limited", ("overdue",))]), (EVERYTHING, [("team:accounts", ("not_told",))])],
)
def test_a_backtest_says_what_the_setting_would_have_left_unsaid_and_who_hears_of_that(
    sqlite_ledger: Engine, tmp_path: Path, rest: str, told: list[tuple[str, tuple[str, ...]]]
) -> None:
    office = office_of(sqlite_ledger, tmp_path, rest, f"{BOTH}contact_persons = false\n")
    texts(office, "STOP", 1)
    said = played(office, at(DUE), at(DUE) + 3 * DAY)
    assert [(who, what) for _, who, what in said] == told
