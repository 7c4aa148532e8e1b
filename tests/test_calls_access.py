"""The way into Xero: every call counted, limits met before they refuse, and no tenant in another's way."""

import random
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from duebell.books.access import XeroAccess
from duebell.books.calls import Purpose
from duebell.errors import RateLimited, ReservedForMessages, TenantDisconnected, TenantParked
from duebell.ledger import calls, tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit
from tests.support_calls import Desk, Refuse, too_many
from tests.support_facts import (
    MINUTE,
    NOW,
    OTHER_TENANT,
    TENANT,
    at_once,
)

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def refusing_once(answer: httpx.Response) -> Refuse:
    """Takes the place of ``Xero.refuse``: the first call is refused, no later one."""
    answers = [answer]
    return lambda _path: answers.pop() if answers else None


def day_of(desk: Desk, tenant_id: str = TENANT) -> list[tuple[str, str, int, int]]:
    rows = calls.of_day(desk.engine, tenant_id, "2026-11-20")
    return [(row.endpoint, row.purpose, row.calls, row.refused) for row in rows]


def test_every_call_is_counted_with_its_purpose_and_what_is_left_is_known(ledger: Engine) -> None:
    desk = Desk(ledger)
    desk.call()
    desk.call(purpose=Purpose.POLL)
    access = desk.access()
    access.ask(access.client.organisation)
    assert sorted(day_of(desk)) == [
        ("Invoices", "events", 1, 0), ("Invoices", "poll", 1, 0), ("Organisation", "events", 1, 0),
    ]  # fmt: skip
    standing = calls.standing(ledger, TENANT)
    assert (standing.minute_remaining, standing.day_remaining, standing.limits_at) == (57, 4_997, NOW)


def test_f025_after_a_minutes_limit_no_call_of_that_tenant_leaves_before_its_time_and_others_go_on(
    ledger: Engine,
) -> None:
    desk = Desk(ledger, TENANT, OTHER_TENANT)
    desk.xero.refuse = refusing_once(too_many("minute", 17))
    waiting = desk.access()

    def beside(seconds: float) -> None:
        """While the refused call waits, another run of the tenant and one of another tenant want to call."""
        waiting.sleep = desk.sleep
        desk.call(OTHER_TENANT)
        assert desk.xero.calls_of(OTHER_TENANT) == [NOW]
        desk.call()
        desk.sleep(seconds)

    waiting.sleep = beside
    waiting.ask(lambda: waiting.client.invoice_page(1))

    refused, *later = desk.xero.calls_of()
    assert refused == NOW
    assert len(later) == 2
    assert all(at >= NOW + 17 * SECOND for at in later)
    assert day_of(desk) == [("Invoices", "events", 3, 1)]


@pytest.mark.parametrize(
    ("told", "at_least", "at_most"),
    [
        (None, 5, 6),
        ("0", 1, 2),
        ("-5", 5, 6),
        ("1e9", 5, 6),
        ("1000000000", 65, 66),
        ("Fri, 20 Nov 2026 01:16:30 GMT", 30, 31),
        ("soon", 5, 6),
        ("", 5, 6),
        ("NaN", 5, 6),
    ],
)
def test_f026_whatever_retry_after_says_the_wait_is_finite_and_the_call_is_made(
    sqlite_ledger: Engine, told: str | None, at_least: int, at_most: int
) -> None:
    desk = Desk(sqlite_ledger)
    answer = too_many("minute", told)
    answer.headers["Date"] = "Fri, 20 Nov 2026 01:16:00 GMT"
    desk.xero.refuse = refusing_once(answer)
    desk.call()
    assert len(desk.xero.asked) == 2
    assert at_least <= (desk.clock.now - NOW).total_seconds() <= at_most


def test_f026_a_minute_that_never_ends_is_given_up_to_the_callers_own_retry(sqlite_ledger: Engine) -> None:
    desk = Desk(sqlite_ledger)
    desk.xero.refuse = lambda _path: too_many("minute")
    with pytest.raises(RateLimited):
        desk.call()
    assert [round(seconds) for seconds in desk.slept] == pytest.approx([5, 10, 20], abs=1)
    assert len(desk.xero.asked) == 4


def test_f027_a_used_up_day_parks_the_tenant_and_no_call_leaves_before_its_end(ledger: Engine) -> None:
    desk = Desk(ledger, TENANT, OTHER_TENANT, day_limit=3)
    desk.xero.limits.spend(OTHER_TENANT, 1, NOW)
    for _ in range(3):
        desk.call()
    for purpose in (Purpose.EVENTS, Purpose.POLL, Purpose.LOOK_AGAIN):
        with pytest.raises(TenantParked) as parked:
            desk.call(purpose=purpose)
        assert parked.value.until == NOW + timedelta(days=1)
    assert len(desk.xero.calls_of()) == 4
    assert desk.slept == []
    desk.call(OTHER_TENANT)
    tenant = tenants.get(ledger, TENANT)
    assert "limit day" in tenant.parked_why
    assert TENANT not in tenant.parked_why
    with reading(ledger) as session:
        (entry,) = session.exec(select(Audit).where(Audit.action == "tenant parked")).all()
    assert "2026-11-21T01:16:00" in entry.details

    desk.clock.now += timedelta(days=1)
    desk.call()
    assert len(desk.xero.calls_of()) == 5


def test_f027_a_day_without_a_retry_after_is_tried_again_once_an_hour(sqlite_ledger: Engine) -> None:
    desk = Desk(sqlite_ledger)
    desk.xero.refuse = lambda _path: too_many("day")
    for _ in range(5 * 60):
        with pytest.raises(TenantParked):
            desk.call()
        desk.clock.now += MINUTE
    assert len(desk.xero.asked) == 5


