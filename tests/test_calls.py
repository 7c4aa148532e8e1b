"""What a call may cost: pure decisions over what Xero last said of its limits."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.books.calls import (
    ASK_AGAIN,
    FEW_LEFT,
    LEADS_TO_A_MESSAGE,
    LONGEST_PAUSE,
    Park,
    Pause,
    Purpose,
    Standing,
    after_refusal,
    day_limit,
    endpoint_of,
    is_reserved,
    next_turn,
    postponed,
    waits_until,
)
from duebell.errors import RateLimited, ReservedForMessages, TenantParked
from tests.support_facts import NOW, TENANT

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def told(left: int, began_with: int | None = None, *, ago: timedelta = timedelta()) -> Standing:
    return Standing(day_remaining=left, day_began_with=began_with, limits_at=NOW - ago)


@pytest.mark.parametrize(
    ("most", "limit"),
    [(0, 1_000), (999, 1_000), (1_000, 1_000), (1_001, 5_000), (4_999, 5_000), (9_999, 9_999)],
)
def test_f027_the_days_limit_is_told_from_what_was_left_of_it(most: int, limit: int) -> None:
    assert day_limit(most) == limit


@pytest.mark.parametrize(
    ("standing", "reserved"),
    [
        (Standing(), False),
        (told(200, 999), False),
        (told(199, 999), True),
        (told(0, 999), True),
        (told(1_000, 4_999), False),
        (told(999, 4_999), True),
        (told(150), True),
        (told(1_999), False),
        (told(3, 999, ago=ASK_AGAIN), True),
        (told(3, 999, ago=ASK_AGAIN + SECOND), False),
    ],
)
def test_the_last_fifth_of_a_day_is_kept_and_what_nobody_knows_is_not(
    standing: Standing,
    reserved: bool,  # noqa: FBT001 - a case of the table
) -> None:
    assert is_reserved(standing, NOW) is reserved


@pytest.mark.parametrize("purpose", Purpose)
def test_only_what_leads_to_a_message_may_spend_the_reserve(purpose: Purpose) -> None:
    why = postponed(TENANT, told(199, 999), purpose, NOW)
    assert (why is None) == (purpose in LEADS_TO_A_MESSAGE)
    assert why is None or isinstance(why, ReservedForMessages)
    assert postponed(TENANT, told(200, 999), purpose, NOW) is None


@pytest.mark.parametrize("purpose", Purpose)
def test_a_parked_tenant_is_not_called_for_anything_until_its_time_and_the_error_says_when(
    purpose: Purpose,
) -> None:
    parked = Standing(parked_until=NOW + HOUR)
    why = postponed(TENANT, parked, purpose, NOW)
    assert isinstance(why, TenantParked)
    assert why.until == NOW + HOUR
    assert "parked until 2026-11-20 02:16 UTC" in str(why)
    assert postponed(TENANT, parked, purpose, NOW + HOUR) is None


@pytest.mark.parametrize(
    ("problem", "retry_after", "seconds"),
    [
        ("minute", 17.0, 17),
        ("minute", 1.0, 1),
        ("minute", 86_400.0, 65),
        ("appminute", 60.0, 60),
        ("", 30.0, 30),
        ("minute", None, 5),
        ("", None, 5),
        ("concurrent", None, 1),
    ],
)
def test_f026_a_refusal_of_the_moment_pauses_for_as_long_as_told_and_never_beyond_the_minute(
    problem: str, retry_after: float | None, seconds: int
) -> None:
    refused = RateLimited("429", problem, retry_after)
    assert after_refusal(refused, 1, NOW) == Pause(NOW + seconds * SECOND)


@pytest.mark.parametrize(
    ("problem", "seconds"), [("minute", [5, 10, 20, 40, 60, 60]), ("concurrent", [1, 2, 4, 8, 8])]
)
def test_f026_without_a_word_the_pauses_grow_to_a_bound(problem: str, seconds: list[int]) -> None:
    for in_a_row, expected in enumerate([*seconds, seconds[-1]], start=1):
        assert after_refusal(RateLimited("429", problem), in_a_row, NOW) == Pause(NOW + expected * SECOND)
    assert after_refusal(RateLimited("429", problem), 10**9, NOW) == Pause(NOW + seconds[-1] * SECOND)


@pytest.mark.parametrize(
    ("problem", "retry_after", "wait"),
    [
        ("day", 66_975.0, timedelta(seconds=66_975)),
        ("day", None, HOUR),
        ("day", 1.0, MINUTE),
        ("day", 1e9, DAY),
        ("", 66.0, timedelta(seconds=66)),
    ],
)
def test_f027_a_used_up_day_parks_until_xero_says_and_never_runs_hot(
    problem: str, retry_after: float | None, wait: timedelta
) -> None:
    refused = RateLimited("429, limit day", problem, retry_after)
    assert after_refusal(refused, 1, NOW) == Park(NOW + wait, "429, limit day")


@given(
    st.sampled_from(["minute", "day", "concurrent", "appminute", ""]),
    st.none() | st.floats(allow_nan=False, allow_infinity=False, min_value=0, max_value=1e12),
    st.integers(1, 10**6),
)
def test_f026_every_refusal_ends_in_a_bounded_wait(
    problem: str, retry_after: float | None, in_a_row: int
) -> None:
    then = after_refusal(RateLimited("429", problem, retry_after), in_a_row, NOW)
    longest = DAY if isinstance(then, Park) else LONGEST_PAUSE
    assert NOW <= then.until <= NOW + longest


def test_a_pause_is_waited_for_and_one_of_a_clock_set_back_is_not() -> None:
    assert waits_until(Standing(paused_until=NOW + 17 * SECOND), NOW) == NOW + 17 * SECOND
    assert waits_until(Standing(paused_until=NOW), NOW) is None
    assert waits_until(Standing(paused_until=NOW + HOUR), NOW) is None


def test_the_last_calls_of_a_minute_are_spread_over_what_may_be_left_of_it() -> None:
    near = Standing(limits_at=NOW, minute_remaining=FEW_LEFT)
    waits = [next_turn(replace(near, minute_remaining=left), NOW) for left in (6, 5, 3, 1, 0)]
    assert waits == [None, NOW + 10 * SECOND, NOW + 15 * SECOND, NOW + 30 * SECOND, NOW + MINUTE]
    assert waits_until(near, NOW + 9 * SECOND) == NOW + 10 * SECOND
    assert waits_until(near, NOW + 10 * SECOND) is None
    assert next_turn(near, NOW + MINUTE) is None


moments = st.none() | st.integers(-86_400, 86_400).map(lambda seconds: NOW + seconds * SECOND)


@given(st.builds(Standing, moments, moments, st.none() | st.integers(0, 60), limits_at=moments))
def test_no_wait_is_longer_than_a_minute_and_a_little(standing: Standing) -> None:
    until = waits_until(standing, NOW)
    assert until is None or NOW < until <= NOW + LONGEST_PAUSE


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/api.xro/2.0/Invoices", "Invoices"),
        (f"/api.xro/2.0/Invoices/{TENANT}", "Invoices/one"),
        (f"/api.xro/2.0/Invoices/{TENANT}/OnlineInvoice", "Invoices/one/OnlineInvoice"),
        ("/api.xro/2.0/InvoiceReminders/Settings", "InvoiceReminders/Settings"),
    ],
)
def test_an_endpoint_is_counted_without_the_ids_in_it(path: str, endpoint: str) -> None:
    assert endpoint_of(path) == endpoint
