"""What doctor says of the calls to Xero, and of Xero's own reminders beside ours."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from deployments import doctor_calls
from deployments.findings import Finding
from duebell.books import counting
from duebell.books.calls import Purpose
from duebell.ledger import tenants
from duebell.ledger.tables import Tenant
from tests.support_calls import Desk, too_many
from tests.support_facts import NOW, OTHER_TENANT, TENANT, accepted, conclude, sent_off


def said(desk: Desk, what: str) -> Finding:
    (found,) = [one for one in doctor_calls.look(desk.resources) if one.what.startswith(what)]
    return found


def test_todays_calls_are_told_by_purpose_with_what_each_message_cost(ledger: Engine) -> None:
    desk = Desk(ledger)
    for purpose in (Purpose.EVENTS, Purpose.EVENTS, Purpose.POLL):
        desk.call(purpose=purpose)
    for number in (1, 2):
        sent_off(ledger, number, f"a{number}")
        conclude(ledger, accepted(number), f"a{number}")
    found = said(desk, "calls to Xero of Kauri Test Limited")
    assert found.sound
    assert found.said == (
        "3 calls today (2 events, 1 poll) for 2 messages, 1.50 a message; 4997 left of the day when Xero "
        "last said so, at 2026-11-20 01:16 UTC (its limit seems to be 5000)"
    )


def test_what_xero_has_not_said_is_not_made_up(sqlite_ledger: Engine) -> None:
    found = said(Desk(sqlite_ledger), "calls").said
    assert found == "0 calls today (none) for 0 messages; Xero has not said how many are left"


def test_yesterdays_calls_are_not_todays(sqlite_ledger: Engine) -> None:
    desk = Desk(sqlite_ledger)
    desk.call()
    desk.clock.now += timedelta(days=1)
    assert said(desk, "calls").said.startswith("0 calls today")


def test_the_reserve_is_told(sqlite_ledger: Engine) -> None:
    desk = Desk(sqlite_ledger, day_limit=1_000, minute_limit=10_000)
    desk.xero.limits.spend(TENANT, 850, NOW)
    desk.call()
    assert said(desk, "calls").said.endswith("(its limit seems to be 1000), kept for what leads to a message")


def test_a_parked_tenant_is_not_asked_is_nothing_to_mend_and_keeps_no_other_from_being_asked(
    ledger: Engine,
) -> None:
    desk = Desk(ledger, TENANT, OTHER_TENANT)
    desk.xero.refuse = lambda _path: too_many("day", 7_200)
    first = doctor_calls.asked(desk.resources, tenants.get(ledger, TENANT))
    desk.xero.refuse = lambda _path: None
    again = doctor_calls.asked(desk.resources, tenants.get(ledger, TENANT))
    other = doctor_calls.asked(desk.resources, tenants.get(ledger, OTHER_TENANT))
    assert (first.sound, again.sound, other.sound) == (True, True, True)
    assert "parked until 2026-11-20 03:16 UTC" in again.said
    assert f"Kauri Test Limited ({OTHER_TENANT}) is connected, its sending is live" in other.said
    assert len(desk.xero.asked) == 2
    told = next(one.said for one in doctor_calls.look(desk.resources))
    assert told.startswith("1 calls today (1 doctor, 1 refused) for 0 messages; ")
    assert told.endswith("none are left: parked until 2026-11-20 03:16 UTC")


@pytest.mark.parametrize(("on", "sound"), [(True, False), (False, True)])
def test_xeros_own_reminders_beside_ours_are_to_mend(sqlite_ledger: Engine, on: bool, sound: bool) -> None:  # noqa: FBT001 - cases of the table
    desk = Desk(sqlite_ledger)
    assert desk.resources.policy.invoice_overdue.enabled
    with sqlite_ledger.begin() as connection:
        connection.execute(update(Tenant).values(xero_reminders=on))
    found = said(desk, "Xero's own reminders")
    assert found.sound is sound
    assert sound or "Turn them off in Xero" in found.said


def test_reminders_that_nobody_knows_of_are_not_spoken_of(sqlite_ledger: Engine) -> None:
    assert len(doctor_calls.look(Desk(sqlite_ledger).resources)) == 1


def test_the_table_for_the_ui_holds_ids_and_counts_only(sqlite_ledger: Engine) -> None:
    desk = Desk(sqlite_ledger)
    desk.call()
    spent = counting.spent_today(sqlite_ledger, TENANT, now=NOW)
    assert spent.table() == [
        {"tenant": TENANT, "endpoint": "Invoices", "purpose": "events", "calls": 1, "refused": 0}
    ]
    assert "Kauri" not in spent.sentence()
