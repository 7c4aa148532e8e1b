"""What a killed drain had taken is free with its lease; a slow one that lives is doubled once at most."""

from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import select

from duebell.ledger import handing_over, inbox, left_behind, tenants
from duebell.ledger.engine import reading
from duebell.ledger.inbox import ClaimedEvent, NewEvent
from duebell.ledger.tables import XeroEvent
from duebell.ledger.writing import writing
from tests.support_facts import NOW, TENANT, numbered, open_tenant

SECOND = timedelta(seconds=1)
LAPSED = NOW + tenants.DRAIN_LEASE + SECOND
FIVE = timedelta(seconds=5)
EVENTS = [NewEvent(TENANT, "INVOICE", numbered(one), "UPDATE", "a time", NOW) for one in (1, 2)]


def drained(engine: Engine, owner: str, now: datetime) -> tuple[ClaimedEvent, ...]:
    """What a drain that begins now takes first; nothing where it may not begin."""
    left_behind.free(engine, TENANT, now=now)
    if tenants.take_drain(engine, TENANT, owner, now=now) is None:
        return ()
    return inbox.claim(engine, TENANT, now=now, most=100, flow_run_id=owner)


def started(engine: Engine) -> tuple[ClaimedEvent, ...]:
    open_tenant(engine)
    inbox.keep(engine, EVENTS, [], now=NOW)
    taken = drained(engine, "run 1", NOW)
    assert len(taken) == 2
    return taken


def backlog(engine: Engine, now: datetime) -> list[int]:
    return [one.waiting for one in inbox.backlog(engine, now=now, waited=FIVE)]


def states(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.exec(select(XeroEvent.state)).all())


def test_what_a_killed_drain_had_taken_is_free_as_soon_as_its_lease_is_over(ledger: Engine) -> None:
    started(ledger)
    assert backlog(ledger, NOW + tenants.DRAIN_LEASE) == []
    assert drained(ledger, "run 2", NOW + tenants.DRAIN_LEASE) == ()
    assert backlog(ledger, LAPSED) == [2]
    assert len(drained(ledger, "run 2", LAPSED)) == 2


def test_a_drain_that_lives_keeps_what_it_has_taken(ledger: Engine) -> None:
    open_tenant(ledger)
    inbox.keep(ledger, EVENTS[:1], [], now=NOW)
    lease = tenants.take_drain(ledger, TENANT, "run 1", now=NOW)
    assert lease
    assert inbox.claim(ledger, TENANT, now=NOW, most=100, flow_run_id="run 1")
    assert tenants.keep_drain(ledger, lease, now=NOW + 20 * SECOND)
    assert backlog(ledger, LAPSED) == []
    assert drained(ledger, "run 2", LAPSED) == ()


def test_a_second_drain_that_ends_in_the_middle_lets_them_wait(ledger: Engine) -> None:
    started(ledger)
    assert len(drained(ledger, "run 2", LAPSED)) == 2
    later = LAPSED + tenants.DRAIN_LEASE + SECOND
    assert backlog(ledger, later) == []
    assert drained(ledger, "run 3", later) == ()
    assert len(drained(ledger, "run 3", LAPSED + timedelta(minutes=4))) == 2


def test_a_slow_drain_says_nothing_of_what_another_has_taken(ledger: Engine) -> None:
    slow = started(ledger)
    quick = drained(ledger, "run 2", LAPSED)
    with writing(ledger, LAPSED) as book:
        assert handing_over.still_held(book, slow) == []
        assert handing_over.still_held(book, quick) == list(quick)
        assert [inbox.finish(book, one, "read") for one in slow] == [False, False]
    assert states(ledger) == ["pending", "pending"]


def test_a_slow_drain_closes_what_was_freed_and_not_taken(ledger: Engine) -> None:
    slow = started(ledger)
    left_behind.free(ledger, TENANT, now=LAPSED)
    with writing(ledger, LAPSED) as book:
        assert handing_over.still_held(book, slow) == list(slow)
        assert [inbox.finish(book, one, "read") for one in slow] == [True, True]
    assert drained(ledger, "run 2", LAPSED) == ()


def test_what_a_drain_put_back_with_a_reason_comes_at_its_own_time(ledger: Engine) -> None:
    first, second = started(ledger)
    with writing(ledger, NOW) as book:
        inbox.put_back(book, first, "Xero knows no such record", NOW + timedelta(minutes=2))
    assert [one.event_id for one in drained(ledger, "run 2", LAPSED)] == [second.event_id]


def test_what_a_drain_left_when_it_gave_its_lease_back_waits(ledger: Engine) -> None:
    open_tenant(ledger)
    inbox.keep(ledger, EVENTS[:1], [], now=NOW)
    lease = tenants.take_drain(ledger, TENANT, "run 1", now=NOW)
    assert lease
    assert inbox.claim(ledger, TENANT, now=NOW, most=100, flow_run_id="run 1")
    assert tenants.release_drain(ledger, lease, now=NOW)
    assert drained(ledger, "run 2", LAPSED) == ()
