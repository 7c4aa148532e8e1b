"""What Twilio holds when things go wrong: copies that nobody asked for, and reads that cannot be made."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from duebell.errors import ConfigurationError
from duebell.ledger import receipts, tenants, unsettled
from duebell.ledger.copies import TAKEN_BACK
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.writing import writing
from duebell.settling.settling import settle
from duebell.settling.watching import decide_anew, due
from duebell.states import NotificationState
from tests.support_facts import MINUTE, NOW, sid
from tests.support_watching import Office

S = NotificationState


@pytest.fixture
def lost(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    """A message whose answer was lost, and that was found in Twilio's list."""
    office = Office(sqlite_ledger, tmp_path)
    office.twilio.fates = ["lost"]
    office.tells()
    office.until(NOW + 2 * MINUTE)
    assert office.row().state == S.SCHEDULED
    return office


def stop(office: Office, *, stopped: bool) -> None:
    tenants.set_brake(office.engine, stopped=stopped, by="test", why="", scope="all", now=office.clock())


def test_a_copy_that_arrives_later_is_taken_back_long_before_the_last_looks(lost: Office) -> None:
    lost.twilio.duplicate()
    lost.until(NOW + 10 * MINUTE)
    lost.passes(20 * MINUTE)  # nobody is there to take the last looks
    assert len(lost.twilio.went_out()) == 1


