"""What Twilio held and took back, or let expire, reached nobody and is decided anew; nothing else ever is."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import col

from duebell.ledger import hold_switch, preferences, scheduled, tenants
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Notification
from duebell.ledger.unsettled import settle_due
from duebell.ledger.writing import Writing, writing
from duebell.states import AttemptState, NotificationState
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    MOBILE,
    NOT_PROCESSED,
    NOW,
    TENANT,
    UNKNOWN,
    accepted,
    begin,
    claim,
    conclude,
    numbered,
    receipt,
    sent_off,
    the_attempt,
    the_notification,
)
from tests.support_held import SEND_AT, begin_held, held_off
from tests.support_held import scheduled as held

S, A = NotificationState, AttemptState
LATER = NOW + timedelta(hours=4)


def rings(
    engine: Engine, status: str, code: int | None = None, number: int = 1, now: datetime = LATER
) -> None:
    """Twilio calls about the ``number``-th message."""
    keep_receipt(engine, receipt(status, number, code=code), now=now)
    assert broken(engine) == []


def states(engine: Engine, attempt_id: str = "a1") -> tuple[str, str]:
    return the_notification(engine).state, the_attempt(engine, attempt_id).state


def cancelled(engine: Engine, attempt_id: str = "a1", number: int = 1, why: str = "already_paid") -> None:
    """Twilio was asked to cancel a message, and did."""
    with writing(engine, NOW + MINUTE) as book:
        scheduled.ask_to_cancel(book, attempt_id, why)
    rings(engine, "canceled", number=number, now=NOW + MINUTE)


def expires(engine: Engine, number: int) -> None:
    """The notification's message is posted, and expires in Twilio's queue."""
    attempt_id, now = f"a{number}", LATER + number * timedelta(hours=5)
    claimed = claim(engine, the_notification(engine).notification_id or 0, now=now)
    assert claimed is not None
    assert begin(engine, claimed, attempt_id, now=now)
    conclude(engine, accepted(number), attempt_id, now=now)
    rings(engine, "failed", 30036, number, now=now + timedelta(hours=4))


def test_a_message_that_expired_in_the_queue_is_decided_anew(ledger: Engine) -> None:
    sent_off(ledger)
    conclude(ledger, accepted())
    rings(ledger, "failed", 30036)
    row = the_notification(ledger)
    assert (row.state, row.reason, row.not_before, row.dispatch_at) == (
        S.PLANNED,
        "twilio:30036",
        LATER,
        LATER,
    )
    assert the_attempt(ledger).state == A.EXPIRED


def test_the_answer_and_older_receipts_do_not_bring_back_what_expired(ledger: Engine) -> None:
    sent_off(ledger)
    keep_receipt(ledger, receipt("failed", code=30036, attempt_id="a1"), now=LATER)
    conclude(ledger, accepted(), now=LATER)
    rings(ledger, "queued")
    assert states(ledger) == (S.PLANNED, A.EXPIRED)


@pytest.mark.parametrize("status", ["sent", "delivered"])
def test_what_went_out_after_all_is_told_after_all(ledger: Engine, status: str) -> None:
    sent_off(ledger)
    conclude(ledger, accepted())
    rings(ledger, "failed", 30036)
    rings(ledger, status)
    assert states(ledger) == (status, A.ACCEPTED)


def test_what_was_sent_is_not_decided_anew_whatever_is_said_later(ledger: Engine) -> None:
    sent_off(ledger)
    conclude(ledger, accepted())
    rings(ledger, "sent")
    rings(ledger, "failed", 30036)
    assert the_notification(ledger).state == S.FAILED


def test_a_message_that_expires_time_and_again_has_failed(ledger: Engine) -> None:
    sent_off(ledger)
    conclude(ledger, accepted())
    rings(ledger, "failed", 30036)
    expires(ledger, 2)
    assert states(ledger, "a2") == (S.PLANNED, A.EXPIRED)
    expires(ledger, 3)
    assert states(ledger, "a3") == (S.FAILED, A.ACCEPTED)


def test_what_twilio_holds_is_decided_on_again_before_it_goes_out(ledger: Engine) -> None:
    held_off(ledger)
    conclude(ledger, held())
    assert states(ledger) == (S.SCHEDULED, A.ACCEPTED)
    assert the_attempt(ledger).settle_at == SEND_AT - 3 * MINUTE
    assert not settle_due(ledger, now=SEND_AT - 4 * MINUTE)
    assert settle_due(ledger, now=SEND_AT - 3 * MINUTE)
    assert broken(ledger) == []


def test_what_twilio_puts_off_by_itself_is_not_ours_to_take_back(ledger: Engine) -> None:
    sent_off(ledger)
    conclude(ledger, held())
    assert states(ledger) == (S.ACCEPTED, A.ACCEPTED)
    assert the_attempt(ledger).settle_at is None


def test_what_was_cancelled_because_we_asked_is_decided_anew(ledger: Engine) -> None:
    held_off(ledger)
    conclude(ledger, held())
    cancelled(ledger)
    row = the_notification(ledger)
    assert (row.state, row.reason, row.dispatch_at) == (
        S.PLANNED,
        "cancelled:already_paid",
        NOW + MINUTE,
    )
    assert the_attempt(ledger).state == A.CANCELLED


def test_what_somebody_cancelled_in_twilios_console_is_not_said_again(ledger: Engine) -> None:
    held_off(ledger)
    conclude(ledger, held())
    rings(ledger, "canceled", now=NOW + MINUTE)
    assert states(ledger) == (S.FAILED, A.ACCEPTED)


def test_f094_receipts_that_come_late_find_a_cancelled_attempt(ledger: Engine) -> None:
    held_off(ledger)
    conclude(ledger, held())
    cancelled(ledger)
    rings(ledger, "queued")
    assert states(ledger) == (S.PLANNED, A.CANCELLED)
    rings(ledger, "delivered")
    assert states(ledger) == (S.DELIVERED, A.ACCEPTED)


def test_one_of_two_copies_is_cancelled_and_the_other_speaks(ledger: Engine) -> None:
    claimed = held_off(ledger)
    conclude(ledger, NOT_PROCESSED)  # it was not in Twilio's list, and is there all the same
    again = claim(ledger, claimed.notification_id, "run 2")
    assert again is not None
    begin_held(ledger, again, "a2", send_at=SEND_AT + 22 * MINUTE)
    conclude(ledger, held(2), "a2")
    conclude(ledger, held(1), "a1")
    cancelled(ledger, "a2", 2, "surplus")
    assert states(ledger, "a2") == (S.SCHEDULED, A.CANCELLED)
    cancelled(ledger, "a1", 1)
    assert states(ledger, "a1") == (S.PLANNED, A.CANCELLED)


def test_nothing_is_decided_anew_while_nobody_knows_of_another_copy(ledger: Engine) -> None:
    claimed = held_off(ledger)
    conclude(ledger, NOT_PROCESSED)
    again = claim(ledger, claimed.notification_id, "run 2")
    assert again is not None
    begin_held(ledger, again, "a2", send_at=SEND_AT + 22 * MINUTE)
    conclude(ledger, UNKNOWN, "a2")
    conclude(ledger, held(1), "a1")
    cancelled(ledger, "a1")
    assert states(ledger, "a2") == (S.UNKNOWN, A.UNKNOWN)


def test_f085_a_schedule_that_twilio_ignores_is_the_last_one(ledger: Engine) -> None:
    held_off(ledger)
    conclude(ledger, accepted())
    with reading(ledger) as session:
        assert hold_switch.is_off(session)
        assert "a1" in hold_switch.why_off(session)
    assert tenants.brakes(ledger) == []
    with writing(ledger, NOW) as book:
        assert hold_switch.put_on(book, "test", "")
    assert broken(ledger) == []


def test_what_goes_out_at_its_time_is_as_it_should_be(ledger: Engine) -> None:
    held_off(ledger)
    conclude(ledger, held())
    rings(ledger, "queued", now=SEND_AT)
    assert states(ledger) == (S.ACCEPTED, A.ACCEPTED)
    with reading(ledger) as session:
        assert not hold_switch.is_off(session)


def test_an_answer_that_is_written_late_does_not_make_what_went_out_since_seem_early(ledger: Engine) -> None:
    held_off(ledger)
    conclude(ledger, UNKNOWN)
    conclude(ledger, held())
    rings(ledger, "delivered", now=SEND_AT + MINUTE)
    conclude(ledger, held(), now=NOW + MINUTE)  # by a process that has stood still since
    with reading(ledger) as session:
        assert not hold_switch.is_off(session)


def stop(book: Writing) -> None:
    preferences.refuse_address(book, MOBILE, "sms", preferences.OPTED_OUT, "STOP")


def invoice(book: Writing) -> None:
    scheduled.look_soon_at_invoices(book, TENANT, [numbered(1)])


def contact(book: Writing) -> None:
    scheduled.look_soon_at_contacts(book, TENANT, [CONTACT])


def another_invoice(book: Writing) -> None:
    scheduled.look_soon_at_invoices(book, TENANT, [INVOICE])


@pytest.mark.parametrize(
    ("happens", "at_once"), [(stop, True), (invoice, True), (contact, True), (another_invoice, False)]
)
def test_f058_what_happens_meanwhile_is_looked_at_at_once(
    ledger: Engine, happens: Callable[[Writing], None], *, at_once: bool
) -> None:
    held_off(ledger)
    conclude(ledger, held())
    with writing(ledger, NOW + MINUTE) as book:
        happens(book)
    assert settle_due(ledger, now=NOW + MINUTE) == at_once


@pytest.mark.parametrize(
    ("happens", "at_once"), [(stop, True), (invoice, True), (contact, True), (another_invoice, False)]
)
@pytest.mark.parametrize("is_unknown", [False, True])
def test_f058_what_happens_while_twilio_is_asked_is_looked_at_as_soon_as_twilio_has_it(
    ledger: Engine, happens: Callable[[Writing], None], *, is_unknown: bool, at_once: bool
) -> None:
    held_off(ledger)
    if is_unknown:
        conclude(ledger, UNKNOWN)
    with writing(ledger, NOW) as book:
        happens(book)
    assert not settle_due(ledger, now=NOW)
    conclude(ledger, held(), now=NOW + MINUTE)
    assert settle_due(ledger, now=NOW + MINUTE) == at_once
    conclude(ledger, held(), now=NOW + 2 * MINUTE)  # as by a receipt, which says nothing new
    assert settle_due(ledger, now=NOW + 2 * MINUTE) == at_once


def test_what_happens_while_it_is_decided_on_is_looked_at_after_that(ledger: Engine) -> None:
    held_off(ledger)
    conclude(ledger, held())
    for minute, is_overtaken in ((1, True), (2, False)):
        now = NOW + minute * MINUTE
        with writing(ledger, now) as book:
            stop(book)
        with reading(ledger) as session:
            [looked_at] = scheduled.due(session, now=now)
        with writing(ledger, now + MINUTE / 2) as book:
            if is_overtaken:
                invoice(book)
            scheduled.look_again_at(book, looked_at)
        assert settle_due(ledger, now=now + MINUTE / 2) == is_overtaken


@pytest.mark.parametrize("scope", ["all", TENANT])
def test_the_brake_is_looked_at_at_once_too(ledger: Engine, scope: str) -> None:
    held_off(ledger)
    conclude(ledger, held())
    tenants.set_brake(ledger, stopped=True, by="test", why="", scope="another tenant", now=NOW + MINUTE)
    assert not settle_due(ledger, now=NOW + MINUTE)
    tenants.set_brake(ledger, stopped=True, by="test", why="", scope=scope, now=NOW + MINUTE)
    assert settle_due(ledger, now=NOW + MINUTE)


def test_what_is_told_in_anothers_message_is_looked_at_with_it(ledger: Engine) -> None:
    held_off(ledger)
    conclude(ledger, held())
    lead = the_notification(ledger)
    with writing(ledger, NOW) as book:
        told_by = col(Notification.lead_id) == lead.notification_id
        scheduled.look_soon(book, told_by)
    assert not settle_due(ledger, now=NOW)
