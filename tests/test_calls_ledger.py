"""The count of calls, what Xero said of its limits, and parks, as they stand in the ledger."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books.calls import Park, Pause, Purpose
from duebell.books.parking import REASON, rest_of, wait_for_xero
from duebell.errors import RateLimited, TenantParked
from duebell.ledger import calls, inbox, tenants
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Audit, Tenant, XeroCall, XeroEvent
from duebell.ledger.writing import writing
from duebell.showing.reporting import in_words
from duebell.xero.answers import CallMade, Limits
from tests.support_facts import (
    INVOICE,
    MINUTE,
    NOW,
    OTHER_TENANT,
    TENANT,
    Hand,
    at_once,
    claim,
    open_tenant,
    plan,
    resources_over,
    the_notification,
)

HOUR = timedelta(hours=1)
INVOICES = "/api.xro/2.0/Invoices"
REFUSED = RateLimited("Xero answered 429, limit day", "day", 60.0)


@pytest.fixture
def books(ledger: Engine) -> Engine:
    open_tenant(ledger)
    open_tenant(ledger, OTHER_TENANT)
    return ledger


def note(
    engine: Engine, left: int | None = None, *, minute: int = 0, purpose: Purpose = Purpose.EVENTS
) -> None:
    call = CallMade(INVOICES, Limits(None, left))
    calls.note(engine, TENANT, purpose, call, None, now=NOW + minute * MINUTE)


def the_tenant(engine: Engine) -> Tenant:
    return tenants.get(engine, TENANT)


def counts(engine: Engine) -> list[tuple[str, str, str, int, int]]:
    with reading(engine) as session:
        rows = session.exec(select(XeroCall)).all()
    return sorted((row.day, row.endpoint, row.purpose, row.calls, row.refused) for row in rows)


def test_calls_are_counted_by_tenant_day_endpoint_and_purpose_with_those_that_were_refused(
    books: Engine,
) -> None:
    note(books)
    note(books)
    note(books, purpose=Purpose.POLL)
    note(books, minute=24 * 60)
    calls.note(
        books, TENANT, Purpose.EVENTS, CallMade(f"{INVOICES}/{INVOICE}", refused=REFUSED), None, now=NOW
    )
    calls.note(books, OTHER_TENANT, Purpose.EVENTS, CallMade(INVOICES), None, now=NOW)
    assert counts(books) == [
        ("2026-11-20", "Invoices", "events", 1, 0),
        ("2026-11-20", "Invoices", "events", 2, 0),
        ("2026-11-20", "Invoices", "poll", 1, 0),
        ("2026-11-20", "Invoices/one", "events", 1, 1),
        ("2026-11-21", "Invoices", "events", 1, 0),
    ]
    assert [row.calls for row in calls.of_day(books, TENANT, "2026-11-20")] == [2, 1, 1]


def test_no_call_is_lost_where_many_are_counted_at_once(books: Engine) -> None:
    at_once(16, lambda number: note(books, 900 - number))
    assert counts(books) == [("2026-11-20", "Invoices", "events", 16, 0)]


def test_what_an_answer_does_not_tell_stays_as_it_was(books: Engine) -> None:
    calls.note(books, TENANT, Purpose.EVENTS, CallMade(INVOICES, Limits(59, 4_999)), None, now=NOW)
    note(books, minute=1)
    calls.note(
        books, TENANT, Purpose.EVENTS, CallMade(INVOICES, Limits(58, None)), None, now=NOW + 2 * MINUTE
    )
    tenant = the_tenant(books)
    assert (tenant.minute_remaining, tenant.day_remaining, tenant.limits_at) == (58, 4_999, NOW + 2 * MINUTE)


def test_what_a_day_began_with_is_kept_until_more_is_left_again(books: Engine) -> None:
    seen: list[int | None] = []
    for left in (700, 699, 703, 500, 505, 4_999, 4_998, 990, 400, 999):
        note(books, left)
        seen.append(the_tenant(books).day_began_with)
    assert seen == [700, 700, 703, 703, 703, 4_999, 4_999, 4_999, 4_999, 999]


@pytest.mark.parametrize("left", [1, 0])
def test_a_minutes_last_call_is_taken_by_one(books: Engine, left: int) -> None:
    calls.note(books, TENANT, Purpose.EVENTS, CallMade(INVOICES, Limits(left, 900)), None, now=NOW)
    seen = calls.standing(books, TENANT)
    taken = at_once(8, lambda _: calls.take_turn(books, TENANT, seen, now=NOW + MINUTE))
    assert sorted(taken) == [False] * 7 + [True]
    assert calls.standing(books, TENANT).minute_remaining == 0


def test_a_pause_and_a_park_stand_in_the_same_transaction_as_the_call(books: Engine) -> None:
    calls.note(books, TENANT, Purpose.EVENTS, CallMade(INVOICES), Pause(NOW + MINUTE), now=NOW)
    assert calls.standing(books, TENANT).paused_until == NOW + MINUTE
    calls.note(books, TENANT, Purpose.EVENTS, CallMade(INVOICES), Park(NOW + HOUR, "limit day"), now=NOW)
    tenant = the_tenant(books)
    assert (tenant.parked_until, tenant.parked_why) == (NOW + HOUR, "limit day")
    assert calls.standing(books, OTHER_TENANT).parked_until is None


def parks(engine: Engine) -> int:
    with reading(engine) as session:
        return len(session.exec(select(Audit).where(Audit.action == "tenant parked")).all())


def test_calls_that_are_refused_together_are_one_park_in_the_trail(books: Engine) -> None:
    park = Park(NOW + HOUR, "limit day")
    at_once(5, lambda _: calls.note(books, TENANT, Purpose.EVENTS, CallMade(INVOICES), park, now=NOW))
    assert parks(books) == 1
    later = Park(NOW + 3 * HOUR, "limit day")
    calls.note(books, TENANT, Purpose.EVENTS, CallMade(INVOICES), later, now=NOW + 2 * HOUR)
    assert parks(books) == 2


def close(engine: Engine, how: str) -> None:
    if how == "park":
        tenants.park(engine, TENANT, NOW + HOUR, "limit day", now=NOW)
    else:
        tenants.disconnect(engine, TENANT, "403", now=NOW)


def wait_in_line(engine: Engine) -> None:
    event = NewEvent(TENANT, "INVOICE", INVOICE, "UPDATE", "1", NOW)
    inbox.keep(engine, [event], [], now=NOW)


@pytest.mark.parametrize(
    ("how", "named"), [("park", "Parked until 2026-11-20 02:16 UTC"), ("403", "Not connected")]
)
def test_nobody_drains_a_tenant_that_is_parked_or_disconnected_and_the_run_says_why(
    books: Engine, how: str, named: str
) -> None:
    wait_in_line(books)
    running = tenants.take_drain(books, TENANT, "run 1", now=NOW)
    assert running is not None
    close(books, how)
    assert not tenants.keep_drain(books, running, now=NOW)
    tenants.release_drain(books, running, now=NOW)
    assert tenants.take_drain(books, TENANT, "run 2", now=NOW) is None
    assert inbox.claim(books, TENANT, now=NOW, most=9) == ()
    assert inbox.waiting(books, TENANT, now=NOW) == 0
    assert inbox.backlog(books, now=NOW + MINUTE, waited=MINUTE) == ()
    assert rest_of(books, TENANT, Hand()).name == named
    assert tenants.take_drain(books, OTHER_TENANT, "run 3", now=NOW) is not None


def test_a_park_ends_by_itself_and_what_waits_is_found_at_once(books: Engine) -> None:
    wait_in_line(books)
    assert tenants.take_drain(books, TENANT, "run 1", now=NOW)
    close(books, "park")
    over = NOW + HOUR + timedelta(seconds=1)
    assert [found.tenant_id for found in inbox.backlog(books, now=over, waited=MINUTE)] == [TENANT]
    assert tenants.take_drain(books, TENANT, "run 2", now=over)
    assert len(inbox.claim(books, TENANT, now=over, most=9)) == 1


def test_another_run_and_a_first_sync_are_other_reasons_to_leave_an_inbox_alone(books: Engine) -> None:
    assert tenants.take_drain(books, TENANT, "run 1", now=NOW)
    assert rest_of(books, TENANT, Hand()).name == "Already draining"
    new = "cccccccc-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    open_tenant(books, new, synced_at=None)
    assert rest_of(books, new, Hand()).name == "Not read yet"


def test_events_that_are_given_back_wait_for_their_time_and_have_lost_no_attempt(books: Engine) -> None:
    wait_in_line(books)
    claimed = inbox.claim(books, TENANT, now=NOW, most=9)
    for _ in range(9):
        with writing(books, NOW) as book:
            inbox.give_back(book, claimed, "Xero takes no calls", NOW)
        claimed = inbox.claim(books, TENANT, now=NOW, most=9)
    assert [event.attempts for event in claimed] == [1]
    with writing(books, NOW) as book:
        inbox.give_back(book, claimed, "Xero takes no calls", NOW + HOUR)
    assert inbox.claim(books, TENANT, now=NOW + HOUR - MINUTE, most=9) == ()
    assert len(inbox.claim(books, TENANT, now=NOW + HOUR, most=9)) == 1
    with reading(books) as session:
        assert session.exec(select(XeroEvent.outcome)).one() == "Xero takes no calls"


def test_a_claim_whose_invoice_cannot_be_looked_at_again_is_given_back_and_sent_when_the_park_is_over(
    books: Engine,
) -> None:
    row = plan(books)
    held = claim(books, row.notification_id or 0)
    assert held is not None
    resources = resources_over(books)
    said = wait_for_xero(resources, held, TenantParked("used up", NOW + HOUR))
    kept = the_notification(books)
    assert (said.state, kept.state, kept.reason) == ("planned", "planned", REASON)
    assert (kept.dispatch_at, kept.lease_until) == (NOW + HOUR, None)
    assert in_words(REASON) != REASON
    assert wait_for_xero(resources, held, TenantParked("used up", NOW + 2 * HOUR)).state == "planned"
    assert the_notification(books).dispatch_at == NOW + HOUR
    assert broken(books) == []


def test_a_stale_claim_gives_nothing_back(books: Engine) -> None:
    wait_in_line(books)
    stale = inbox.claim(books, TENANT, now=NOW, most=9)
    assert inbox.claim(books, TENANT, now=NOW + HOUR, most=9)
    with writing(books, NOW + HOUR) as book:
        inbox.give_back(book, stale, "late", NOW)
    assert inbox.claim(books, TENANT, now=NOW + HOUR, most=9) == ()
