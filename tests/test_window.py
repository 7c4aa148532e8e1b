"""The sending window: the first open instant, in every zone, across every change of the clocks."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duebell.hours.window import next_open

ZONES = sorted(available_timezones() - {"Factory", "localtime"})
START = datetime(2025, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
QUARTERS = st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))
EIGHT, NINE_PM = time(8), time(21)


def at(zone: str, *moment: int) -> datetime:
    return datetime(*moment, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def is_open(instant: datetime, zone: str, opens: time, closes: time) -> bool:
    clock = instant.astimezone(ZoneInfo(zone)).time()
    return opens <= clock < closes if opens < closes else clock >= opens or clock < closes


def by_walking(now: datetime, zones: tuple[str, ...], opens: time, closes: time) -> datetime | None:
    """The slow and obvious way: look at every minute for three days."""
    for minute in range(3 * 24 * 60):
        instant = now + timedelta(minutes=minute)
        if all(is_open(instant, zone, opens, closes) for zone in zones):
            return instant
    return None


def test_inside_the_window_it_is_now() -> None:
    now = at("Pacific/Auckland", 2026, 11, 22, 10, 0)
    assert next_open(now, ("Pacific/Auckland",), EIGHT, NINE_PM) == now


def test_it_opens_on_the_minute_and_closes_before_its_end() -> None:
    zone = "Pacific/Auckland"
    assert next_open(at(zone, 2026, 11, 22, 7, 59), (zone,), EIGHT, NINE_PM) == at(zone, 2026, 11, 22, 8, 0)
    assert next_open(at(zone, 2026, 11, 22, 21, 0), (zone,), EIGHT, NINE_PM) == at(zone, 2026, 11, 23, 8, 0)


def test_two_zones_wait_for_the_later_one() -> None:
    now = at("America/New_York", 2026, 11, 23, 8, 30)
    assert next_open(now, ("America/New_York", "America/Los_Angeles"), EIGHT, NINE_PM) == at(
        "America/Los_Angeles", 2026, 11, 23, 8, 0
    )


def test_zones_that_share_no_hour_leave_it_to_the_first() -> None:
    now = at("Pacific/Auckland", 2026, 6, 1, 3, 0)
    assert next_open(now, ("Pacific/Auckland", "Europe/London"), time(9), time(10)) == at(
        "Pacific/Auckland", 2026, 6, 1, 9, 0
    )


def test_equal_times_mean_always() -> None:
    now = at("Pacific/Auckland", 2026, 11, 22, 3, 0)
    assert next_open(now, ("Pacific/Auckland",), EIGHT, EIGHT) == now


def test_a_window_may_cross_midnight() -> None:
    zone = "Europe/London"
    assert next_open(at(zone, 2026, 6, 1, 12, 0), (zone,), time(22), time(6)) == at(zone, 2026, 6, 1, 22, 0)
    assert next_open(at(zone, 2026, 6, 1, 2, 0), (zone,), time(22), time(6)) == at(zone, 2026, 6, 1, 2, 0)
    assert next_open(at(zone, 2026, 6, 1, 2, 0), (zone,), EIGHT, time(0)) == at(zone, 2026, 6, 1, 8, 0)


def test_a_window_that_opens_in_the_missing_hour_opens_with_the_jump() -> None:
    # New York goes from 02:00 to 03:00 on 8 March 2026
    now = at("America/New_York", 2026, 3, 8, 1, 0)
    assert next_open(now, ("America/New_York",), time(2, 30), time(9)) == datetime(
        2026, 3, 8, 7, 0, tzinfo=UTC
    )


def test_a_window_inside_the_missing_hour_opens_on_the_next_day() -> None:
    now = at("America/New_York", 2026, 3, 8, 1, 0)
    expected = at("America/New_York", 2026, 3, 9, 2, 15)
    assert next_open(now, ("America/New_York",), time(2, 15), time(2, 45)) == expected


def test_an_hour_that_comes_twice_opens_at_its_first_coming() -> None:
    # New York goes from 02:00 back to 01:00 on 1 November 2026
    now = at("America/New_York", 2026, 11, 1, 0, 30)
    first = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert next_open(now, ("America/New_York",), time(1, 30), time(1, 45)) == first
    again = next_open(first + timedelta(minutes=20), ("America/New_York",), time(1, 30), time(1, 45))
    assert again == first + timedelta(hours=1)


@given(MOMENTS, st.sampled_from(ZONES), QUARTERS, QUARTERS)
@settings(max_examples=300)
def test_one_zone_opens_no_later_than_the_next_day_and_never_closed(
    now: datetime, zone: str, opens: time, closes: time
) -> None:
    instant = next_open(now, (zone,), opens, closes)
    assert now <= instant <= now + timedelta(days=2)
    assert opens == closes or is_open(instant, zone, opens, closes)


@given(MOMENTS, st.lists(st.sampled_from(ZONES), min_size=1, max_size=3), QUARTERS, QUARTERS)
@settings(max_examples=60, deadline=None)
def test_it_is_the_first_open_minute_that_walking_finds(
    now: datetime, zones: list[str], opens: time, closes: time
) -> None:
    expected = now if opens == closes else by_walking(now, tuple(zones), opens, closes)
    expected = expected or by_walking(now, tuple(zones[:1]), opens, closes)
    assert next_open(now, tuple(zones), opens, closes) == expected


@pytest.mark.parametrize("zone", ZONES)
def test_f055_every_zone_opens_right_around_each_of_its_changes(zone: str) -> None:
    clock = ZoneInfo(zone)
    days = [START + timedelta(days=day) for day in range(2 * 365)]
    for before, after in pairwise(days):
        if before.astimezone(clock).utcoffset() == after.astimezone(clock).utcoffset():
            continue
        for opens, closes in ((time(0, 30), time(1, 15)), (time(1, 30), time(2, 45)), (EIGHT, NINE_PM)):
            instant = next_open(before, (zone,), opens, closes)
            assert is_open(instant, zone, opens, closes)
            earlier = instant - timedelta(seconds=1)
            assert instant == before or not is_open(earlier, zone, opens, closes)


def test_no_zone_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        next_open(START, (), EIGHT, NINE_PM)
