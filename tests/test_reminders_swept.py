"""The sweep and the runs that follow: each stage once, whatever is repeated, and only while it is true."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from duebell.keys import INVOICE_OVERDUE
from duebell.ledger import dispatch, preferences, tenants
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Attempt, Notification
from duebell.ledger.writing import writing
from duebell.planning import contacts_in_step
from duebell.planning.planning import plan_kind
from duebell.planning.sweeping import choose
from duebell.sending.giving_back import hold_cancelled
from duebell.sending.telling import rules_of
from duebell.states import NotificationState, Sending
from tests.support_facts import (
    CONTACT,
    MOBILE,
    NOW,
    OTHER_CONTACT,
    OTHER_MOBILE,
    TENANT,
    at_once,
    counted,
    keep_contact,
    numbered,
    open_tenant,
)
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

S = NotificationState
DUE = date(2026, 11, 2)  # a Monday
DAY = timedelta(days=1)


def started(
    engine: Engine, folder: Path, days_late: int = 1, text: str | None = None, **tenant: Any
) -> Office:
    """A business with one customer, so many days after what it is owed was due."""
    open_tenant(engine, **tenant)
    keep_contact(engine)
    return office_over(engine, folder, at(DUE + days_late * DAY), text)


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    return started(ledger, tmp_path)


@pytest.fixture
def small(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    return started(sqlite_ledger, tmp_path)


def test_a_stage_that_has_come_is_planned_and_said_once(office: Office) -> None:
    office.keeps(1, **due(DUE))
    assert [said.state for said in office.day()] == [S.ACCEPTED]
    assert office.stands() == [("1", "overdue", "accepted", "")]
    assert office.phones.to(MOBILE) == [
        "Kauri Test Limited: invoice INV-0001 for $115.00 was due on 2 Nov 2026 and is still open. "
        "If you have just paid, thank you."
    ]
    assert broken(office.engine) == []


def test_the_sweep_says_nothing_itself_and_asks_nobody(small: Office) -> None:
    small.keeps(1, **due(DUE))
    swept = small.sweeps()
    assert (swept.looked_at, swept.decided, swept.unusual) == (1, 1, False)
    assert [run.record_ids for run in swept.runs] == [(numbered(1),)]
    assert small.phones.heard == []


def test_sixty_sweeps_plan_and_say_what_one_does(office: Office) -> None:
    office.keeps(1, 2, **due(DUE))
    for _ in range(60):
        office.day()
        office.later(minutes=1)
    assert len(office.phones.heard) == 1
    assert counted(office.engine, Notification) == 2
    assert office.sweeps().decided == 0
    assert broken(office.engine) == []


def test_f056_two_sweeps_at_once_plan_each_stage_once(ledger: Engine, tmp_path: Path) -> None:
    office = started(ledger, tmp_path)
    office.keeps(*range(1, 12), **due(DUE))
    swept = at_once(2, lambda _: office.sweeps())
    for one in swept:
        office.runs(one.runs)
    assert counted(office.engine, Notification) == 11
    assert len(office.phones.heard) == 1
    assert broken(office.engine) == []


def test_each_stage_is_said_on_its_day_and_those_that_were_missed_are_not(small: Office) -> None:
    small.clock.now = at(DUE - 5 * DAY)
    small.keeps(1, **due(DUE))
    for _ in range(45):
        small.day()
        small.later(days=1)
    assert [(what, state) for _, what, state, _ in small.stands()] == [
        ("soon", "accepted"),
        ("overdue", "accepted"),
        ("second", "accepted"),
        ("third", "accepted"),
        ("team:accounts third", "accepted"),
        ("last", "accepted"),
        ("team:accounts last", "accepted"),
    ]
    assert len(small.phones.to(MOBILE)) == 5
    assert broken(small.engine) == []


def test_f056_after_a_month_of_silence_only_the_latest_stage_is_said(small: Office) -> None:
    small.clock.now = at(DUE + 31 * DAY)
    small.keeps(1, **due(DUE))
    small.day()
    assert [what for _, what, _, _ in small.stands()] == ["last", "team:accounts last"]


@pytest.mark.parametrize("number_of_addresses", [1, 2])
def test_each_address_of_a_team_is_told_once(
    sqlite_ledger: Engine, tmp_path: Path, number_of_addresses: int
) -> None:
    both = f'["{TEAM_PHONE}", "{OTHER_TEAM_PHONE}"]'
    text = policy_text().replace(f'["{TEAM_PHONE}"]', both) if number_of_addresses == 2 else None
    office = started(sqlite_ledger, tmp_path, 14, text)
    office.keeps(1, **due(DUE))
    office.day()
    office.later(hours=1)
    office.day()
    assert len(office.phones.to(TEAM_PHONE)) == 1
    assert len(office.phones.to(OTHER_TEAM_PHONE)) == number_of_addresses - 1
    recipients = [what for _, what, _, _ in office.stands()]
    assert len(set(recipients)) == number_of_addresses + 1
    assert broken(office.engine) == []


def test_a_team_hears_of_all_of_a_day_in_one_message_and_of_the_rest_on_the_next(office: Office) -> None:
    office.clock.now = at(DUE + 14 * DAY)
    keep_contact(office.engine, OTHER_CONTACT, OTHER_MOBILE, Name="Totara Test Limited")
    office.keeps(1, 2, **due(DUE))
    office.keeps(3, **due(DUE, Contact={"ContactID": OTHER_CONTACT}, CurrencyCode="AUD"))
    office.day()
    [text] = office.phones.to(TEAM_PHONE)
    assert text.startswith("Kauri Test Limited: 3 invoices to follow up, $230.00, A$115.00 in all.")
    office.later(hours=1)
    office.keeps(4, **due(DUE))
    office.day()
    assert len(office.phones.to(TEAM_PHONE)) == 1
    assert ("4", "team:accounts third", "held", "digest") in office.stands()
    office.later(hours=23)
    office.day()
    assert len(office.phones.to(TEAM_PHONE)) == 2
    assert broken(office.engine) == []


def test_a_digest_of_more_than_a_run_is_still_one_message(small: Office) -> None:
    small.clock.now = at(DUE + 14 * DAY)
    for number in range(1, 41):
        contact = numbered(700 + number)
        keep_contact(small.engine, contact, f"+64215550{number:03}")
        small.keeps(number, **due(DUE, Contact={"ContactID": contact}))
    small.day()
    [text] = small.phones.to(TEAM_PHONE)
    assert "40 invoices to follow up, $4,600.00 in all" in text
    assert len(small.phones.heard) == 41
    assert broken(small.engine) == []


def test_one_message_tells_all_of_a_customers_invoices_and_a_currency_stands_alone(office: Office) -> None:
    office.keeps(*range(1, 31), **due(DUE))
    office.keeps(31, **due(DUE, CurrencyCode="AUD"))
    office.day()
    [text] = office.phones.to(MOBILE)
    assert (
        "30 invoices are overdue, $3,450.00 in all: INV-0001, INV-0002, INV-0003, INV-0004 and 26 more"
        in text
    )
    assert office.stands()[-1] == ("31", "overdue", "held", "too_soon")
    office.later(days=3)
    office.day()
    assert "A$115.00" in office.phones.to(MOBILE)[-1]
    assert broken(office.engine) == []


def test_two_runs_at_once_leave_a_customer_the_distance_between_two_reminders(office: Office) -> None:
    office.keeps(1, **due(DUE))
    office.keeps(2, **due(DUE, CurrencyCode="AUD"))
    office.sweeps()
    claims = [*office.claims([numbered(1)], "run 1"), *office.claims([numbered(2)], "run 2")]
    assert len(claims) == 2
    states = sorted(said.state for said in at_once(2, lambda number: office.says(claims[number])))
    assert states == [S.ACCEPTED, S.HELD]
    assert len(office.phones.heard) == 1
    assert broken(office.engine) == []


def event(office: Office, number: int = 1, **fields: Any) -> None:
    """Something happened to an invoice of long ago in Xero, and the drain has handled it."""
    office.later(minutes=1)
    office.keeps(number, **({"DateString": "2026-10-01T00:00:00"} | fields))
    office.hears(number)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (due(DUE, Status="PAID", AmountDue=0, AmountPaid=115), "already_paid"),
        (due(DUE, Status="VOIDED", AmountDue=0), "no_longer_valid"),
        (due(DUE + 20 * DAY), "due_date_moved"),
    ],
)
def test_what_waits_is_left_out_as_soon_as_it_is_no_longer_true(
    ledger: Engine, tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    promise = due(DUE, ExpectedPaymentDate=day_of(DUE + 3 * DAY))
    office = started(ledger, tmp_path)
    event(office, **promise)
    office.day()
    assert office.stands() == [("1", "overdue", "held", "promised")]
    if fields.get("AmountPaid"):
        fields = {**fields, "Payments": [a_payment(1, 115, DUE)]}
    event(office, **fields)
    assert office.stands() == [("1", "overdue", "skipped", reason)]
    assert broken(office.engine) == []


def test_an_event_begins_no_stage(small: Office) -> None:
    event(small, **due(DUE + 30 * DAY))
    event(small, **due(DUE))
    assert small.stands() == []
    small.day()
    assert small.stands() == [("1", "overdue", "accepted", "")]


def test_a_stage_that_its_customer_could_not_be_told_of_is_said_once_there_is_a_number(small: Office) -> None:
    keep_contact(small.engine, Phones=[], read_at=NOW)
    small.keeps(1, **due(DUE))
    small.day()
    assert small.stands() == [("1", "overdue", "skipped", "no_phone:no_phone")]
    keep_contact(small.engine, read_at=NOW + DAY)
    with writing(small.engine, small.clock.now) as book:
        rules = rules_of(small.resources)
        step = contacts_in_step.bring_in_step(book, TENANT, [CONTACT], rules, flow_run_id=None)
    small.runs(step.runs)
    assert small.stands() == [("1", "overdue", "accepted", "")]


def test_f051_a_payment_at_the_last_moment_stops_the_reminder(office: Office) -> None:
    office.keeps(1, **due(DUE))
    runs = office.sweeps().runs
    [claim] = office.claims(runs[0].record_ids)
    office.later(minutes=2)
    body = due(DUE, Status="PAID", AmountDue=0, AmountPaid=115, Payments=[a_payment(1, 115, DUE)])
    before = dict(office.books)
    office.keeps(1, **body)
    assert office.books != before
    assert (office.says(claim).state, office.phones.heard) == (S.SKIPPED, [])
    assert broken(office.engine) == []


def test_a_part_payment_changes_what_the_reminder_asks_for(small: Office) -> None:
    event(small, **due(DUE))
    event(small, **due(DUE, AmountDue=95, AmountPaid=20, Payments=[a_payment(1, 20, DUE)]))
    small.day()
    assert "$95.00" in small.phones.to(MOBILE)[0]


def test_a_promise_holds_the_reminder_and_a_broken_one_lets_it_go(small: Office) -> None:
    small.keeps(1, **due(DUE, ExpectedPaymentDate=day_of(DUE + 3 * DAY)))
    for _ in range(5):
        small.day()
        small.later(days=1)
    assert len(small.phones.to(MOBILE)) == 1
    assert small.clock.now - DAY == at(DUE + 5 * DAY)
    [told] = small.phones.to(TEAM_PHONE)
    assert "promised for 5 Nov 2026, not paid" in told
    assert broken(small.engine) == []


def test_a_promise_for_long_after_the_ladder_is_not_lost_from_sight(small: Office) -> None:
    small.clock.now = at(DUE + 90 * DAY)
    small.keeps(1, **due(DUE, ExpectedPaymentDate=day_of(DUE + 88 * DAY)))
    small.day()
    assert small.stands()[0] == ("1", "last", "accepted", "")


def test_who_asked_for_no_more_messages_is_not_reminded(small: Office) -> None:
    small.keeps(1, **due(DUE))
    with writing(small.engine, small.clock.now) as book:
        preferences.refuse_address(book, MOBILE, "sms", preferences.OPTED_OUT, "STOP")
    small.day()
    assert small.stands() == [("1", "overdue", "skipped", "opted_out")]


def test_what_was_left_out_when_going_live_is_not_planned_anew(office: Office) -> None:
    with writing(office.engine, office.clock.now) as book:
        book.session.get_one(tenants.Tenant, TENANT).sending = Sending.REVIEW.value
    office.keeps(1, **due(DUE))
    office.day()
    assert office.stands() == [("1", "overdue", "held", "in_review")]
    tenants.go_live(office.engine, TENANT, "person:test", release_held=False, now=office.clock.now)
    for _ in range(3):
        office.later(hours=1)
        office.day()
    assert office.stands() == [("1", "overdue", "skipped", "planned_before_going_live")]
    office.later(days=6)
    office.day()
    assert office.stands()[1] == ("1", "second", "accepted", "")


def test_a_reminder_whose_run_was_cancelled_waits_for_the_person_who_did(small: Office) -> None:
    small.keeps(1, **due(DUE))
    [claim] = small.claims(small.sweeps().runs[0].record_ids)
    hold_cancelled(small.resources, claim)
    small.later(hours=1)
    assert small.sweeps().decided == 0
    small.keeps(2, **due(DUE))  # of the same customer, and planned beside it
    small.day()
    assert small.stands()[0] == ("1", "overdue", "held", "run_cancelled")
    small.later(days=3)
    assert small.tells([numbered(1)]) == []
    with writing(small.engine, small.clock.now) as book:
        dispatch.run_again(book, TENANT, INVOICE_OVERDUE, [numbered(1)], "a run by hand")
    assert [said.state for said in small.tells([numbered(1)])] == [S.ACCEPTED]


def test_the_tenants_that_are_swept_are_those_in_their_hours(sqlite_ledger: Engine, tmp_path: Path) -> None:
    shipped = "[invoice_overdue]\n"
    office = started(sqlite_ledger, tmp_path, 1, shipped)
    assert choose(office.resources, None) == (TENANT,)
    for hour in (8, 17):
        office.clock.now = at(DUE + DAY, hour)
        assert choose(office.resources, None) == ()
        assert choose(office.resources, [TENANT]) == (TENANT,)
    office.clock.now = at(DUE + 5 * DAY)  # a Saturday
    assert choose(office.resources, None) == ()


def test_a_tenant_that_is_not_read_yet_or_parked_is_not_swept(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = started(sqlite_ledger, tmp_path, 1, None, synced_at=None)
    assert choose(office.resources, [TENANT]) == ()
    with writing(office.engine, office.clock.now) as book:
        tenant = book.session.get_one(tenants.Tenant, TENANT)
        tenant.synced_at, tenant.parked_until = office.clock.now, office.clock.now + DAY
    assert choose(office.resources, None) == ()


def test_a_run_by_hand_says_the_stage_that_the_sweep_would(small: Office) -> None:
    small.keeps(1, **due(DUE))
    with writing(small.engine, small.clock.now) as book:
        [row] = plan_kind(
            book, TENANT, INVOICE_OVERDUE, [numbered(1)], rules_of(small.resources),
            actor="test", flow_run_id=None,
        )  # fmt: skip
    assert (row.step, row.recipient) == ("overdue@2026-11-02", f"contact:{CONTACT}")
    assert row.key == f"{TENANT}:invoice_overdue:{numbered(1)}:overdue@2026-11-02:contact:{CONTACT}"


def test_nothing_unknown_is_reminded_of_again(office: Office) -> None:
    office.keeps(1, **due(DUE))
    office.phones.answer = 429
    office.day()
    office.phones.answer = 201
    assert counted(office.engine, Attempt) == 1
    office.later(hours=1)
    office.day()
    office.nets()
    assert len(office.phones.heard) == 1
    assert broken(office.engine) == []
