"""A reminder keeps its distance from the message that its invoice was issued, and no stage is lost by it."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import col, update

from duebell.hours.working_days import Place, next_open_instant
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import announcements, inbox
from duebell.ledger.announcements import Announced
from duebell.ledger.dispatch import RUN_CANCELLED
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.ledger.writing import writing
from duebell.model import Invoice
from duebell.policy.announced import free_of_announcement
from duebell.policy.ladder import stage_due
from duebell.policy.waits import day_in
from duebell.policy_file.overdue import InvoiceOverduePolicy, StagePolicy
from duebell.policy_file.policy import Policy
from duebell.showing.explaining import explain
from duebell.states import NotificationState
from tests.support_facts import (
    CONTACT,
    MINUTE,
    MOBILE,
    NOT_PROCESSED,
    NOW,
    OTHER_CONTACT,
    OTHER_MOBILE,
    TENANT,
    accepted,
    an_invoice,
    circumstances,
    conclude,
    keep_contact,
    numbered,
    open_tenant,
    plan,
    sent_off,
)
from tests.support_overdue import TEAM_PHONE, ZONE, Office, at, due, office_over, policy_text

S = NotificationState
DAY = timedelta(days=1)
TUESDAY = date(2026, 11, 3)
SHIPPED = "# as shipped\n"
OF_THE_DAY = {"DateString": f"{TUESDAY}T00:00:00"}
IS_DUE = "Kauri Test Limited: invoice INV-0001 for $115.00 is due on 3 Nov 2026. Thank you."
WAS_DUE = (
    "Kauri Test Limited: invoice INV-0001 for $115.00 was due on 3 Nov 2026 and is still open. "
    "If you have just paid, thank you."
)


def started(engine: Engine, folder: Path, text: str = SHIPPED, hour: int = 9, minute: int = 30) -> Office:
    open_tenant(engine)
    keep_contact(engine)
    return office_over(engine, folder, at(TUESDAY, hour, minute), text)


def test_a_sweep_between_the_read_of_an_event_and_what_follows_from_it_leaves_the_invoice_alone(
    ledger: Engine, tmp_path: Path
) -> None:
    office = started(ledger, tmp_path)
    office.keeps(1, **due(TUESDAY), **OF_THE_DAY)
    now = office.clock.now
    event = NewEvent(TENANT, "INVOICE", numbered(1), "CREATE", now.isoformat(), now)
    inbox.keep(ledger, [event], [], now=now)
    assert (office.day(), office.stands()) == ([], [])
    assert [run.kind for run in office.hears(1)] == [INVOICE_ISSUED]
    assert (office.day(), office.stands()) == ([], [("1", "soon", "held", "just_issued")])


def lives_to(office: Office, last: date, first: date = TUESDAY) -> list[tuple[date, str]]:
    """The hourly sweeps, with the net, through to a day; returns what the customer heard on which."""
    heard = [(first, text) for text in office.phones.to(MOBILE)]
    for days in range((last - first).days + 1):
        for hour in range(9, 17):
            office.clock.now = max(office.clock.now, at(first + days * DAY, hour, 3))
            office.day()
            office.nets()
            heard += [(first + days * DAY, text) for text in office.phones.to(MOBILE)[len(heard) :]]
    assert broken(office.engine) == []
    return heard


@pytest.mark.parametrize(
    ("due_on", "said_first", "reminded_on"),
    [
        (TUESDAY, IS_DUE, TUESDAY + 3 * DAY),
        (TUESDAY - 2 * DAY, IS_DUE.replace("is due on 3 Nov", "was due on 1 Nov"), TUESDAY + 3 * DAY),
        (TUESDAY + 3 * DAY, IS_DUE.replace("3 Nov", "6 Nov"), TUESDAY + 3 * DAY),
    ],
)
def test_an_invoice_that_is_due_soon_or_late_when_it_is_issued_is_said_once_that_day(
    sqlite_ledger: Engine, tmp_path: Path, due_on: date, said_first: str, reminded_on: date
) -> None:
    office = started(sqlite_ledger, tmp_path)
    office.keeps(1, **due(due_on, **OF_THE_DAY))
    office.runs(office.hears(1))
    heard = lives_to(office, TUESDAY + 3 * DAY)
    assert [day for day, _ in heard] == [TUESDAY, reminded_on]
    assert heard[0][1] == said_first


def test_what_waits_for_the_announcement_says_so_and_lapses_where_a_later_stage_comes(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = started(sqlite_ledger, tmp_path)
    office.keeps(1, **due(TUESDAY, **OF_THE_DAY))
    office.runs(office.hears(1))
    assert lives_to(office, TUESDAY) == [(TUESDAY, IS_DUE)]
    assert office.stands() == [("1", "soon", "held", "just_issued")]
    shown = explain(office.resources, numbered(1))
    [reminder] = [one for one in shown.people if one.stage == "soon"]
    assert "the customer was told of the invoice itself fewer days ago" in reminder.stands
    assert "told of the invoice itself: 03 Nov 2026 09:30" in reminder.steps[0].details
    assert "decided again from what was kept: the same" in reminder.steps[0].details
    assert lives_to(office, TUESDAY + 4 * DAY)[1:] == [(TUESDAY + 3 * DAY, WAS_DUE)]
    assert [(stage, state) for _, stage, state, _ in office.stands()] == [
        ("soon", "skipped"),
        ("overdue", "accepted"),
    ]


def test_a_reminder_waits_for_an_announcement_that_has_not_gone_out_yet(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = started(sqlite_ledger, tmp_path, '[invoice_issued]\nopens = "12:00"\n')
    office.keeps(1, **due(TUESDAY, **OF_THE_DAY))
    office.runs(office.hears(1))
    office.clock.now = at(TUESDAY, 10, 3)
    office.day()
    assert office.phones.heard == []
    assert lives_to(office, TUESDAY + 3 * DAY) == [(TUESDAY, IS_DUE), (TUESDAY + 3 * DAY, WAS_DUE)]


def test_of_two_that_are_begun_at_once_the_announcement_is_said(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    """The reminder was claimed before anybody knew of the other; the last look does."""
    office = started(sqlite_ledger, tmp_path)
    office.keeps(1, **due(TUESDAY, **OF_THE_DAY))
    [claim] = office.claims([numbered(1)])
    office.runs(office.hears(1))
    assert office.says(claim).state == "held"
    assert [text for _, text in office.phones.heard] == [IS_DUE]


@pytest.mark.parametrize("off", ["enabled = false", "oldest_days = 0"])
def test_where_the_issue_is_not_announced_the_reminder_does_not_wait(
    sqlite_ledger: Engine, tmp_path: Path, off: str
) -> None:
    office = started(sqlite_ledger, tmp_path, f"[invoice_issued]\n{off}\n")
    office.keeps(1, **due(TUESDAY, DateString=f"{TUESDAY - DAY}T00:00:00"))
    office.runs(office.hears(1))
    assert lives_to(office, TUESDAY) == [(TUESDAY, IS_DUE)]


def test_the_team_hears_of_a_stage_on_its_day_though_the_customer_does_not_yet(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    stage = '[[invoice_overdue.stage]]\nname = "now"\ndays = 0\ntell = ["customer", "team:accounts"]'
    office = started(sqlite_ledger, tmp_path, policy_text(rest=stage))
    office.keeps(1, **due(TUESDAY, **OF_THE_DAY))
    office.runs(office.hears(1))
    assert lives_to(office, TUESDAY) == [(TUESDAY, IS_DUE)]
    assert len(office.phones.to(TEAM_PHONE)) == 1


def test_whoever_has_not_been_told_of_the_invoice_is_reminded_without_waiting(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = started(sqlite_ledger, tmp_path)
    office.keeps(1, **due(TUESDAY, **OF_THE_DAY))
    office.runs(office.hears(1))
    keep_contact(office.engine, OTHER_CONTACT, OTHER_MOBILE, read_at=office.clock.now)
    office.later(minutes=9)
    office.keeps(1, **due(TUESDAY, Contact={"ContactID": OTHER_CONTACT}, **OF_THE_DAY))
    office.day()
    assert office.phones.to(OTHER_MOBILE) == [IS_DUE]


def announced(engine: Engine) -> tuple[Announced, ...]:
    with reading(engine) as session:
        found = announcements.of_invoices(session, TENANT, NOW - DAY, [numbered(1)], {})
    return found.get(numbered(1), ())


TOLD = Announced(NOW, CONTACT, "", MOBILE)
ABOUT_TO_BE = Announced(None, CONTACT)
AFTER_ITS_ATTEMPT = {
    S.PLANNED: (ABOUT_TO_BE,),
    S.HELD: (ABOUT_TO_BE,),
    S.CLAIMED: (ABOUT_TO_BE,),
    **dict.fromkeys((S.SKIPPED, S.UNDELIVERED, S.FAILED, S.GIVEN_UP), ()),
}


@pytest.mark.parametrize("state", list(S))
def test_an_announcement_counts_where_it_may_have_been_heard_or_goes_out_by_itself(
    ledger: Engine, state: S
) -> None:
    open_tenant(ledger)
    sent_off(ledger)
    conclude(ledger, accepted())
    _set(ledger, state=state.value, not_before=NOW)
    assert announced(ledger) == AFTER_ITS_ATTEMPT.get(state, (TOLD,))
    with reading(ledger) as session:
        assert not announcements.of_invoices(session, TENANT, NOW + MINUTE, [numbered(2)], {})


def test_one_of_which_nothing_was_processed_is_about_to_be_said(ledger: Engine) -> None:
    open_tenant(ledger)
    sent_off(ledger)
    assert announced(ledger) == (TOLD,)
    conclude(ledger, NOT_PROCESSED)
    assert announced(ledger) == (ABOUT_TO_BE,)


@pytest.mark.parametrize(
    "columns",
    [
        {"not_before": None},
        *({"reason": one} for one in (RUN_CANCELLED, "template:no field", "unfit_to_post:no address")),
    ],
)
def test_one_that_a_person_has_to_see_to_is_not_waited_for(ledger: Engine, columns: dict[str, Any]) -> None:
    open_tenant(ledger)
    plan(ledger)
    _set(ledger, **({"state": S.HELD.value, "not_before": NOW} | columns))
    assert announced(ledger) == ()


def _set(engine: Engine, **columns: Any) -> None:
    with writing(engine, NOW) as book:
        book.session.exec(
            update(Notification).where(col(Notification.kind) == INVOICE_ISSUED).values(**columns)
        )


FOLLOWED_BY_A_TEAM = f"""
[team.accounts]
phones = ["{TEAM_PHONE}"]
digest = "each"
[[invoice_overdue.stage]]
name = "first"
days = 3
tell = ["customer"]
[[invoice_overdue.stage]]
name = "handover"
days = 5
tell = ["team:accounts"]
"""


def test_a_stage_is_said_before_one_that_tells_only_a_team(sqlite_ledger: Engine, tmp_path: Path) -> None:
    office = started(sqlite_ledger, tmp_path, FOLLOWED_BY_A_TEAM)
    office.keeps(1, **due(TUESDAY - 3 * DAY, **OF_THE_DAY))
    office.runs(office.hears(1))
    assert [day for day, _ in lives_to(office, TUESDAY + 9 * DAY)] == [TUESDAY, TUESDAY + DAY]


@pytest.mark.parametrize(("late_days", "days_ago"), [(2, 0), (3, 1), (6, 6), (6, 5), (6, 4)])
def test_a_stage_that_ends_on_a_weekend_is_said_on_its_last_open_day(
    sqlite_ledger: Engine, tmp_path: Path, late_days: int, days_ago: int
) -> None:
    thursday = TUESDAY + 2 * DAY
    due_on = thursday - days_ago * DAY
    stage = f'[[invoice_overdue.stage]]\nname = "only"\ndays = 1\nlate_days = {late_days}\n'
    office = started(sqlite_ledger, tmp_path, stage)
    office.clock.now = at(thursday, 9, 30)
    office.keeps(1, **due(due_on, DateString=f"{due_on}T00:00:00"))
    office.runs(office.hears(1))
    heard = lives_to(office, thursday + 9 * DAY, thursday)
    assert [day for day, _ in heard] == [thursday, thursday + DAY]


ladders = st.lists(
    st.builds(
        StagePolicy,
        name=st.uuids().map(lambda one: f"s{one.hex[:8]}"),
        days=st.integers(-9, 40),
        late_days=st.none() | st.integers(0, 9),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda one: one.days,
).map(lambda found: tuple(sorted(found, key=lambda one: one.days)))


def free_on(invoice: Invoice, rules: InvoiceOverduePolicy, announced: date, today: date) -> date:
    """The day in Auckland, where the customer is as well, from which on a reminder is free."""
    about, place = circumstances(now=at(today, 10, 3)), Place((ZONE.key,), "NZ")
    free = free_of_announcement(invoice, rules, [at(announced, 9, 30)], place, about)
    return day_in(ZONE.key, free)


@given(ladders, st.integers(0, 9), st.integers(-9, 50))
def test_no_stage_after_the_due_date_lapses_where_no_other_follows_it(
    stages: tuple[StagePolicy, ...], gap: int, day: int
) -> None:
    rules: InvoiceOverduePolicy = Policy().invoice_overdue.model_copy(
        update={"stages": stages, "gap_days": gap}
    )
    invoice, today = an_invoice(due_on=TUESDAY), TUESDAY + day * DAY
    stage, place = stage_due(invoice, rules, today), Place((ZONE.key,), "NZ")
    coming = [today + days * DAY for days in range(1, 99)]
    open_days = [one for one in coming if next_open_instant(at(one), rules, place) == at(one)]
    heard = [one for one in open_days if stage_due(invoice, rules, one)]
    said_on = next((one for one in heard if free_on(invoice, rules, today, one) <= one), None)
    assert free_on(invoice, rules, today, today) > today
    if stage is not None and stage.days >= 0 and heard:
        assert said_on is not None


@given(st.integers(0, 9), st.integers(0, 6))
def test_the_wait_is_the_policys_gap_and_at_least_to_the_next_day(gap: int, days: int) -> None:
    rules = Policy().invoice_overdue.model_copy(update={"gap_days": gap})
    # On the first of the seven days of the last stage.
    invoice, today = an_invoice(due_on=TUESDAY - 30 * DAY), TUESDAY + days * DAY
    free = free_on(invoice, rules, TUESDAY, today)
    assert free == max(today, min(TUESDAY + max(gap, 1) * DAY, TUESDAY + 6 * DAY))
