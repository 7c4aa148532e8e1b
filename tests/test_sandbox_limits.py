"""The sandbox counts calls as Xero does: in fixed windows that begin at moments of each tenant's own."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.limits import Limits, Refusal

START = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
SMALL = SandboxSettings(minute_limit=3, day_limit=5, app_minute_limit=7)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_window_is_not_begun_anew_by_the_first_call_after_it() -> None:
    limits = Limits()
    assert limits.take("a", SMALL, at(0)) is None
    for _ in range(3):
        assert limits.take("a", SMALL, at(95)) is None
    # The window of the second minute began at 60, not at 95.
    assert limits.take("a", SMALL, at(119)) == Refusal("minute", 1)
    assert limits.take("a", SMALL, at(120)) is None


def test_tenants_have_windows_of_their_own() -> None:
    limits = Limits()
    for _ in range(3):
        assert limits.take("a", SMALL, at(0)) is None
    assert limits.take("b", SMALL, at(40)) is None
    assert limits.take("a", SMALL, at(45)) == Refusal("minute", 15)
    assert limits.headers("a", SMALL)["X-MinLimit-Remaining"] == "0"
    assert limits.headers("b", SMALL)["X-MinLimit-Remaining"] == "2"
    assert limits.headers("b", SMALL)["X-AppMinLimit-Remaining"] == "3"


def test_the_day_is_told_before_the_minute_and_for_hours() -> None:
    limits = Limits()
    for second in (0, 1, 61, 62, 63):
        assert limits.take("a", SMALL, at(second)) is None
    assert limits.take("a", SMALL, at(64)) == Refusal("day", 86_400 - 64)
    assert limits.headers("a", SMALL)["X-DayLimit-Remaining"] == "0"
    assert limits.take("a", SMALL, at(86_400)) is None


def test_the_whole_apps_minute_and_too_many_at_once_name_no_time_to_wait() -> None:
    limits = Limits()
    for tenant in "aabbccc":
        assert limits.take(tenant, SMALL, at(0)) is None
    assert limits.take("a", SMALL, at(1)) == Refusal("appminute", None)
    limits.of("a").in_flight = 5
    assert limits.take("a", SMALL, at(1)) == Refusal("concurrent", None)


@given(st.lists(st.floats(0, 600), max_size=60))
def test_no_window_of_a_minute_ever_holds_more_calls_than_its_limit(moments: list[float]) -> None:
    limits, settings = Limits(), SandboxSettings(minute_limit=3, day_limit=1000)
    taken = [second for second in sorted(moments) if limits.take("a", settings, at(second)) is None]
    first = min(moments, default=0.0)
    windows = [(at(second) - at(first)) // timedelta(minutes=1) for second in taken]
    assert all(windows.count(window) <= 3 for window in windows)