def test_the_reserve_is_kept_for_messages_and_a_new_day_is_found_within_the_hour(ledger: Engine) -> None:
    desk = Desk(ledger, day_limit=1_000, minute_limit=100_000)
    desk.call()
    desk.xero.limits.spend(TENANT, 800, NOW)
    desk.call()
    with pytest.raises(ReservedForMessages, match="198 of the day's calls"):
        desk.call(purpose=Purpose.POLL)
    desk.call(purpose=Purpose.LOOK_AGAIN)
    assert len(desk.xero.asked) == 3
    for _ in range(30 * 3):
        # A little more than a third of an hour, for which what Xero said is believed.
        desk.clock.now += timedelta(hours=1, seconds=3) / 3
        try:
            desk.call(purpose=Purpose.POLL)
        except ReservedForMessages:
            continue
        if desk.clock.now > NOW + timedelta(hours=24):
            break
    assert 24 <= len(desk.xero.asked) - 3 <= 26
    assert desk.clock.now <= NOW + timedelta(hours=25)


def test_calls_slow_down_before_the_minute_is_used_up_so_that_none_is_refused(sqlite_ledger: Engine) -> None:
    desk = Desk(sqlite_ledger, minute_limit=60)
    for number in range(120):
        if number % 3 == 0:
            desk.xero.limits.spend(TENANT, 1, desk.clock.now)  # another part of the same app
        desk.call()
        desk.clock.now += timedelta(seconds=0.2)
    assert desk.xero.refused == 0
    assert desk.clock.now - NOW < 5 * MINUTE


def test_at_full_speed_a_minutes_last_calls_are_shared_out_and_none_is_refused(sqlite_ledger: Engine) -> None:
    desk = Desk(sqlite_ledger, minute_limit=8)
    for _ in range(40):
        desk.call()
    assert desk.xero.refused == 0
    minutes = (desk.clock.now - NOW) / MINUTE
    assert 4 <= minutes <= 9


def test_a_call_is_counted_however_busy_the_ledger_is(
    sqlite_ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, note, busy = Desk(sqlite_ledger), calls.note, [1, 2]

    def sometimes(*arguments: Any, **named: Any) -> None:
        if busy:
            busy.pop()
            raise OperationalError("BEGIN IMMEDIATE", None, Exception("database is locked"))
        note(*arguments, **named)

    def at_once(_seconds: float) -> None:
        return None

    monkeypatch.setattr(calls, "note", sometimes)
    monkeypatch.setattr(time, "sleep", at_once)
    desk.call()
    assert day_of(desk) == [("Invoices", "events", 1, 0)]
    assert len(desk.xero.asked) == 1


class WaitsError(Exception):
    """In place of a wait: who has to wait stops here."""


def test_those_who_find_the_same_last_call_do_not_all_take_it(ledger: Engine) -> None:
    desk = Desk(ledger, minute_limit=60)
    desk.call()
    desk.xero.limits.spend(TENANT, 57, NOW)
    desk.call()
    desk.clock.now += 31 * SECOND

    def stop(_seconds: float) -> None:
        raise WaitsError

    def call(_number: int) -> bool:
        access = desk.access()
        access.sleep = stop
        try:
            access.ask(lambda: access.client.invoice_page(1))
        except WaitsError:
            return False
        return True

    assert sorted(at_once(5, call)) == [False] * 4 + [True]
    assert desk.xero.refused == 0


def test_a_parked_tenant_takes_no_place_in_the_pace(sqlite_ledger: Engine) -> None:
    desk = Desk(sqlite_ledger)
    tenants.park(sqlite_ledger, TENANT, NOW + HOUR, "limit day", now=NOW)

    def pace() -> AbstractContextManager[None]:
        raise AssertionError("the pace was asked")

    access = XeroAccess(desk.resources, TENANT, pace, "a run", Purpose.EVENTS, sleep=desk.sleep)
    with pytest.raises(TenantParked):
        access.ask(access.client.organisation)


def test_a_tenant_that_is_parked_while_a_call_stands_in_the_pace_is_not_called(sqlite_ledger: Engine) -> None:
    desk = Desk(sqlite_ledger)

    @contextmanager
    def pace() -> Generator[None]:
        tenants.park(sqlite_ledger, TENANT, NOW + HOUR, "limit day", now=NOW)
        yield

    access = XeroAccess(desk.resources, TENANT, pace, "a run", Purpose.EVENTS, sleep=desk.sleep)
    with pytest.raises(TenantParked):
        access.ask(access.client.organisation)
    assert desk.xero.asked == []


def test_a_closed_organisation_is_marked_and_the_next_one_is_not_touched(ledger: Engine) -> None:
    desk = Desk(ledger, TENANT, OTHER_TENANT)
    desk.xero.refuse = refusing_once(httpx.Response(403, json={"Detail": "AuthenticationUnsuccessful"}))
    desk.xero.connected.discard(TENANT)
    with pytest.raises(TenantDisconnected):
        desk.call()
    desk.call(OTHER_TENANT)
    assert tenants.get(ledger, TENANT).state == "disconnected"
    assert tenants.get(ledger, OTHER_TENANT).state == "connected"


def test_waiting_calls_leave_a_little_apart(sqlite_ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.5)
    desk = Desk(sqlite_ledger)
    desk.xero.refuse = refusing_once(too_many("minute", 3))
    desk.call()
    assert desk.slept == [3.5]
