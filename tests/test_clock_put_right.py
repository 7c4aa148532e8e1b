"""What a clock that was ahead put off is made up for once it is right; what honestly waits goes on so."""

from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from prefect.logging import disable_run_logger
from sqlalchemy import Engine
from sqlmodel import col, select, update

from duebell.errors import ConfigurationError
from duebell.ledger import (
    attempts,
    awaiting,
    consent_lines,
    dispatch,
    group_lines,
    inbox,
    tenants,
    unsettled,
    wishes,
)
from duebell.ledger.clock_put_right import put_right
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Audit, Notification, XeroEvent
from duebell.ledger.token_sets import take_lease, usable
from duebell.ledger.writing import Writing, writing
from duebell.policy.verdict import Hold, Reason
from duebell.preferences.mirroring import Consent, Source, Wish
from duebell.resources import using
from duebell.sending.giving_back import wait_for_read
from duebell.sending.outcomes import MOST_TRIES, OTHER_WAY_AFTER, conclusion_of
from duebell.twilio.outcome import NotProcessed
from tasks import _prefect
from tasks.ledger import begin_drain, claim_events, end_drain, record_changes
from tasks.xero import fetch_changed
from tests.support_facts import (
    INVOICE,
    MINUTE,
    MOBILE,
    NOT_PROCESSED,
    NOW,
    TENANT,
    claim,
    conclude,
    numbered,
    open_tenant,
    plan,
    sent_off,
    the_attempt,
    the_notification,
)
from tests.support_held import held_off
from tests.support_held import scheduled as scheduled_by_twilio
from tests.support_lists import Polling, no_pace
from tests.test_withdrawn import stop

HOUR, FIVE = timedelta(hours=1), timedelta(seconds=5)
AHEAD = NOW + 13 * HOUR
RIGHT = NOW + MINUTE


def is_put_right(engine: Engine, now: datetime = RIGHT) -> int:
    with writing(engine, now) as book:
        return put_right(book, MINUTE)


