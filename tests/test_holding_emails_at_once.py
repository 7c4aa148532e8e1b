"""Emails that SendGrid holds, where several act at once, somebody stood still, or the ledger was set back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from duebell.email.sendgrid import SendGrid
from duebell.ledger import attempts, tenants, unsettled
from duebell.ledger.engine import reading
from duebell.ledger.evidence import conclude
from duebell.ledger.writing import writing
from duebell.safekeeping.journal import Journal
from duebell.safekeeping.quarantine import compare
from duebell.sending.telling import tell
from duebell.settling.confirming import confirm
from duebell.settling.settling import settle
from duebell.states import NotificationState
from tests.support_facts import MINUTE, NOW
from tests.support_held import SEND_AT, scheduled
from tests.support_held_email import FIRST_LOOK, PAID, EmailOffice
from tests.test_journal import copied_aside

S = NotificationState


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> EmailOffice:
    return EmailOffice(ledger, tmp_path)


def test_an_answer_that_comes_once_the_email_was_discarded_brings_it_back_to_nobody(
    office: EmailOffice,
) -> None:
    def others_hold_it_for_lost() -> None:
        office.grid.before_answer = None
        office.passes(10 * MINUTE)
        with writing(office.engine, office.clock()) as book:
            attempts.reap(book, FIRST_LOOK)
        office.passes(FIRST_LOOK)
        office.looks()
        assert office.row().state == S.PLANNED

    office.grid.before_answer = others_hold_it_for_lost
    office.tells()
    assert [one.state for one in office.attempts()] == ["not_processed"]
    office.tells()
    office.until(NOW + 90 * MINUTE)
    assert (office.row().state, len(office.grid.went_out())) == (S.ACCEPTED, 1)


def test_an_answer_that_comes_while_the_email_is_being_discarded_is_said_anew(office: EmailOffice) -> None:
    """The wish to discard stands before the answer, the proof that it was heard after it."""
    office.grid.fates = ["lost"]
    office.tells()
    email = office.grid.emails[0]
    office.grid.before_cancel = lambda: office.hears(email, "processed")
    office.passes(FIRST_LOOK)
    office.looks()
    office.grid.before_cancel = None
    assert office.row().state == S.SCHEDULED
    office.until(SEND_AT - 5 * MINUTE)
    assert office.row().reason == "cancelled:unanswered"
    office.tells()
    office.until(NOW + 90 * MINUTE)
    assert [one.batch_id for one in office.grid.went_out()] == ["batch-2"]


@pytest.mark.parametrize("knows", ["the event", "the answer"])
def test_what_is_known_by_the_time_of_a_look_is_not_discarded_by_it(office: EmailOffice, knows: str) -> None:
    office.grid.fates = ["lost"]
    office.tells()
    with reading(office.engine) as session:
        [as_it_was] = unsettled.unsettled(session)
    email = office.grid.emails[0]
    if knows == "the event":
        office.hears(email, "processed")
    else:
        with writing(office.engine, office.clock()) as book:
            conclude(book, as_it_was.attempt_id, replace(scheduled(), sid=email.sid))
    assert settle(office.resources, as_it_was).outcome == "later"
    assert office.grid.batches == {"batch-1": None}
    office.until(SEND_AT + 5 * MINUTE)
    assert (office.row().state, len(office.grid.went_out())) == (S.ACCEPTED, 1)


def test_whoever_stood_still_before_it_discarded_an_email_does_not_have_it_said_again(
    office: EmailOffice,
) -> None:
    office.grid.fates = ["lost"]
    office.tells()
    office.passes(FIRST_LOOK)
    office.grid.before_cancel = lambda: office.passes(16 * MINUTE)
    office.looks()
    office.grid.before_cancel = None
    assert office.row().state == S.UNKNOWN
    office.until(SEND_AT + 30 * MINUTE)
    assert (office.row().state, len(office.grid.went_out())) == (S.PARKED, 1)


def test_of_two_who_see_its_time_pass_the_second_does_not_take_what_was_left_to_a_person_for_sent(
    office: EmailOffice,
) -> None:
    office.tells()
    office.invoice = PAID
    office.grid.cancel_fates = ["lost"]
    office.passes(12 * MINUTE)
    with pytest.raises(Exception, match="SendGrid could not be read"):
        office.looks()
    office.passes(SEND_AT + 3 * MINUTE - office.clock())
    [as_it_was] = office.silent()
    office.looks()
    confirm(office.resources, as_it_was)
    assert office.row().state == S.PARKED


def test_whoever_stood_still_before_it_took_an_email_back_does_not_have_it_said_again(
    office: EmailOffice,
) -> None:
    office.tells()
    office.invoice = PAID
    office.passes(12 * MINUTE)
    office.grid.before_cancel = lambda: office.passes(8 * MINUTE)
    office.looks()
    office.grid.before_cancel = None
    assert office.row().state == S.SCHEDULED
    office.until(SEND_AT + 5 * MINUTE)
    assert (office.row().state, len(office.grid.went_out())) == (S.PARKED, 1)


def test_what_sendgrid_prepared_and_discarded_is_not_taken_for_told_however_late_that_is_heard(
    office: EmailOffice,
) -> None:
    office.grid.fates = ["lost"]
    office.tells()
    email, then = office.grid.emails[0], office.clock.now
    office.until(NOW + 2 * MINUTE)
    assert office.row().state == S.PLANNED
    office.passes(SEND_AT + 2 * MINUTE - office.clock())
    office.hears(email, "processed", at=then)
    office.hears(email, "processed")
    assert office.row().state == S.PLANNED
    office.tells()
    office.until(NOW + 90 * MINUTE)
    assert [one.batch_id for one in office.grid.went_out()] == ["batch-2"]


@pytest.mark.parametrize("fate", ["taken", "lost"])
def test_what_sendgrid_held_when_the_ledger_was_set_back_is_taken_back_and_told_once(
    sqlite_ledger: Engine, tmp_path: Path, fate: str
) -> None:
    office = EmailOffice(sqlite_ledger, tmp_path)
    office.resources = replace(office.resources, journal=Journal(tmp_path / "journal", "here"))
    claimed = office.claims()
    put_back = copied_aside(office.engine, tmp_path)
    office.grid.fates = [fate]
    for claim in claimed:
        tell(office.resources, claim, office.read_again, flow_run_id=None)

    office.engine = put_back()
    journal = Journal(tmp_path / "journal", "here")
    office.resources = replace(office.resources, engine=office.engine, journal=journal)
    office.passes(MINUTE)
    compare(office.resources)
    office.until(NOW + 20 * MINUTE)
    assert (office.row().state, list(office.grid.batches)) == (S.PLANNED, ["batch-1"])
    tenants.set_brake(office.engine, stopped=False, by="person", why="", scope="all", now=office.clock())
    office.tells()
    office.until(NOW + 90 * MINUTE)
    assert [one.batch_id for one in office.grid.went_out()] == ["batch-2"]


@pytest.mark.parametrize("fate", ["taken", "lost"])
@pytest.mark.parametrize("has_batch", [True, False])
def test_a_ledger_that_was_copied_before_the_batch_was_noted_learns_of_it(
    sqlite_ledger: Engine, tmp_path: Path, fate: str, *, has_batch: bool
) -> None:
    office = EmailOffice(sqlite_ledger, tmp_path)
    office.resources = replace(office.resources, journal=Journal(tmp_path / "journal", "here"))
    copies, create = list[Callable[[], Engine]](), SendGrid.create_batch

    def in_the_middle(grid: SendGrid) -> str:
        copies.append(copied_aside(office.engine, tmp_path))
        return create(grid)

    office.grid.fates, office.grid.batch_status = [fate], 201 if has_batch else 403
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SendGrid, "create_batch", in_the_middle)
        office.tells()
    attempt = office.attempt()

    office.engine = copies[0]()
    journal = Journal(tmp_path / "journal", "here")
    office.resources = replace(office.resources, engine=office.engine, journal=journal)
    compare(office.resources)
    again = office.attempt()
    assert (again.send_at, again.batch_id) == (attempt.send_at, attempt.batch_id)
    assert (again.sid or "") == ("grid-1" if fate == "taken" else "")
    if has_batch:
        return
    office.passes(10 * MINUTE)
    with writing(office.engine, office.clock()) as book:
        attempts.reap(book, FIRST_LOOK)
    office.until(NOW + 90 * MINUTE)
    assert office.row().state == (S.ACCEPTED if fate == "taken" else S.PARKED)
