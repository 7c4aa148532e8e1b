"""Which organisation is polled now, and when its open invoices are read anew."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.books.polling_due import open_reading_is_due, why_not
from duebell.ledger.tables import Tenant
from duebell.policy_file.policy import PollingPolicy
from tests.support_facts import MINUTE, NOW, OTHER_TENANT, TENANT, numbered

POLICY = PollingPolicy(every_minutes=15)
HOUR = timedelta(hours=1)


def a_tenant(**columns: Any) -> Tenant:
    usual: dict[str, Any] = {
        "tenant_id": TENANT,
        "token_set_id": "t",
        "timezone": "Pacific/Auckland",
        "connected_at": NOW - 90 * HOUR,
        "synced_at": NOW - 90 * HOUR,
    }
    return Tenant(**(usual | columns))


def is_due(tenant: Tenant, policy: PollingPolicy = POLICY, *, by_hand: bool = False) -> bool:
    return why_not(tenant, policy, NOW, by_hand=by_hand) == ""


def test_a_tenant_is_polled_first_at_once_and_then_at_the_policy_s_pace() -> None:
    assert is_due(a_tenant())
    assert not is_due(a_tenant(polled_at=NOW - 5 * MINUTE))
    assert is_due(a_tenant(polled_at=NOW - 15 * MINUTE))
    assert not is_due(a_tenant(polled_at=NOW - 15 * MINUTE), PollingPolicy(every_minutes=30))


def test_a_schedule_that_is_a_little_early_does_not_put_the_tenant_off() -> None:
    assert is_due(a_tenant(polled_at=NOW - 15 * MINUTE + timedelta(seconds=20)))


def test_a_poll_of_a_clock_that_was_hours_ahead_does_not_put_the_next_one_off() -> None:
    assert is_due(a_tenant(polled_at=NOW + 13 * HOUR))
    # Clocks of several machines differ a little: that is no reason to poll twice.
    assert not is_due(a_tenant(polled_at=NOW + MINUTE))


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "disconnected"},
        {"synced_at": None},
        {"parked_until": NOW + MINUTE},
    ],
    ids=lambda one: next(iter(one)),
)
def test_nobody_can_poll_what_is_closed_not_read_yet_or_parked(columns: dict[str, Any]) -> None:
    assert not is_due(a_tenant(**columns))
    assert not is_due(a_tenant(**columns), by_hand=True)


@pytest.mark.parametrize(
    "policy", [PollingPolicy(enabled=False), PollingPolicy(not_for=(TENANT,))], ids=["off", "not for it"]
)
def test_the_policy_is_heeded_but_for_a_person_s_wish(policy: PollingPolicy) -> None:
    assert not is_due(a_tenant(), policy)
    assert is_due(a_tenant(), policy, by_hand=True)
    assert is_due(a_tenant(tenant_id=OTHER_TENANT), PollingPolicy(not_for=(TENANT,)))
    assert is_due(a_tenant(parked_until=NOW - MINUTE, polled_at=NOW), policy, by_hand=True)


def test_open_invoices_are_read_anew_once_in_the_tenant_s_early_morning() -> None:
    midnight = datetime(2026, 11, 20, tzinfo=ZoneInfo("Pacific/Auckland")).astimezone(UTC)
    tenant = a_tenant(open_read_at=midnight)
    due = [minute for minute in range(24 * 60) if open_reading_is_due(tenant, midnight + minute * MINUTE)]
    assert due == list(range(due[0], 24 * 60))
    assert 3 * 60 <= due[0] < 5 * 60
    read = a_tenant(open_read_at=midnight + due[0] * MINUTE)
    assert not open_reading_is_due(read, midnight + 24 * HOUR)
    assert open_reading_is_due(read, midnight + 24 * HOUR + due[0] * MINUTE + MINUTE)


def test_the_first_sync_counts_as_a_reading_and_a_ledger_from_before_is_read_at_once() -> None:
    assert not open_reading_is_due(a_tenant(synced_at=NOW), NOW)
    assert open_reading_is_due(a_tenant(synced_at=None), NOW)


def test_tenants_do_not_all_read_in_the_same_minute() -> None:
    midnight = datetime(2026, 11, 20, tzinfo=ZoneInfo("Pacific/Auckland")).astimezone(UTC)
    tenants = [a_tenant(tenant_id=numbered(number), open_read_at=midnight) for number in range(60)]
    at_four = [open_reading_is_due(tenant, midnight + 4 * HOUR) for tenant in tenants]
    assert 10 < sum(at_four) < 50


@given(
    st.sampled_from(
        ["Pacific/Auckland", "Europe/London", "America/New_York", "Africa/Casablanca", "Nowhere"]
    ),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda one: one.replace(tzinfo=UTC)),  # noqa: DTZ001 - the zone is put on behind
)
def test_whatever_the_zone_and_its_changes_of_the_clock_there_is_one_reading_a_day(
    zone: str, start: datetime
) -> None:
    tenant = a_tenant(timezone=zone, open_read_at=start)
    readings: list[datetime] = []
    for quarter in range(4 * 24 * 5):
        now = start + quarter * 15 * MINUTE
        if open_reading_is_due(tenant, now):
            tenant.open_read_at = now
            readings.append(now)
    assert 4 <= len(readings) <= 6
    gaps = [later - earlier for earlier, later in pairwise(readings)]
    assert all(22 * HOUR <= gap <= 26 * HOUR for gap in gaps)
