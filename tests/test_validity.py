"""A message is given no longer in Twilio's queue than its hours last, and none is begun at their very end."""

from datetime import datetime, time, timedelta
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from duebell.hours.validity import AT_ANY_HOUR, LEAST_ROOM, validity_seconds
from duebell.hours.window import next_open, open_until
from duebell.hours.working_days import Place, next_open_instant, open_until_instant
from duebell.ledger.attempts import Intent
from duebell.ledger.notifications import SEND_LEASE
from duebell.policy_file.policy import Policy
from duebell.sending.posting import Poster
from duebell.sending.testing_message import send_test
from duebell.twilio.outcome import Accepted, NotProcessed
from tests.support_facts import ACCOUNT, MINUTE, MOBILE, NOW, Hand, resources_over, sid
from tests.test_window import MOMENTS, QUARTERS, ZONES, at, is_open

AUCKLAND = "Pacific/Auckland"
EIGHT, NINE_PM = time(8), time(21)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("left", "seconds"),
    [
        (timedelta(hours=13), 36_000),  # Twilio's own limit
        (timedelta(hours=3), 10_800),
        (timedelta(seconds=60), 60),
        (timedelta(seconds=59.9), None),
        (timedelta(0), None),
        (timedelta(hours=-2), None),
    ],
)
def test_a_message_expires_with_its_hours(left: timedelta, seconds: int | None) -> None:
    assert validity_seconds(NOW + left, NOW) == seconds


def test_a_message_of_any_hour_expires_all_the_same() -> None:
    assert validity_seconds(None, NOW) == AT_ANY_HOUR.total_seconds()


def test_the_hours_of_two_zones_are_over_with_the_first_that_closes() -> None:
    coasts = ("America/New_York", "America/Los_Angeles")
    now = at("America/New_York", 2026, 11, 23, 13, 0)
    assert open_until(now, coasts, EIGHT, NINE_PM) == at("America/New_York", 2026, 11, 23, 21, 0)


def test_zones_that_share_no_hour_leave_the_end_to_the_first_too() -> None:
    now = at(AUCKLAND, 2026, 6, 1, 9, 20)
    assert open_until(now, (AUCKLAND, "Europe/London"), time(9), time(10)) == at(AUCKLAND, 2026, 6, 1, 10, 0)


def test_hours_that_are_not_open_are_over() -> None:
    now = at(AUCKLAND, 2026, 6, 1, 7, 0)
    assert open_until(now, (AUCKLAND,), EIGHT, NINE_PM) == now


def test_equal_times_are_never_over_and_a_day_that_is_left_out_ends_them() -> None:
    friday = at(AUCKLAND, 2026, 11, 20, 10, 0)
    place = Place((AUCKLAND,), "NZ")
    whole_days = Policy().invoice_overdue.model_copy(update={"opens": time(0), "closes": time(0)})
    assert open_until(friday, (AUCKLAND,), EIGHT, EIGHT) is None
    assert open_until_instant(friday, whole_days, place) == at(AUCKLAND, 2026, 11, 21, 0, 0)


def test_hours_that_close_in_the_missing_hour_close_with_the_jump() -> None:
    # New York goes from 02:00 to 03:00 on 8 March 2026
    now = at("America/New_York", 2026, 3, 8, 1, 0)
    assert open_until(now, ("America/New_York",), time(22), time(2, 30)) == at(
        "America/New_York", 2026, 3, 8, 3, 0
    )


@given(MOMENTS, st.sampled_from(ZONES), QUARTERS, QUARTERS)
def test_until_the_end_it_is_open_and_at_the_end_it_is_not(
    now: datetime, zone: str, opens: time, closes: time
) -> None:
    opening = next_open(now, (zone,), opens, closes)
    end = open_until(opening, (zone,), opens, closes)
    if opens == closes:
        assert end is None
        return
    assert end is not None
    assert end > opening
    assert not is_open(end, zone, opens, closes)
    quarters = int((end - opening) / timedelta(minutes=7.5))
    assert all(
        is_open(opening + timedelta(minutes=7.5) * one, zone, opens, closes) for one in range(quarters)
    )


