"""From one reminder to the next lies what the policy says, wherever the customer is, whoever they became."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.merges import all_survivors, survivors
from tests.support_facts import (
    MOBILE,
    OTHER_CONTACT,
    OTHER_MOBILE,
    TENANT,
    keep_contact,
    numbered,
    open_tenant,
)
from tests.support_overdue import Office, at, due, office_over, policy_text

DUE = date(2026, 11, 2)  # a Monday
DAY = timedelta(days=1)
LONDON, SHIPPED = "+447400123456", "# as shipped\n"


def heard_in_london(office: Office, days: int) -> list[datetime]:
    """When a telephone there rang in the days that follow, with a sweep an hour and the net between them."""
    zone, rang = ZoneInfo("Europe/London"), list[datetime]()
    for _ in range(days * 48):
        office.later(minutes=30)
        office.day()
        office.nets()
        rang += [office.clock.now.astimezone(zone)] * (len(office.phones.to(LONDON)) - len(rang))
    return rang


def test_a_telephone_abroad_is_called_once_a_day_though_ours_begins_amid_its_hours(
    ledger: Engine, tmp_path: Path
) -> None:
    open_tenant(ledger)
    keep_contact(ledger, mobile=LONDON)
    keep_contact(ledger, OTHER_CONTACT, mobile=LONDON, Name="Second")
    office = office_over(ledger, tmp_path, at(DUE + DAY, 9, 3), SHIPPED)
    office.keeps(1, **due(DUE))
    office.keeps(2, **due(DUE, Contact={"ContactID": OTHER_CONTACT}))
    days = [moment.date() for moment in heard_in_london(office, 3)]
    assert days == [DUE + DAY, DUE + 2 * DAY]
    assert broken(office.engine) == []


FIRST, SECOND, THIRD = (numbered(600 + number) for number in range(3))
MOBILES = {FIRST: LONDON, SECOND: MOBILE, THIRD: OTHER_MOBILE}


def of(contact_id: str, day: date = DUE) -> dict[str, Any]:
    """The fields of an invoice of this contact, which was due that day."""
    return due(day, Contact={"ContactID": contact_id})


def customers(engine: Engine, mobiles: Mapping[str, str], **fields: Any) -> None:
    """Customers, by their ids, as they were read before any of this began."""
    open_tenant(engine)
    for contact_id, mobile in mobiles.items():
        keep_contact(engine, contact_id, mobile, read_at=at(DUE - 30 * DAY), **fields)


def become_one(office: Office, *contact_ids: str) -> None:
    """Somebody merges each of these contacts into the next, in Xero."""
    for one, into in pairwise(contact_ids):
        merged = {"ContactStatus": "ARCHIVED", "MergedToContactID": into}
        keep_contact(office.engine, one, read_at=office.clock.now, **merged)


@pytest.mark.parametrize("merged", [(FIRST, SECOND), (FIRST, THIRD, SECOND)])
@pytest.mark.parametrize("moves", [True, False])
def test_who_was_reminded_under_another_name_waits_as_long_as_under_this_one(
    ledger: Engine, tmp_path: Path, merged: Sequence[str], *, moves: bool
) -> None:
    customers(ledger, MOBILES)
    office = office_over(ledger, tmp_path, at(DUE + DAY))
    office.keeps(1, **of(FIRST))
    office.day()
    office.later(hours=2)
    become_one(office, *merged)
    if moves:
        office.keeps(1, **of(SECOND))
    office.later(hours=22)
    office.keeps(2, **of(SECOND, DUE + DAY))
    office.day()
    assert [*office.stands()[-1][1:]] == ["overdue", "held", "too_soon"]
    office.clock.now = at(DUE + 4 * DAY)
    office.day()
    assert [to for to, _ in office.phones.heard] == [LONDON, MOBILE]
    assert broken(office.engine) == []


def test_a_merge_between_the_plan_and_the_message_holds_it(sqlite_ledger: Engine, tmp_path: Path) -> None:
    customers(sqlite_ledger, MOBILES)
    office = office_over(sqlite_ledger, tmp_path, at(DUE + DAY))
    office.keeps(1, **of(FIRST))
    office.day()
    office.later(days=1)
    office.keeps(2, **of(SECOND, DUE + DAY))
    claims = office.claims(office.sweeps().runs[0].record_ids)
    become_one(office, FIRST, SECOND)
    assert [(said.state, said.reason) for said in map(office.says, claims)] == [("held", "too_soon")]


def test_a_further_person_at_both_contacts_waits_too(sqlite_ledger: Engine, tmp_path: Path) -> None:
    ana = [{"FirstName": "Ana", "LastName": "T", "EmailAddress": "ana@rimu.example", "IncludeInEmails": True}]
    customers(sqlite_ledger, {FIRST: LONDON}, EmailAddress="one@rimu.example", ContactPersons=ana)
    keep_contact(sqlite_ledger, SECOND, EmailAddress="two@rimu.example", ContactPersons=ana)
    text = policy_text('channels = ["email"]', rest="[limits]\nreminders_a_day = 9\nreminders_a_week = 9")
    office = office_over(sqlite_ledger, tmp_path, at(DUE + DAY), text, email_from="us@kauri.example")
    office.keeps(1, **of(FIRST))
    office.day()
    office.later(hours=2)
    become_one(office, FIRST, SECOND)
    office.later(hours=22)
    office.keeps(2, **of(SECOND, DUE + DAY))
    office.day()
    assert [to for to, _ in office.phones.heard] == ["one@rimu.example", "ana@rimu.example"]


def test_others_who_were_not_merged_do_not_wait(sqlite_ledger: Engine, tmp_path: Path) -> None:
    customers(sqlite_ledger, MOBILES)
    office = office_over(sqlite_ledger, tmp_path, at(DUE + DAY))
    office.keeps(1, **of(FIRST))
    office.day()
    become_one(office, FIRST, SECOND)
    office.keeps(3, **of(THIRD, DUE))
    office.day()
    assert [to for to, _ in office.phones.heard] == [LONDON, OTHER_MOBILE]


def test_a_ring_of_merges_ends(sqlite_ledger: Engine, tmp_path: Path) -> None:
    customers(sqlite_ledger, {})
    office = office_over(sqlite_ledger, tmp_path, at(DUE))
    become_one(office, FIRST, SECOND, THIRD, FIRST)
    with reading(sqlite_ledger) as session:
        assert survivors(session, TENANT, [FIRST]) == dict.fromkeys([FIRST, SECOND, THIRD], FIRST)
        assert all_survivors(session, TENANT).keys() == {FIRST, SECOND, THIRD}


def test_what_has_waited_longest_for_a_customer_is_said_first_so_that_no_currency_starves(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger)
    office = office_over(sqlite_ledger, tmp_path, at(DUE + DAY))
    office.keeps(99, **due(DUE, CurrencyCode="USD"))
    for day in range(7):  # each day another one in the currency of the organisation
        office.keeps(10 + day, **due(DUE + day * DAY))
        office.clock.now = at(DUE + (1 + day) * DAY)
        office.day()
        office.nets()
    assert ("99", "overdue", "accepted", "") in office.stands()
    assert broken(office.engine) == []