def test_a_copy_that_is_listed_with_the_first_is_taken_back_at_once(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = Office(sqlite_ledger, tmp_path)
    office.twilio.fates = ["lost"]
    office.tells()
    office.twilio.duplicate()
    office.until(NOW + 3 * MINUTE)
    office.passes(30 * MINUTE)  # nobody is there any more
    assert len(office.twilio.went_out()) == 1
    assert office.trail(TAKEN_BACK) != []


@pytest.mark.parametrize("is_taken_back", [True, False])
def test_a_look_that_stood_still_does_not_take_a_copy_for_the_message_that_another_found(
    ledger: Engine, tmp_path: Path, *, is_taken_back: bool
) -> None:
    office = Office(ledger, tmp_path)
    office.twilio.fates = ["lost"]
    office.tells()
    with reading(office.engine) as session:
        [as_it_was] = unsettled.unsettled(session)
    office.until(NOW + 2 * MINUTE)
    office.twilio.duplicate()
    if is_taken_back:
        office.until(NOW + 10 * MINUTE)
        assert office.twilio.copies[1].cancelled
    settle(office.resources, as_it_was)
    assert (office.row().state, office.attempts()[0].sid) == (S.SCHEDULED, sid(1))
    office.until(NOW + 60 * MINUTE)
    office.tells()
    assert [one.sid for one in office.twilio.went_out()] == [sid(1)]


def test_a_copy_is_taken_back_though_the_run_that_finds_it_dies_right_after(lost: Office) -> None:
    lost.twilio.duplicate()
    lost.passes(7 * MINUTE)
    for batch in due(lost.engine, lost.clock()):
        decide_anew(lost.resources, batch, lost.read_again)
    lost.passes(30 * MINUTE)
    assert len(lost.twilio.went_out()) == 1


@pytest.mark.parametrize("fate", ["lost", "vanished"])
def test_a_copy_whose_taking_back_was_not_answered_is_seen_to_again(lost: Office, fate: str) -> None:
    lost.twilio.duplicate()
    lost.twilio.cancel_fates = [fate]
    lost.until(NOW + 9 * MINUTE)
    lost.passes(30 * MINUTE)
    assert len(lost.twilio.went_out()) == 1
    assert len(lost.trail(TAKEN_BACK)) == 1


def test_one_answer_is_enough_to_find_the_copies_of_every_attempt(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = Office(sqlite_ledger, tmp_path)
    office.twilio.fates = ["vanished", "lost"]
    office.tells()
    office.until(NOW + 23 * MINUTE)
    office.tells()
    office.until(NOW + 25 * MINUTE)
    assert office.row().state == S.SCHEDULED
    office.twilio.duplicate()
    office.passes(6 * MINUTE)
    office.twilio.lists_left = 1
    office.looks()
    office.passes(30 * MINUTE)
    assert len(office.twilio.went_out()) == 1


def test_what_may_be_the_message_of_a_newer_attempt_is_no_copy_of_one_that_was_taken_back(
    lost: Office,
) -> None:
    lost.twilio.fates = ["vanished"]
    stop(lost, stopped=True)
    lost.passes(5 * MINUTE)
    lost.looks()
    assert lost.row().reason == "cancelled:stopped"
    stop(lost, stopped=False)
    lost.tells()
    assert lost.row().state == S.UNKNOWN
    lost.twilio.duplicate()  # on the way, the first POST is repeated
    lost.twilio.copies[-1].cancelled, lost.twilio.copies[-1].at = False, lost.clock()
    lost.passes(5 * MINUTE)
    for batch in due(lost.engine, lost.clock()):
        decide_anew(lost.resources, batch, lost.read_again)
    lost.until(NOW + 90 * MINUTE)
    assert [one.sid for one in lost.twilio.went_out()] == [sid(2)]
    assert lost.attempts()[-1].sid == sid(2)


def test_what_was_taken_back_as_a_copy_and_was_another_attempts_is_said_again(lost: Office) -> None:
    lost.twilio.duplicate()
    lost.until(NOW + 10 * MINUTE)
    assert len(lost.trail(TAKEN_BACK)) == 1
    stop(lost, stopped=True)
    lost.until(NOW + 15 * MINUTE)
    stop(lost, stopped=False)
    lost.twilio.fates = ["vanished"]
    lost.tells()
    assert lost.row().state == S.UNKNOWN
    with writing(lost.engine, lost.clock()) as book:
        receipts.apply(book, lost.attempts()[-1].attempt_id, sid(2), "canceled", None, "receipt")
    assert (lost.row().state, lost.row().reason) == (S.PLANNED, "cancelled:surplus")
    assert broken(lost.engine) == []
    lost.tells()
    lost.until(NOW + 90 * MINUTE)
    assert len(lost.twilio.went_out()) == 1


def test_copies_that_twilio_cannot_be_asked_for_do_not_hold_up_taking_back(lost: Office) -> None:
    lost.invoice = {"Status": "VOIDED"}
    lost.passes(20 * MINUTE)
    lost.twilio.lists_fail = 2
    lost.looks()
    lost.passes(10 * MINUTE)
    assert (lost.row().state, lost.twilio.went_out()) == (S.PLANNED, [])


def test_copies_that_twilio_could_not_be_asked_for_stay_to_be_looked_for(lost: Office) -> None:
    lost.twilio.duplicate()
    lost.passes(21 * MINUTE)
    lost.twilio.lists_fail = 2
    lost.looks()
    assert due(lost.engine, lost.clock()) != []
    lost.until(NOW + 30 * MINUTE)
    assert len(lost.twilio.went_out()) == 1


def test_a_list_that_is_not_answered_once_does_not_cost_the_look_for_copies(lost: Office) -> None:
    lost.twilio.duplicate()
    lost.passes(22 * MINUTE)
    lost.twilio.lists_fail = 1
    lost.looks()
    lost.passes(10 * MINUTE)  # nobody is there any more
    assert len(lost.twilio.went_out()) == 1


def test_what_cannot_be_read_for_a_reason_of_our_own_is_taken_back_at_the_last_look(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = Office(sqlite_ledger, tmp_path)
    office.tells()

    office.xero_is_away = ConfigurationError("the clock of this machine is wrong")
    office.until(NOW + 23 * MINUTE)
    assert office.row().reason == "cancelled:not_read"
    assert office.twilio.went_out() == []
