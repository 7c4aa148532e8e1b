"""SendGrid holds an email: it is taken back where it became untrue, and said once where nobody answered."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from duebell import failpoints
from duebell.deciding.deciding import Rules
from duebell.errors import ConfigurationError
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import attempts, batches, tenants
from duebell.ledger.writing import writing
from duebell.policy_file.policy import read_policy
from duebell.states import NotificationState, Sending
from tests.support_facts import MINUTE, NOW
from tests.support_held import SEND_AT
from tests.support_held_email import FIRST_LOOK, PAID, SENDGRID_SET, EmailOffice

S = NotificationState


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> EmailOffice:
    return EmailOffice(ledger, tmp_path)


def texts(office: EmailOffice) -> int:
    """How often the person was told."""
    return len(office.grid.went_out())


def test_an_email_is_held_in_a_batch_of_its_own_and_goes_out_at_its_time(office: EmailOffice) -> None:
    office.tells()
    [email] = office.grid.emails
    assert (email.send_at, email.batch_id) == (SEND_AT, office.attempt().batch_id)
    assert (office.row().state, texts(office)) == (S.SCHEDULED, 0)
    office.until(SEND_AT + 5 * MINUTE)
    assert (office.row().state, texts(office)) == (S.ACCEPTED, 1)
    office.hears(email, "delivered")
    assert office.row().state == S.DELIVERED


def test_what_is_paid_while_it_is_held_is_taken_back_before_sendgrid_stops_doing_that(
    office: EmailOffice,
) -> None:
    office.tells()
    office.invoice = PAID
    office.until(SEND_AT - 11 * MINUTE)
    assert office.row().reason == "cancelled:already_paid"
    office.tells()
    office.until(SEND_AT + 30 * MINUTE)
    assert (office.row().state, texts(office)) == (S.SKIPPED, 0)


def test_what_is_paid_in_the_last_ten_minutes_goes_out_and_is_said_to(office: EmailOffice) -> None:
    office.tells()
    office.until(SEND_AT - 11 * MINUTE)
    office.invoice = PAID
    office.until(SEND_AT + 5 * MINUTE)
    assert (office.row().state, texts(office)) == (S.ACCEPTED, 1)


@pytest.mark.parametrize("fate", ["lost", "vanished", "late"])
def test_an_email_that_was_not_answered_is_discarded_and_said_once_in_another_batch(
    office: EmailOffice, fate: str
) -> None:
    office.grid.fates = [fate]
    office.tells()
    assert office.row().state == S.UNKNOWN
    office.until(NOW + 2 * MINUTE)
    assert (office.row().state, office.row().reason) == (S.PLANNED, "tried_again_later")
    office.tells()
    office.grid.arrive()
    office.until(NOW + 90 * MINUTE)
    assert [one.batch_id for one in office.grid.went_out()] == ["batch-2"]
    assert [one.state for one in office.attempts()] == ["not_processed", "accepted"]


@pytest.mark.parametrize("fate", ["lost", "vanished"])
def test_a_cancellation_that_was_not_answered_is_asked_for_again(office: EmailOffice, fate: str) -> None:
    office.grid.fates, office.grid.cancel_fates = ["lost"], [fate, "taken"]
    office.tells()
    office.passes(FIRST_LOOK)
    with pytest.raises(Exception, match="SendGrid could not be read"):
        office.looks()
    office.until(NOW + 3 * MINUTE)
    office.tells()
    office.until(NOW + 90 * MINUTE)
    assert (office.row().state, texts(office)) == (S.ACCEPTED, 1)


@pytest.mark.parametrize("point", ["before-batch", "before-post", "after-post"])
def test_a_sender_that_dies_tells_nobody_twice_and_loses_nobody(
    office: EmailOffice, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setattr(failpoints, "_passes", iter(range(1, 99)))
    monkeypatch.setenv(failpoints.VARIABLE, f"{point}=raise@1")
    with pytest.raises(RuntimeError, match=point):
        office.tells()
    monkeypatch.delenv(failpoints.VARIABLE)
    office.passes(10 * MINUTE)
    with writing(office.engine, office.clock()) as book:
        assert attempts.reap(book, FIRST_LOOK).unknown == 1
    office.until(NOW + 12 * MINUTE)
    assert office.row().state == S.PLANNED
    office.tells()
    office.until(NOW + 90 * MINUTE)
    assert (office.row().state, texts(office)) == (S.ACCEPTED, 1)


@pytest.mark.parametrize("point", ["before-discarding", "after-discarding"])
def test_whoever_dies_over_discarding_an_email_leaves_it_to_the_next(
    office: EmailOffice, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    office.grid.fates = ["lost"]
    office.tells()
    office.passes(FIRST_LOOK)
    monkeypatch.setattr(failpoints, "_passes", iter(range(1, 99)))
    monkeypatch.setenv(failpoints.VARIABLE, f"{point}=raise@1")
    with pytest.raises(RuntimeError, match=point):
        office.looks()
    monkeypatch.delenv(failpoints.VARIABLE)
    office.until(NOW + 3 * MINUTE)
    office.tells()
    office.until(NOW + 90 * MINUTE)
    assert (office.row().state, texts(office)) == (S.ACCEPTED, 1)


def test_what_sendgrid_takes_back_no_more_is_left_to_its_events_and_then_to_a_person(
    office: EmailOffice,
) -> None:
    office.grid.fates, office.grid.most_cancelled = ["lost"], 0
    office.tells()
    office.passes(FIRST_LOOK)
    with pytest.raises(Exception, match="SendGrid refused"):
        office.looks()
    office.passes(SEND_AT - 5 * MINUTE - office.clock())
    office.until(SEND_AT + 25 * MINUTE)
    assert (office.row().state, texts(office)) == (S.PARKED, 1)
    office.hears(office.grid.emails[0], "delivered")
    assert office.row().state == S.DELIVERED


def test_an_email_of_which_nobody_heard_in_time_that_it_is_taken_back_is_left_to_a_person(
    office: EmailOffice,
) -> None:
    office.tells()
    office.invoice = PAID
    office.grid.cancel_fates = ["lost"]
    office.passes(12 * MINUTE)
    with pytest.raises(Exception, match="SendGrid could not be read"):
        office.looks()
    office.passes(SEND_AT + 2 * MINUTE - office.clock())
    office.until(SEND_AT + 10 * MINUTE)
    assert (office.row().state, texts(office)) == (S.PARKED, 0)


def test_an_email_is_looked_for_while_its_batch_can_be_cancelled_whatever_the_policy_says(
    ledger: Engine, tmp_path: Path
) -> None:
    late = f"{EmailOffice.policy}\n[settle]\nafter_minutes = [14, 20]\npark_after_minutes = 30\n"
    office = EmailOffice(ledger, tmp_path, policy=late)
    office.grid.fates = ["lost"]
    office.tells()
    office.until(SEND_AT - 12 * MINUTE)
    assert office.row().state == S.PLANNED


def test_no_more_emails_are_held_than_sendgrid_takes_back_at_once(
    office: EmailOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_HELD", 1)
    office.grid.fates = ["vanished"]
    office.tells()
    office.until(NOW + 2 * MINUTE)
    office.tells()
    assert office.attempt().send_at is None
    assert "emails are held already" in str(office.trail("sent at once"))


def test_where_sendgrid_is_not_to_be_spoken_to_any_more_a_person_is_asked(office: EmailOffice) -> None:
    office.grid.fates = ["lost"]
    office.tells()
    settings = office.resources.settings.model_copy(update={"sendgrid_api_key": SecretStr("")})
    office.resources = replace(office.resources, settings=settings)
    office.passes(FIRST_LOOK)
    with pytest.raises(ConfigurationError, match="SENDGRID_API_KEY"):
        office.looks()
    office.passes(SEND_AT - 5 * MINUTE - office.clock())
    office.until(SEND_AT + 30 * MINUTE)
    assert office.row().state == S.PARKED


def test_a_channel_that_holds_nothing_is_not_decided_on_as_if_it_did() -> None:
    policy = read_policy(EmailOffice.policy.encode(), Path("policy.toml"))
    rules = Rules(policy, Sending.LIVE, schedules=frozenset({"email"}))
    assert rules.held_for("t", INVOICE_ISSUED, forced=False) == {"email": timedelta(minutes=25)}
    assert rules.held_for("t", INVOICE_ISSUED, forced=True) == {}


def test_what_sendgrid_prepares_before_its_time_is_still_held(office: EmailOffice) -> None:
    office.tells()
    office.hears(office.grid.emails[0], "processed")
    assert office.row().state == S.SCHEDULED
    office.invoice = PAID
    office.until(SEND_AT - 11 * MINUTE)
    assert office.row().reason == "cancelled:already_paid"


def test_an_email_that_goes_out_although_it_was_taken_back_is_known_as_told(office: EmailOffice) -> None:
    office.tells()
    office.invoice = PAID
    office.until(SEND_AT - 11 * MINUTE)
    office.passes(SEND_AT + MINUTE - office.clock())
    office.hears(office.grid.emails[0], "delivered")
    assert office.row().state == S.DELIVERED


def test_what_is_delivered_before_its_time_ends_the_holding(office: EmailOffice) -> None:
    office.tells()
    office.hears(office.grid.emails[0], "delivered")
    assert office.row().state == S.DELIVERED
    assert "SendGrid sent attempt" in str(office.trail("scheduling taken off"))


@pytest.mark.parametrize("status", [400, 403])
def test_an_email_for_which_sendgrid_makes_no_batch_is_sent_at_once(office: EmailOffice, status: int) -> None:
    office.grid.batch_status = status
    office.tells()
    [email] = office.grid.emails
    assert (email.send_at, email.batch_id, office.attempt().send_at) == (None, "", None)
    assert office.row().state == S.ACCEPTED
    assert "SendGrid makes no batch" in str(office.trail("sent at once"))


def test_where_sendgrid_is_away_nothing_is_posted_and_it_is_tried_again(office: EmailOffice) -> None:
    office.grid.batch_status = 503
    office.tells()
    assert (office.row().state, office.grid.emails) == (S.PLANNED, [])
    office.grid.batch_status = 201
    office.passes(5 * MINUTE)
    office.tells()
    assert office.row().state == S.SCHEDULED


def test_a_policy_that_says_nothing_of_emails_has_them_sent_at_once(ledger: Engine, tmp_path: Path) -> None:
    at_once = EmailOffice.policy.replace("emails = true", "")
    office = EmailOffice(ledger, tmp_path, policy=at_once)
    office.tells()
    assert office.grid.emails[0].send_at is None
    assert office.trail("sent at once") == []


def test_twilios_email_api_holds_nothing_and_the_trail_says_so(ledger: Engine, tmp_path: Path) -> None:
    office = EmailOffice(ledger, tmp_path, variables=SENDGRID_SET | {"EMAIL_PROVIDER": "twilio"})
    office.tells()
    assert office.attempt().send_at is None
    assert "Email API holds no emails" in str(office.trail("sent at once"))


def test_a_stop_of_all_sending_takes_back_what_sendgrid_holds(office: EmailOffice) -> None:
    office.tells()
    tenants.set_brake(office.engine, stopped=True, by="person", why="", scope="all", now=office.clock())
    office.until(NOW + 60 * MINUTE)
    assert (office.row().state, office.row().reason, texts(office)) == (S.PLANNED, "cancelled:stopped", 0)


def test_emails_are_held_only_where_there_is_time_to_take_them_back() -> None:
    held = b"[hold]\nlead_minutes = 5\nslack_minutes = 15\nemails = true\n"
    with pytest.raises(ConfigurationError, match=r"emails .* 20 together or more"):
        read_policy(held.replace(b"15", b"14"), Path("policy.toml"))
    assert read_policy(held, Path("policy.toml")).hold.emails
