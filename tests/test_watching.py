"""What Twilio holds is decided on again before it goes out, and taken back where it stopped being true."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from duebell.errors import TenantParked, Transient
from duebell.ledger import hold_switch, preferences, tenants
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.unsettled import settle_due
from duebell.ledger.writing import writing
from duebell.settling.watching import decide_anew, due, take_back
from duebell.states import AttemptState, NotificationState
from tests.support_facts import (
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
    OTHER_MOBILE,
    TENANT,
)
from tests.support_held import HOLDING, SERVICE, SERVICE_SET
from tests.support_watching import Office

S, A = NotificationState, AttemptState


SHORT = """
[invoice_issued]
sending = "hold"
clock = "organisation"
opens = "14:00"
closes = "14:29"
"""


@pytest.fixture
def office(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    return Office(sqlite_ledger, tmp_path)


def test_it_is_given_to_twilio_to_be_held_with_an_absolute_time(office: Office) -> None:
    office.tells()
    [form] = office.twilio.forms
    assert form["SendAt"] == "2026-11-20T01:41:00Z"
    assert (form["ScheduleType"], form["MessagingServiceSid"]) == ("fixed", SERVICE)
    assert "From" not in form
    assert form["ValidityPeriod"] == "20040"  # from the time to send to 21:00 on the Chatham Islands
    [attempt] = office.attempts()
    assert (office.row().state, attempt.send_at) == (S.SCHEDULED, NOW + 25 * MINUTE)


def test_what_stays_true_goes_out_once_at_its_time(office: Office) -> None:
    office.tells()
    office.until(NOW + 40 * MINUTE)
    assert len(office.twilio.went_out()) == 1
    assert [one.state for one in office.attempts()] == [A.ACCEPTED]


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"Status": "PAID", "AmountDue": 0, "AmountPaid": 115}, S.SKIPPED),
    ({"Status": "VOIDED"}, S.SKIPPED),
    ({"Total": 230, "AmountDue": 230}, S.SCHEDULED),
    ({"DueDateString": "2026-12-24T00:00:00", "DueDate": "/Date(1798070400000+0000)/"}, S.SCHEDULED),
]


@pytest.mark.parametrize(("change", "then"), CHANGES)
def test_f051_f052_f053_what_changed_while_it_was_held_is_taken_back_and_decided_anew(
    office: Office, change: dict[str, Any], then: str
) -> None:
    office.tells()
    office.invoice = change
    office.until(NOW + 24 * MINUTE)
    assert [one.state for one in office.attempts()] == [A.CANCELLED]
    assert office.row().state == S.PLANNED
    office.tells()
    assert office.row().state == then
    office.until(NOW + 90 * MINUTE)
    assert len(office.twilio.went_out()) == (1 if then is S.SCHEDULED else 0)


def test_f054_a_number_that_changed_is_told_at_the_new_one_alone(office: Office) -> None:
    office.tells()
    office.mobile = OTHER_MOBILE
    office.until(NOW + 24 * MINUTE)
    office.tells()
    office.until(NOW + 90 * MINUTE)
    assert [one.to for one in office.twilio.went_out()] == [OTHER_MOBILE]


def test_f058_a_stop_while_it_is_held_takes_it_back_within_the_minute(office: Office) -> None:
    office.tells()
    office.passes(5 * MINUTE)
    with writing(office.engine, office.clock()) as book:
        preferences.refuse_address(book, MOBILE, "sms", preferences.OPTED_OUT, "STOP")
    office.until(NOW + 6 * MINUTE)
    assert [one.cancelled for one in office.twilio.copies] == [True]
    office.tells()
    assert (office.row().state, office.row().reason) == (S.SKIPPED, "opted_out")


def test_the_brake_takes_back_what_is_held_and_asks_nothing_of_xero(office: Office) -> None:
    office.tells()
    office.xero_is_away = Transient("Xero could not be read")
    tenants.set_brake(office.engine, stopped=True, by="test", why="", scope="all", now=office.clock())
    office.looks()
    assert [one.cancelled for one in office.twilio.copies] == [True]
    assert (office.row().state, office.row().reason) == (S.PLANNED, "cancelled:stopped")


def test_what_cannot_be_read_anew_is_taken_back_at_the_last_look(office: Office) -> None:
    office.tells()
    office.xero_is_away = Transient("Xero could not be read")
    office.until(NOW + 22 * MINUTE)
    assert office.row().state == S.SCHEDULED
    office.until(NOW + 23 * MINUTE)
    assert office.row().reason == "cancelled:not_read"
    office.xero_is_away = None
    office.tells()
    office.until(NOW + 60 * MINUTE)
    assert len(office.twilio.went_out()) == 1


def test_one_read_that_fails_takes_nothing_back(office: Office) -> None:
    office.tells()
    office.passes(23 * MINUTE)
    office.xero_fails = 1
    office.looks()
    assert office.row().state == S.SCHEDULED
    office.until(NOW + 30 * MINUTE)
    assert (office.xero_fails, len(office.attempts())) == (0, 1)
    assert len(office.twilio.went_out()) == 1


def test_a_read_that_has_to_wait_is_not_asked_for_at_once_again(office: Office) -> None:
    office.tells()
    office.passes(23 * MINUTE)
    office.xero_is_away = TenantParked("the day's calls are used up", None)
    office.looks()
    assert (office.asked, office.row().reason) == (2, "cancelled:not_read")


def test_it_is_taken_back_in_time_though_every_run_comes_more_than_a_minute_late(office: Office) -> None:
    """The net starts one `settle` a minute, and one that meets three others at work ends at once."""
    office.tells()
    office.xero_is_away = Transient("Xero could not be read")
    while office.clock() < NOW + 40 * MINUTE:
        office.passes(MINUTE)
        if settle_due(office.engine, now=office.clock()):
            office.passes(timedelta(seconds=70))
            office.looks()
    assert office.twilio.went_out() == []
    assert office.row().reason == "cancelled:not_read"


@pytest.mark.parametrize("fate", ["lost", "vanished"])
def test_a_cancellation_without_an_answer_is_asked_for_again(office: Office, fate: str) -> None:
    office.tells()
    office.invoice = {"Status": "VOIDED"}
    office.passes(22 * MINUTE)
    office.twilio.cancel_fates = [fate]
    with pytest.raises(Transient):
        office.looks()
    assert office.row().state == S.SCHEDULED
    office.invoice = {}  # what was asked for stands, whatever the books say by then
    office.until(NOW + 30 * MINUTE)
    assert [one.state for one in office.attempts()] == [A.CANCELLED]
    assert office.twilio.went_out() == []


def test_f085_a_cancellation_that_came_too_late_means_that_it_went_out(office: Office) -> None:
    office.tells()
    office.invoice = {"Status": "VOIDED"}
    office.passes(24 * MINUTE)
    [batch] = due(office.engine, office.clock())
    [one] = decide_anew(office.resources, batch, office.read_again)
    office.passes(2 * MINUTE)
    assert take_back(office.resources, one).state == "sent"
    assert (office.row().state, office.attempts()[0].state) == (S.SENT, A.ACCEPTED)
    assert broken(office.engine) == []


def test_f085_a_schedule_that_is_ignored_is_the_last_and_the_next_is_sent_at_once(office: Office) -> None:
    office.twilio.fates = ["ignored"]
    office.tells()
    assert office.row().state == S.ACCEPTED
    with reading(office.engine) as session:
        assert hold_switch.is_off(session)
    assert broken(office.engine) == []


def test_a_lead_that_is_too_short_is_noticed_at_once_and_it_is_sent_without(office: Office) -> None:
    office.twilio.lead = timedelta(minutes=30)
    office.tells()
    assert (office.row().state, office.attempts()[0].error_code) == (S.PLANNED, 35115)
    office.passes(2 * MINUTE)
    office.tells()
    assert (office.row().state, "SendAt" in office.twilio.forms[1]) == (S.ACCEPTED, False)
    assert "lead_minutes" in office.trail("sent at once")[0]


def test_f072_a_post_that_reaches_twilio_too_late_is_refused_and_proves_that_nothing_was_made(
    ledger: Engine, tmp_path: Path
) -> None:
    office = Office(ledger, tmp_path)
    office.twilio.before_post = lambda: office.passes(21 * MINUTE)
    office.tells()
    office.twilio.before_post = None
    assert (office.row().state, office.twilio.copies) == (S.PLANNED, [])
    with reading(office.engine) as session:
        assert not hold_switch.is_off(session)
    office.passes(2 * MINUTE)
    office.tells()
    office.until(NOW + 90 * MINUTE)
    assert len(office.twilio.went_out()) == 1


def test_f075_a_lost_answer_is_found_in_the_list_and_goes_out_once(office: Office) -> None:
    office.twilio.fates, office.twilio.lag = ["lost"], 4 * MINUTE
    office.tells()
    assert office.row().state == S.UNKNOWN
    office.until(NOW + 6 * MINUTE)
    assert office.row().state == S.SCHEDULED
    office.until(NOW + 90 * MINUTE)
    assert len(office.twilio.went_out()) == 1


def test_f076_what_never_reached_twilio_is_sent_once_more_after_two_looks_that_prove_it(
    ledger: Engine, tmp_path: Path
) -> None:
    office = Office(ledger, tmp_path)
    office.twilio.fates = ["vanished"]
    office.tells()
    office.until(NOW + 20 * MINUTE)
    assert office.row().state == S.UNKNOWN  # Twilio could still take it
    office.until(NOW + 23 * MINUTE)
    assert office.row().state == S.PLANNED
    [lost] = office.attempts()
    assert (lost.state, lost.settled_by) == (A.NOT_PROCESSED, "settle")
    assert "did not list it at 01:37:00 and 01:38:00" in lost.cause
    office.tells()
    office.until(NOW + 120 * MINUTE)
    assert len(office.twilio.went_out()) == 1
    assert broken(office.engine) == []


@pytest.mark.parametrize("lag", [22.5, 23.5, 24.0])
def test_f084_a_copy_that_a_lagging_list_hid_is_one_too_many_and_is_taken_back(
    office: Office, lag: float
) -> None:
    """The list hid the first until after the proof, and shows it before it goes out."""
    office.twilio.fates, office.twilio.lag = ["lost"], timedelta(minutes=lag)
    office.tells()
    office.until(NOW + 22 * MINUTE)
    assert office.row().state == S.PLANNED
    office.tells()
    office.until(NOW + 120 * MINUTE)
    assert len(office.twilio.copies) == 2
    assert len(office.twilio.went_out()) == 1
    assert broken(office.engine) == []


def test_a_second_copy_of_one_post_is_taken_back(office: Office) -> None:
    office.twilio.fates = ["lost"]
    office.tells()
    office.twilio.duplicate()
    office.until(NOW + 120 * MINUTE)
    assert [one.cancelled for one in office.twilio.copies].count(True) == 1
    assert len(office.twilio.went_out()) == 1


@pytest.mark.parametrize("lag", [0, 4])
def test_a_second_copy_that_shows_up_once_the_first_was_taken_back_goes_out_as_little(
    ledger: Engine, tmp_path: Path, lag: int
) -> None:
    office = Office(ledger, tmp_path)
    office.twilio.fates, office.twilio.lag = ["lost"], lag * MINUTE
    office.tells()
    office.twilio.duplicate(hidden=16 * MINUTE)
    office.until(NOW + 6 * MINUTE)
    office.invoice = {"Status": "VOIDED"}
    office.until(NOW + 12 * MINUTE)
    assert [one.cancelled for one in office.twilio.copies] == [True, False]
    office.tells()
    assert office.row().state == S.SKIPPED
    office.until(NOW + 120 * MINUTE)
    assert [one.cancelled for one in office.twilio.copies] == [True, True]
    assert not settle_due(office.engine, now=office.clock())


def test_a_message_that_was_answered_and_taken_back_is_looked_at_no_more(office: Office) -> None:
    office.tells()
    office.invoice = {"Status": "VOIDED"}
    office.until(NOW + 24 * MINUTE)
    [attempt] = office.attempts()
    assert (attempt.state, attempt.settle_at) == (A.CANCELLED, None)


@pytest.mark.parametrize(
    ("policy", "variables", "why"),
    [
        (HOLDING, {}, "no Messaging Service"),
        (SHORT, SERVICE_SET, "hours for it are shorter"),
    ],
)
def test_where_it_cannot_be_held_it_is_sent_at_once_and_the_trail_says_why(
    sqlite_ledger: Engine, tmp_path: Path, policy: str, variables: dict[str, str], why: str
) -> None:
    office = Office(sqlite_ledger, tmp_path, policy, dict(variables))
    office.tells()
    assert (office.row().state, office.attempts()[0].send_at) == (S.ACCEPTED, None)
    assert "SendAt" not in office.twilio.forms[0]
    assert why in office.trail("sent at once")[0]


def test_too_late_in_its_hours_to_be_held_it_waits_for_the_next_opening(office: Office) -> None:
    office.passes(timedelta(hours=5, minutes=34))  # 20:35 on the Chatham Islands: it would go out at 21:00
    office.read_again(TENANT, [INVOICE], NOW)
    office.tells()
    assert (office.row().state, office.row().reason) == (S.HELD, "window_ends")
    assert office.row().not_before == datetime.fromisoformat("2026-11-20T19:00:00Z")


@pytest.mark.parametrize(("before", "cancelled"), [(20, True), (200, False)])
def test_what_is_found_just_before_it_goes_out_is_decided_on_by_the_same_run(
    office: Office, before: int, *, cancelled: bool
) -> None:
    office.twilio.fates = ["lost"]
    office.tells()
    [attempt] = office.attempts()
    assert (attempt.state, attempt.sid) == (A.UNKNOWN, None)
    office.invoice = {"Status": "PAID", "AmountDue": 0, "AmountPaid": 115}
    assert attempt.send_at is not None
    office.clock.now = attempt.send_at - timedelta(seconds=before)
    office.looks()
    assert [one.cancelled for one in office.twilio.copies] == [cancelled]
    office.until(attempt.send_at + 5 * MINUTE)
    assert office.twilio.went_out() == []
