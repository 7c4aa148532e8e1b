"""The inbox keeps every event once, and hands each to one drain at a time until it is handled."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import select

from duebell.ledger import inbox, tenants
from duebell.ledger.engine import reading
from duebell.ledger.inbox import ClaimedEvent, NewEvent, Rejected
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Audit, RejectedDelivery, XeroEvent
from duebell.ledger.writing import writing
from tests.support_facts import (
    INVOICE,
    MINUTE,
    NOW,
    OTHER_TENANT,
    TENANT,
    at_once,
    counted,
    numbered,
    open_tenant,
)

EVENT = NewEvent(TENANT, "INVOICE", INVOICE, "UPDATE", "2026-11-20T01:15:59.000", NOW)
HOUR = timedelta(hours=1)


def many(count: int) -> list[NewEvent]:
    return [replace(EVENT, resource_id=numbered(number)) for number in range(count)]


def claim(engine: Engine, now: datetime = NOW, most: int = 100) -> tuple[ClaimedEvent, ...]:
    return inbox.claim(engine, TENANT, now=now, most=most)


def the_event(engine: Engine) -> XeroEvent:
    with reading(engine) as session:
        return session.exec(select(XeroEvent)).one()


def test_f002_a_second_delivery_of_the_same_event_adds_no_row(ledger: Engine) -> None:
    open_tenant(ledger)
    first = inbox.keep(ledger, [EVENT], [], now=NOW)
    second = inbox.keep(ledger, [EVENT], [], now=NOW + MINUTE)
    assert (first.new, first.repeated, first.waiting) == (1, 0, (TENANT,))
    assert (second.new, second.repeated, second.waiting) == (0, 1, ())
    assert counted(ledger, XeroEvent) == counted(ledger, Audit) == 1


def test_the_same_event_twice_in_one_delivery_is_one_row(ledger: Engine) -> None:
    open_tenant(ledger)
    kept = inbox.keep(ledger, [EVENT, EVENT], [], now=NOW)
    assert (kept.new, kept.repeated) == (1, 1)
    assert counted(ledger, XeroEvent) == 1


def test_two_events_of_one_record_are_two_rows(ledger: Engine) -> None:
    open_tenant(ledger)
    later = replace(EVENT, mark="2026-11-20T01:16:00.000")
    created = replace(EVENT, type="CREATE")
    assert inbox.keep(ledger, [EVENT, later, created], [], now=NOW).new == 3


def test_f001_a_hundred_deliveries_at_once_make_one_row(ledger: Engine) -> None:
    open_tenant(ledger)
    kept = at_once(100, lambda _: inbox.keep(ledger, [EVENT], [], now=NOW))
    assert sum(one.new for one in kept) == 1
    assert counted(ledger, XeroEvent) == 1
    assert broken(ledger) == []


def test_deliveries_of_the_same_events_in_different_orders_never_wait_for_each_other(ledger: Engine) -> None:
    open_tenant(ledger)
    events = many(25)
    kept = at_once(12, lambda number: inbox.keep(ledger, events[:: 1 if number % 2 else -1], [], now=NOW))
    assert sum(one.new for one in kept) == counted(ledger, XeroEvent) == 25


def test_an_event_of_an_unknown_tenant_is_kept_as_ignored_with_its_reason(ledger: Engine) -> None:
    kept = inbox.keep(ledger, [EVENT], [], now=NOW)
    assert (kept.new, kept.ignored, kept.waiting) == (1, 1, ())
    event = the_event(ledger)
    assert (event.state, event.outcome) == ("ignored", "unknown tenant")
    assert claim(ledger) == ()


def test_an_event_of_an_unknown_category_is_kept_as_ignored_with_its_reason(ledger: Engine) -> None:
    open_tenant(ledger)
    kept = inbox.keep(ledger, [replace(EVENT, category="SUBSCRIPTION")], [], now=NOW)
    assert (kept.ignored, kept.waiting) == (1, ())
    assert the_event(ledger).outcome == "unknown category"


def test_an_unreadable_delivery_is_kept_raw_and_once(ledger: Engine) -> None:
    rejected = Rejected("ab" * 32, "not JSON", b"\x00\xff{")
    inbox.keep(ledger, [], [rejected], now=NOW)
    inbox.keep(ledger, [], [rejected], now=NOW + MINUTE)
    with reading(ledger) as session:
        row = session.exec(select(RejectedDelivery)).one()
    assert (row.raw, row.reason, row.received_at) == (b"\x00\xff{", "not JSON", NOW)


def test_unreadable_deliveries_at_once_are_kept_once_and_lose_no_good_event(ledger: Engine) -> None:
    open_tenant(ledger)
    rejected = Rejected("ab" * 32, "not JSON", b"{")
    events = many(20)
    at_once(20, lambda number: inbox.keep(ledger, [events[number]], [rejected], now=NOW))
    assert (counted(ledger, XeroEvent), counted(ledger, RejectedDelivery)) == (20, 1)


def test_no_event_is_claimed_by_two_drains(ledger: Engine) -> None:
    open_tenant(ledger)
    inbox.keep(ledger, many(120), [], now=NOW)
    taken = at_once(8, lambda _: [one.event_id for _ in range(6) for one in claim(ledger, most=7)])
    ids = [event_id for own in taken for event_id in own]
    assert len(ids) == len(set(ids))
    assert len(ids) + len(claim(ledger)) == 120


def test_a_claimed_event_comes_back_after_its_lease_and_later_each_time(ledger: Engine) -> None:
    open_tenant(ledger)
    inbox.keep(ledger, [EVENT], [], now=NOW)
    now, waits = NOW, list[timedelta]()
    for _ in range(8):
        assert len(claim(ledger, now)) == 1
        wait = the_event(ledger).retry_at - now
        assert claim(ledger, now + wait - timedelta(seconds=1)) == ()
        waits.append(wait)
        now += wait
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2 * MINUTE, HOUR)


def test_an_event_survives_a_hundred_drains_that_end_before_they_looked(sqlite_ledger: Engine) -> None:
    open_tenant(sqlite_ledger)
    inbox.keep(sqlite_ledger, [EVENT], [], now=NOW)
    for hour in range(100):
        [event] = claim(sqlite_ledger, NOW + hour * HOUR)
        assert event.attempts == 1


def test_finishing_with_a_stale_token_changes_nothing(ledger: Engine) -> None:
    open_tenant(ledger)
    inbox.keep(ledger, [EVENT], [], now=NOW)
    [stale] = claim(ledger)
    [living] = claim(ledger, NOW + HOUR)
    with writing(ledger, NOW + HOUR) as book:
        assert not inbox.finish(book, stale, "too late")
        inbox.put_back(book, stale, "too late", NOW + 9 * HOUR)
    event = the_event(ledger)
    assert (event.state, event.outcome, event.retry_at) == ("pending", "", NOW + HOUR + 4 * MINUTE)
    with writing(ledger, NOW + HOUR) as book:
        assert inbox.finish(book, living, "done")
        assert not inbox.finish(book, living, "twice")
    event = the_event(ledger)
    assert (event.state, event.outcome, event.handled_at) == ("handled", "done", NOW + HOUR)


def test_an_event_that_was_put_back_comes_when_it_was_told_to(ledger: Engine) -> None:
    open_tenant(ledger)
    inbox.keep(ledger, [EVENT], [], now=NOW)
    [event] = claim(ledger)
    with writing(ledger, NOW) as book:
        inbox.put_back(book, event, "unreadable", NOW + 3 * MINUTE)
    assert claim(ledger, NOW + 2 * MINUTE) == ()
    [again] = claim(ledger, NOW + 3 * MINUTE)
    assert again.attempts == 2
    assert the_event(ledger).outcome == "unreadable"


def backlog(engine: Engine, after: timedelta) -> list[tuple[str, int]]:
    found = inbox.backlog(engine, now=NOW + after, waited=timedelta(seconds=5))
    return [(one.tenant_id, one.waiting) for one in found]


def test_the_backlog_holds_events_only_once_they_have_waited(ledger: Engine) -> None:
    open_tenant(ledger)
    inbox.keep(ledger, many(3), [], now=NOW)
    assert backlog(ledger, timedelta(seconds=4)) == []
    assert backlog(ledger, timedelta(seconds=5)) == [(TENANT, 3)]


def test_the_backlog_leaves_out_a_tenant_that_is_being_drained(ledger: Engine) -> None:
    open_tenant(ledger)
    inbox.keep(ledger, [EVENT], [], now=NOW)
    assert tenants.take_drain(ledger, TENANT, "run 1", now=NOW)
    assert backlog(ledger, tenants.DRAIN_LEASE) == []
    assert backlog(ledger, tenants.DRAIN_LEASE + timedelta(seconds=1)) == [(TENANT, 1)]


def test_the_backlog_leaves_out_a_parked_tenant_until_its_time(ledger: Engine) -> None:
    open_tenant(ledger)
    inbox.keep(ledger, [EVENT], [], now=NOW)
    tenants.park(ledger, TENANT, NOW + HOUR, "day limit", now=NOW)
    assert backlog(ledger, HOUR - MINUTE) == []
    assert backlog(ledger, HOUR) == [(TENANT, 1)]


def test_the_backlog_leaves_out_a_disconnected_tenant_and_one_that_is_not_synced(ledger: Engine) -> None:
    open_tenant(ledger)
    open_tenant(ledger, OTHER_TENANT, synced_at=None)
    inbox.keep(ledger, [EVENT, replace(EVENT, tenant_id=OTHER_TENANT)], [], now=NOW)
    tenants.disconnect(ledger, TENANT, "403", now=NOW)
    assert backlog(ledger, HOUR) == []
    tenants.mark_synced(ledger, OTHER_TENANT, 0, now=NOW)
    assert backlog(ledger, HOUR) == [(OTHER_TENANT, 1)]


def test_the_backlog_leaves_out_what_is_claimed_and_what_is_handled(ledger: Engine) -> None:
    open_tenant(ledger)
    inbox.keep(ledger, many(2), [], now=NOW)
    first, _ = claim(ledger)
    with writing(ledger, NOW) as book:
        inbox.finish(book, first, "done")
    assert backlog(ledger, MINUTE) == []
    assert backlog(ledger, 2 * MINUTE) == [(TENANT, 1)]
    assert inbox.waiting(ledger, TENANT, now=NOW + 2 * MINUTE) == 1
