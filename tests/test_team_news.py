"""What a team hears beside the stages: each once, by its own hours, and a day's news in one message."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.keys import INVOICE_ISSUED, NEEDS_ATTENTION, PAYMENT_RECEIVED
from duebell.ledger import dispatch, preferences
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.ledger.writing import writing
from duebell.planning.sweeping import choose
from duebell.sending.giving_back import hold_cancelled
from tests.support_facts import MOBILE, TENANT, keep_contact, open_tenant
from tests.support_overdue import (
    OTHER_TEAM_PHONE,
    TEAM_PHONE,
    Office,
    a_payment,
    at,
    day_of,
    due,
    office_over,
    policy_text,
)

DUE = date(2026, 11, 2)  # a Monday
DAY = timedelta(days=1)
TOLD = 'tell = ["customer", "team:accounts"]'
ANY_TIME = 'opens = "00:00"\ncloses = "00:00"'
OFFICE = 'opens = "09:00"\ncloses = "17:00"\nclock = "organisation"'


def policy(team: str = "", kinds: str = TOLD) -> str:
    """Both kinds of news told to the customer and to the team, whose hours are from 9 to 17."""
    text = policy_text(team=team)
    text = text.replace("[payment_received]\n", f"[payment_received]\n{kinds}\n")
    text = text.replace("[invoice_issued]\n", f"[invoice_issued]\n{kinds}\n")
    head, section = text.split("[team.accounts]")
    return head + "[team.accounts]" + section.replace(ANY_TIME, OFFICE)


def started(engine: Engine, folder: Path, text: str | None = None, **contact: Any) -> Office:
    open_tenant(engine, short_code="!mBdtL")
    keep_contact(engine, **contact)
    return office_over(engine, folder, at(DUE + DAY, 11), text or policy())


@pytest.fixture
def office(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    return started(sqlite_ledger, tmp_path)


def news(office: Office, *kinds: str) -> list[tuple[str, str, str]]:
    """What stands for the team: kind, state, and its reason."""
    with reading(office.engine) as session:
        rows = session.exec(
            select(Notification)
            .where(col(Notification.recipient).startswith("team:"), col(Notification.kind).in_(kinds))
            .order_by(col(Notification.notification_id))
        ).all()
    return [(row.step.partition("@")[0] or row.kind, row.state, row.reason) for row in rows]


def issued(office: Office, *numbers: int, **fields: Any) -> None:
    today = office.clock.now.date() + DAY
    office.keeps(*numbers, **due(DUE + 60 * DAY, DateString=f"{today}T00:00:00", **fields))
    office.runs(office.hears(*numbers))


def test_a_days_news_is_one_message_on_the_next_morning_with_the_stages_of_that_day(office: Office) -> None:
    office.keeps(9, **due(DUE - 12 * DAY))  # tomorrow its third stage comes, of which the team hears
    issued(office, 1, 2)
    office.later(hours=2)
    office.keeps(
        1, **due(DUE + 60 * DAY, AmountDue=75, AmountPaid=40, Payments=[a_payment(1, 40, DUE + DAY)])
    )
    office.runs(office.hears(1))
    assert office.phones.to(TEAM_PHONE) == []
    office.clock.now = at(DUE + 2 * DAY, 9, 3)
    office.day()
    [told] = office.phones.to(TEAM_PHONE)
    assert told.startswith("Kauri Test Limited today: 1 invoice to follow up, $115.00.")
    assert "1 payment, $40.00. 2 invoices issued, $230.00." in told
    assert {state for _, state, _ in news(office, INVOICE_ISSUED, PAYMENT_RECEIVED)} == {"accepted"}
    for hour in range(10, 17):
        office.clock.now = at(DUE + 2 * DAY, hour, 3)
        office.day()
        office.nets()
    assert len(office.phones.to(TEAM_PHONE)) == 1
    assert broken(office.engine) == []


def test_a_daily_message_that_a_person_runs_again_tells_the_rest_though_its_first_news_is_over(
    office: Office,
) -> None:
    issued(office, 1, 2)
    office.clock.now = at(DUE + 2 * DAY, 9, 3)
    [run] = office.sweeps().runs
    [claim] = office.claims(run.record_ids, kind=run.kind)
    hold_cancelled(office.resources, claim)
    office.keeps(1, **due(DUE + 60 * DAY, Status="VOIDED", AmountDue=0))
    office.hears(1)
    with writing(office.engine, office.clock.now) as book:
        assert dispatch.wait_for_person(book.session, TENANT, run.kind, run.record_ids)
        dispatch.run_again(book, TENANT, run.kind, run.record_ids, "run 2")
    office.tells(run.record_ids, run.kind)
    assert [one.split(" to ")[0] for one in office.phones.to(TEAM_PHONE)] == [
        "Kauri Test Limited: issued: INV-0002"
    ]
    assert broken(office.engine) == []


def test_where_no_sweep_comes_the_net_puts_the_daily_message_together(office: Office) -> None:
    issued(office, 1, 2)
    office.clock.now = at(DUE + 2 * DAY, 9, 30)
    assert office.nets() == []
    office.clock.now = at(DUE + 2 * DAY, 10, 31)
    office.nets()
    [told] = office.phones.to(TEAM_PHONE)
    assert told.startswith(
        "Kauri Test Limited: 2 invoices issued, $230.00 in all. First: INV-0001 to Rimu Test"
    )
    assert broken(office.engine) == []


def test_a_team_that_wants_each_hears_at_once_and_from_its_amount_on(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    text = policy('digest = "each"', f"{TOLD}\nteam_from = {{ NZD = 100 }}")
    office = started(sqlite_ledger, tmp_path, text)
    issued(office, 1)
    issued(office, 2, Total=99, AmountDue=99)
    assert [one.split(". https")[0] for one in office.phones.to(TEAM_PHONE)] == [
        "Kauri Test Limited: issued: INV-0001 to Rimu Test Limited for $115.00"
    ]
    assert [reason for *_, reason in news(office, INVOICE_ISSUED)] == ["", "below_team_from"]
    assert len(office.phones.to(MOBILE)) == 2


def test_an_address_that_is_listed_in_two_spellings_hears_of_it_once(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    emails = 'digest = "each"\nemails = ["Ana@kauri.example", "ana@Kauri.example"]'
    text = policy(emails).replace(f'phones = ["{TEAM_PHONE}"]\n', "")
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger)
    office = office_over(sqlite_ledger, tmp_path, at(DUE + DAY, 11), text, email_from="bills@kauri.example")
    issued(office, 1)
    assert news(office, INVOICE_ISSUED) == [("invoice_issued", "accepted", "")]


def test_a_kind_that_names_no_customer_is_told_to_the_team_alone(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = started(sqlite_ledger, tmp_path, policy('digest = "each"', 'tell = ["team:accounts"]'))
    issued(office, 1)
    assert (len(office.phones.to(MOBILE)), len(office.phones.to(TEAM_PHONE))) == (0, 1)


def test_who_could_not_be_told_is_told_to_the_team_once_however_many_stages_come(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = started(sqlite_ledger, tmp_path, policy('digest = "each"', ""), Phones=[])
    office.keeps(1, **due(DUE))
    for _ in range(12):
        office.day()
        office.later(days=1)
    attention = [one for one in office.phones.to(TEAM_PHONE) if "not told" in one]
    assert [one.split(" https")[0] for one in attention] == [
        "Kauri Test Limited: Rimu Test Limited, INV-0001, $115.00: not told, the contact has no usable "
        "mobile number."
    ]
    assert broken(office.engine) == []


@pytest.mark.parametrize("last", [date(2026, 10, 23), date(2026, 4, 2), date(2026, 10, 16)])
def test_who_could_not_be_told_on_the_evening_before_closed_days_is_told_to_the_team_after_them(
    sqlite_ledger: Engine, tmp_path: Path, last: date
) -> None:
    """Labour Day's weekend, Easter's and a plain one, with the hours that the policy is shipped with."""
    text = f'[invoice_issued]\n{ANY_TIME}\n[team.accounts]\nphones = ["{TEAM_PHONE}"]'
    office = started(sqlite_ledger, tmp_path, text, Phones=[])
    office.clock.now = at(last, 18, 3)
    issued(office, 1)
    for _ in range(6 * 24):
        office.later(hours=1)
        if choose(office.resources, None):
            office.day()
    [told] = office.phones.to(TEAM_PHONE)
    assert "not told" in told


def test_a_customer_who_asked_for_no_more_messages_is_told_to_the_team(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = started(sqlite_ledger, tmp_path, policy('digest = "each"', ""))
    with writing(office.engine, office.clock.now) as book:
        preferences.refuse_address(book, MOBILE, "sms", preferences.OPTED_OUT, "STOP")
    office.keeps(1, **due(DUE))
    office.day()
    assert news(office, NEEDS_ATTENTION) == [("not_told", "accepted", "")]


def test_an_address_of_a_team_that_becomes_its_first_hears_of_nothing_twice(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    two = policy('digest = "each"').replace(f'"{TEAM_PHONE}"', f'"{TEAM_PHONE}", "{OTHER_TEAM_PHONE}"')
    office = started(sqlite_ledger, tmp_path, two)
    with writing(office.engine, office.clock.now) as book:
        preferences.refuse_address(book, TEAM_PHONE, "sms", preferences.OPTED_OUT, "STOP")
    issued(office, 1)
    office.keeps(2, **due(DUE - 13 * DAY, ExpectedPaymentDate=day_of(DUE - 3 * DAY)))
    office.day()
    heard = office.phones.to(OTHER_TEAM_PHONE)
    assert len(heard) == 3  # issued, a stage, and a promise
    (tmp_path / "policy.toml").write_text(two.replace(f'"{TEAM_PHONE}", ', ""))
    office.later(hours=1)
    office.keeps(1, **due(DUE + 60 * DAY, Reference="edited"))
    office.runs(office.hears(1))
    office.day()
    assert office.phones.to(OTHER_TEAM_PHONE) == heard
    issued(office, 3)
    assert len(office.phones.to(OTHER_TEAM_PHONE)) == 4
    assert broken(office.engine) == []


def test_a_team_with_another_name_hears_of_nothing_twice_and_two_teams_at_one_address_hear_each(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    one = policy('digest = "each"')
    office = started(sqlite_ledger, tmp_path, one)
    stages = {"ExpectedPaymentDate": day_of(DUE - 3 * DAY)}
    office.keeps(1, **due(DUE, **stages))
    office.day()
    assert len(office.phones.to(TEAM_PHONE)) == 1
    (tmp_path / "policy.toml").write_text(one.replace("accounts", "finance"))
    office.later(hours=1)
    office.day()
    assert len(office.phones.to(TEAM_PHONE)) == 1
    office.keeps(2, **due(DUE, **stages))
    section = one.partition("[team.accounts]")[2]
    (tmp_path / "policy.toml").write_text(f"{one}\n[team.sales]{section}")
    office.later(hours=1)
    office.day()
    assert len([text for text in office.phones.to(TEAM_PHONE) if "INV-0002" in text]) == 2


def test_a_customer_who_was_told_is_not_called_untold_for_a_further_person_who_wants_no_email(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    by_both = policy('digest = "each"', 'channels = ["sms", "email"]')
    ana = {"FirstName": "Ana", "EmailAddress": "ana@rimu.example", "IncludeInEmails": True}
    open_tenant(sqlite_ledger, short_code="!mBdtL")
    keep_contact(sqlite_ledger, ContactPersons=[ana])
    office = office_over(
        sqlite_ledger, tmp_path, at(DUE + DAY, 11), by_both, email_from="bills@kauri.example"
    )
    with writing(office.engine, office.clock.now) as book:
        preferences.refuse_address(book, "ana@rimu.example", "email", preferences.OPTED_OUT, "unsubscribe")
    issued(office, 1)
    office.day()
    assert len(office.phones.to(MOBILE)) == 1
    assert news(office, NEEDS_ATTENTION) == []
    assert office.phones.to(TEAM_PHONE) == []


def test_what_is_seen_to_before_the_morning_is_not_told(office: Office) -> None:
    office.keeps(1, **due(DUE, ExpectedPaymentDate=day_of(DUE - 3 * DAY)))
    office.clock.now = at(DUE + DAY, 17, 3)
    office.day()
    assert news(office, NEEDS_ATTENTION)[0][:2] == ("promise_broken", "held")
    office.keeps(1, **due(DUE, Status="PAID", AmountDue=0, AmountPaid=115))
    office.clock.now = at(DUE + 2 * DAY, 9, 3)
    office.day()
    assert ("promise_broken", "skipped", "seen_to") in news(office, NEEDS_ATTENTION)
    assert office.phones.to(TEAM_PHONE) == []


def test_a_team_hears_only_of_what_its_section_names(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = started(sqlite_ledger, tmp_path, policy('hears = ["credit_waits"]'), Phones=[])
    office.keeps(1, **due(DUE, ExpectedPaymentDate=day_of(DUE - 3 * DAY)))
    office.day()
    assert news(office, NEEDS_ATTENTION) == []


def test_the_daily_message_is_not_put_off_by_what_comes_due_meanwhile(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = started(sqlite_ledger, tmp_path, policy(kinds=""), Phones=[])
    office.clock.now = at(DUE, 9)
    for number in range(12):
        office.keeps(number + 1, **due(DUE + (3 + number) * DAY))  # each day another comes due soon
    for day in range(3):
        for hour in range(9, 17):
            office.clock.now = at(DUE + day * DAY, hour, 3)
            office.day()
            office.nets()
        assert len(office.phones.to(TEAM_PHONE)) == day
    assert broken(office.engine) == []