@pytest.fixture
def books(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> Generator[Polling]:
    """An organisation whose one invoice is known, and what its runs work with."""
    books = Polling(ledger)
    books.xero.contact()
    books.xero.invoice()
    monkeypatch.setattr(_prefect, "pace_of", no_pace)
    with disable_run_logger(), using(books.resources):
        books.poll()
        drained(books)
        with writing(ledger, NOW) as book:
            book.session.exec(update(XeroEvent).values(state="handled"))
        yield books


def drained(books: Polling) -> list[str]:
    """What a run of `process_xero_events` says of each event that it could take."""
    lease = begin_drain.fn(TENANT)
    assert lease is not None
    assert inbox.waiting(books.engine, TENANT, now=books.clock.now), "a drain would linger"
    events = claim_events.fn(lease)
    try:
        record_changes.fn(TENANT, events, fetch_changed.fn(TENANT, events))
    finally:
        end_drain.fn(lease)
    with reading(books.engine) as session:
        rows = [session.get_one(XeroEvent, event.event_id) for event in events]
    return [f"{row.state}: {row.outcome}" for row in rows]


def rings(books: Polling, category: str = "INVOICE", resource_id: str = INVOICE) -> None:
    """Xero tells of a change, at a time of its own clock."""
    happened = books.clock.now + books.xero.ahead
    new = [NewEvent(TENANT, category, resource_id, "UPDATE", happened.isoformat(), happened)]
    inbox.keep(books.engine, new, [], now=books.clock.now)


def the_event(engine: Engine) -> XeroEvent:
    """The event that came last."""
    with reading(engine) as session:
        return session.exec(select(XeroEvent).order_by(col(XeroEvent.event_id))).all()[-1]


def seen_by_net(books: Polling) -> int:
    return sum(one.waiting for one in inbox.backlog(books.engine, now=books.clock.now, waited=FIVE))


def with_a_clock_ahead(books: Polling, hours: float = 13) -> None:
    books.clock.now, books.xero.ahead = books.clock.now + hours * HOUR, -hours * HOUR


def with_the_right_clock(books: Polling, hours: float = 13) -> None:
    books.clock.now, books.xero.ahead = books.clock.now - hours * HOUR + MINUTE, timedelta()


@pytest.mark.parametrize(
    ("hours", "was_tried"), [(0.5, False), (13, False), (13, True), (720, False), (720, True)]
)
def test_an_event_kept_by_a_clock_ahead_is_handled_as_soon_as_the_clock_is_right(
    books: Polling, hours: float, *, was_tried: bool
) -> None:
    with_a_clock_ahead(books, hours)
    books.xero.invoice(Status="VOIDED")
    rings(books)
    if was_tried:
        with pytest.raises(ConfigurationError, match="ahead of"):
            drained(books)
    with_the_right_clock(books, hours)
    is_put_right(books.engine, books.clock.now)
    assert seen_by_net(books) == 1
    assert drained(books) == ["handled: invoice withdrawn"]
    assert the_event(books.engine).received_at == books.clock.now
    assert broken(books.engine) == []


@pytest.mark.parametrize("minutes", [3, 14])
def test_what_a_clock_a_little_ahead_has_read_is_read_again_for_an_event_that_comes_once_it_is_right(
    books: Polling, minutes: float
) -> None:
    books.clock.now += HOUR
    with_a_clock_ahead(books, minutes / 60)
    books.xero.invoice(DueDateString="2026-12-24T00:00:00")
    books.xero.contact()
    rings(books)
    assert drained(books) == ["handled: due date moved"]
    with_the_right_clock(books, minutes / 60)
    books.xero.invoice(Status="VOIDED")
    rings(books)
    assert drained(books) == ["handled: invoice withdrawn"]


def test_a_credit_s_event_kept_by_a_clock_ahead_brings_the_invoices_that_changed_meanwhile(
    books: Polling,
) -> None:
    books.clock.now += HOUR
    with_a_clock_ahead(books)
    books.xero.invoice(AmountCredited=100, AmountDue=15)
    rings(books, "CREDITNOTE", numbered(7))
    with_the_right_clock(books)
    books.clock.now += HOUR
    is_put_right(books.engine, books.clock.now)
    assert drained(books) == ["handled: the invoices that it may touch were looked at"]
    assert books.inbox()[-1] == ("INVOICE", INVOICE, "allocation")


def test_an_event_is_not_taken_for_read_by_a_clock_that_is_behind(books: Polling) -> None:
    """A machine that lost its time begins behind: what came since the last read is still news."""
    books.clock.now += HOUR
    books.xero.invoice(Status="VOIDED")
    rings(books)
    behind = 5 * HOUR
    books.clock.now, books.xero.ahead = books.clock.now - behind, behind
    is_put_right(books.engine, books.clock.now)
    with pytest.raises(ConfigurationError, match="behind"):
        drained(books)
    books.clock.now, books.xero.ahead = books.clock.now + behind + MINUTE, timedelta()
    assert drained(books) == ["handled: invoice withdrawn"]


def test_leases_that_a_clock_ahead_took_are_over_once_it_is_right(ledger: Engine) -> None:
    open_tenant(ledger)
    assert tenants.take_drain(ledger, TENANT, "run 1", now=AHEAD)
    assert awaiting.take_reading(ledger, TENANT, "run 1", now=AHEAD)
    assert take_lease(ledger, usable(ledger, "tokens"), "run 1", AHEAD)
    with writing(ledger, AHEAD) as book:
        assert group_lines.take_lease(book, TENANT)
    assert is_put_right(ledger) == 4
    later = RIGHT + MINUTE
    assert tenants.take_drain(ledger, TENANT, "run 2", now=later)
    assert awaiting.take_reading(ledger, TENANT, "run 2", now=later)
    assert take_lease(ledger, usable(ledger, "tokens"), "run 2", later)
    with writing(ledger, later) as book:
        assert group_lines.take_lease(book, TENANT)
    assert is_put_right(ledger, later) == 0


def test_a_claim_of_a_clock_ahead_returns_and_a_send_is_looked_for(ledger: Engine) -> None:
    open_tenant(ledger)
    sent_off(ledger, 2, now=AHEAD)
    assert claim(ledger, plan(ledger, 1).notification_id or 0, now=AHEAD)
    is_put_right(ledger)
    with writing(ledger, RIGHT + MINUTE) as book:
        reaped = attempts.reap(book, MINUTE)
    assert (reaped.returned, reaped.unknown) == (1, 1)
    assert [one.first_notification_id for one in dispatch.due(ledger, now=RIGHT + MINUTE)] == [
        the_notification(ledger, 1).notification_id
    ]
    assert broken(ledger) == []


def test_what_a_clock_ahead_took_from_the_dead_is_seen_to_once_it_is_right(ledger: Engine) -> None:
    open_tenant(ledger)
    sent_off(ledger, 2)
    assert claim(ledger, plan(ledger, 1).notification_id or 0)
    with writing(ledger, AHEAD) as book:
        assert attempts.reap(book, MINUTE).returned == 1
    assert dispatch.due(ledger, now=RIGHT) == ()
    assert not unsettled.settle_due(ledger, now=RIGHT)
    is_put_right(ledger)
    assert claim(ledger, the_notification(ledger, 1).notification_id or 0, now=RIGHT)
    assert unsettled.settle_due(ledger, now=RIGHT)
    assert the_attempt(ledger).settle_at == RIGHT


def test_a_message_whose_run_a_clock_ahead_put_off_gets_its_run_once_it_is_right(ledger: Engine) -> None:
    open_tenant(ledger)
    plan(ledger, 1)
    plan(ledger, 2, Hold(Reason.OUTSIDE_WINDOW, MOBILE, NOW + 2 * HOUR))
    for run in dispatch.due(ledger, now=AHEAD):
        with writing(ledger, AHEAD) as book:
            dispatch.put_off(book, run)
    is_put_right(ledger)
    assert [one.invoice_ids for one in dispatch.due(ledger, now=RIGHT)] == [(numbered(1),)]
    is_put_right(ledger, NOW + 2 * HOUR)
    assert [one.invoice_ids for one in dispatch.due(ledger, now=NOW + 2 * HOUR)] == [
        (numbered(1), numbered(2))
    ]


def test_what_was_planned_by_a_clock_ahead_is_told_once_it_is_right(ledger: Engine) -> None:
    open_tenant(ledger)
    plan(ledger, 1, now=AHEAD)
    is_put_right(ledger)
    assert len(dispatch.due(ledger, now=RIGHT)) == 1


def test_what_honestly_waits_is_left_alone(ledger: Engine) -> None:
    open_tenant(ledger, parked_until=NOW + 20 * HOUR)
    plan(ledger, 1, Hold(Reason.OUTSIDE_WINDOW, MOBILE, NOW + 60 * HOUR))
    taken = sent_off(ledger, 2)
    conclude(ledger, replace(NOT_PROCESSED, reason="next_channel:twilio:30003", not_before=NOW + 24 * HOUR))
    inbox.keep(ledger, [NewEvent(TENANT, "INVOICE", INVOICE, "UPDATE", "a time", NOW)], [], now=NOW)
    events = inbox.claim(ledger, TENANT, now=NOW + 21 * HOUR, most=1) or ()
    assert (len(events), taken.notification_id > 0) == (1, True)
    with writing(ledger, NOW) as book:
        inbox.give_back(book, events, "Xero takes no calls", NOW + 20 * HOUR)
    assert is_put_right(ledger, NOW) == 0


@pytest.mark.parametrize("tries", [1, OTHER_WAY_AFTER, MOST_TRIES - 1])
def test_what_is_tried_again_rests_as_long_as_it_is_meant_to_however_often_it_was_tried(
    ledger: Engine, tries: int
) -> None:
    open_tenant(ledger)
    sent_off(ledger)
    away = NotProcessed("no route to host")
    conclude(ledger, conclusion_of(away, tries=tries, first_look=MINUTE, jitter=1.0, now=NOW))
    rests = the_notification(ledger).not_before
    assert rests is not None
    assert rests > NOW
    assert is_put_right(ledger, NOW) == 0
    assert the_notification(ledger).not_before == rests


def test_what_cannot_be_read_is_not_asked_for_each_minute(ledger: Engine) -> None:
    open_tenant(ledger)
    row = plan(ledger)
    with writing(ledger, NOW) as book:
        book.session.exec(update(Notification).values(dispatches=20))
    taken = claim(ledger, row.notification_id or 0)
    assert taken is not None
    with writing(ledger, NOW) as book:
        wait_for_read(book, taken, {INVOICE: ""})
    assert is_put_right(ledger, NOW) == 0


def test_a_stop_that_came_by_a_clock_ahead_is_told_to_others_once_it_is_right(ledger: Engine) -> None:
    with writing(ledger, AHEAD) as book:
        wishes.said(book, MOBILE, Wish(Consent.OPT_OUT, Source.WORD, AHEAD, "inbound:stop SM1"))
    assert not consent_lines.is_due(ledger, RIGHT)
    is_put_right(ledger)
    assert consent_lines.is_due(ledger, RIGHT)
    assert group_lines.is_due(ledger, RIGHT)


def test_that_the_clock_was_ahead_stands_in_the_trail_once(ledger: Engine) -> None:
    open_tenant(ledger)
    tenants.take_drain(ledger, TENANT, "run 1", now=AHEAD)
    for _ in range(3):
        is_put_right(ledger)
    with reading(ledger) as session:
        said = session.exec(select(Audit.details).where(Audit.action == "clock was ahead")).all()
    assert said == ['{"Tenant.drain_until":1}']


def brakes(book: Writing) -> None:
    tenants.brake(book, stopped=True, by="person:test", why="", scope="all")


@pytest.mark.parametrize(("happens", "times"), [(stop, 2), (brakes, 1)])
def test_what_a_clock_ahead_heard_of_a_message_that_twilio_holds_is_looked_at_before_it_goes_out(
    ledger: Engine, happens: Callable[[Writing], None], times: int
) -> None:
    held_off(ledger)
    conclude(ledger, scheduled_by_twilio())
    with writing(ledger, AHEAD) as book:
        happens(book)
    assert not unsettled.settle_due(ledger, now=RIGHT)
    assert is_put_right(ledger) == times, "the look, and the date of a stop"
    assert unsettled.settle_due(ledger, now=RIGHT)


def test_a_receipt_that_a_clock_ahead_took_costs_no_last_look(ledger: Engine) -> None:
    held_off(ledger)
    conclude(ledger, scheduled_by_twilio())
    assert is_put_right(ledger) == 0
    conclude(ledger, scheduled_by_twilio(), now=AHEAD)
    assert is_put_right(ledger) == 1
    assert unsettled.settle_due(ledger, now=RIGHT)