@given(MOMENTS, st.sampled_from(ZONES), QUARTERS, QUARTERS)
def test_what_may_go_out_has_room_left(now: datetime, zone: str, opens: time, closes: time) -> None:
    opening = next_open(now, (zone,), opens, closes, least=LEAST_ROOM)
    end = open_until(opening, (zone,), opens, closes)
    assert is_open(opening, zone, opens, closes) or opens == closes
    assert end is None or end - opening >= LEAST_ROOM


def test_at_the_end_of_the_hours_it_waits_for_the_next_opening() -> None:
    rules, place = Policy().invoice_issued, Place((AUCKLAND,), "NZ")
    last_call = at(AUCKLAND, 2026, 11, 20, 20, 55)
    assert next_open_instant(last_call, rules, place, LEAST_ROOM) == last_call
    late = last_call + timedelta(seconds=1)
    assert next_open_instant(late, rules, place, LEAST_ROOM) == at(AUCKLAND, 2026, 11, 21, 8, 0)


def test_hours_that_never_leave_room_are_taken_as_they_are() -> None:
    now = at(AUCKLAND, 2026, 11, 20, 10, 0)
    narrow = next_open(now, (AUCKLAND,), time(11), time(11, 3), least=LEAST_ROOM)
    assert narrow.astimezone(ZoneInfo(AUCKLAND)).time() == time(11)


class Twilio:
    """Keeps the forms of what was posted."""

    def __init__(self) -> None:
        self.forms: list[dict[str, list[str]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.forms.append(parse_qs(request.content.decode()))
        return httpx.Response(201, json={"sid": sid(), "account_sid": ACCOUNT, "status": "queued"})


def intended(open_until: datetime | None) -> Intent:
    return Intent("a1", 1, 1, NOW + SEND_LEASE, "sms", MOBILE, "a text", open_until=open_until)


@pytest.mark.parametrize(("open_until", "seconds"), [(NOW + 2 * HOUR, "7140"), (None, "14400")])
def test_the_message_is_posted_with_what_is_left_at_that_moment(
    sqlite_ledger: Engine, open_until: datetime | None, seconds: str
) -> None:
    twilio = Twilio()
    outcome = Poster(resources_over(sqlite_ledger, Hand(NOW + MINUTE), twilio=twilio)).post(
        intended(open_until)
    )
    assert isinstance(outcome, Accepted)
    assert [form["ValidityPeriod"] for form in twilio.forms] == [[seconds]]


@pytest.mark.parametrize(
    ("stood_still", "why"),
    [
        (SEND_LEASE, "its lease was over before it was posted"),
        (timedelta(seconds=61), "the hours for it were over before it was posted"),
    ],
)
def test_f072_a_process_that_stood_still_does_not_post_what_it_had_begun(
    sqlite_ledger: Engine, stood_still: timedelta, why: str
) -> None:
    """Nothing was asked of Twilio, so that the message may be decided anew."""
    twilio = Twilio()
    poster = Poster(resources_over(sqlite_ledger, Hand(NOW + stood_still), twilio=twilio))
    assert poster.post(intended(NOW + 2 * MINUTE)) == NotProcessed(why)
    assert twilio.forms == []


def test_a_test_message_is_of_any_hour_and_comes_soon_or_not_at_all(sqlite_ledger: Engine) -> None:
    twilio = Twilio()
    at_night = Hand(at(AUCKLAND, 2026, 11, 20, 23, 0))
    send_test(resources_over(sqlite_ledger, at_night, twilio=twilio), MOBILE, by="test")
    assert [form["ValidityPeriod"] for form in twilio.forms] == [["600"]]
