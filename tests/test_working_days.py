"""Office hours: weekdays and public holidays, across the changes of the clocks and the day line."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duebell.hours.whereabouts import zones_of
from duebell.hours.window import next_open
from duebell.hours.working_days import Place, Typed, is_public_holiday, next_open_instant, place_of
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import EVERY_DAY, OFFICE_DAYS, WindowPolicy
from duebell.policy_file.shapes import Weekday, WhoseClock

OFFICE = Policy().invoice_overdue
AUCKLAND, SYDNEY = Place(("Pacific/Auckland",), "NZ"), Place(("Australia/Sydney",), "AU")
LONDON, NEW_YORK = Place(("Europe/London",), "GB"), Place(("America/New_York",), "US")
KIRITIMATI, HONOLULU = Place(("Pacific/Kiritimati",), "KI"), Place(("Pacific/Honolulu",), "US")
PLACES = [AUCKLAND, SYDNEY, LONDON, NEW_YORK, KIRITIMATI, HONOLULU]
CHANGES = {
    # both changes of the clocks within a year, as the first instant of the new time
    AUCKLAND: [datetime(2027, 4, 3, 14, tzinfo=UTC), datetime(2026, 9, 26, 14, tzinfo=UTC)],
    SYDNEY: [datetime(2027, 4, 3, 16, tzinfo=UTC), datetime(2026, 10, 3, 16, tzinfo=UTC)],
    LONDON: [datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)],
    NEW_YORK: [datetime(2027, 3, 14, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)],
}


def at(place: Place, *moment: int) -> datetime:
    return datetime(*moment, tzinfo=ZoneInfo(place.zones[0])).astimezone(UTC)


def hours(**changes: Any) -> WindowPolicy:
    return OFFICE.model_copy(update=changes)


def is_open(instant: datetime, rules: WindowPolicy, place: Place) -> bool:
    """The slow and obvious way, for a window that does not cross midnight."""
    for zone in place.zones:
        there = instant.astimezone(ZoneInfo(zone))
        in_hours = rules.opens == rules.closes or rules.opens <= there.time() < rules.closes
        in_week = list(Weekday)[there.weekday()] in rules.days
        kept = not rules.on_holidays and is_public_holiday(place.country, there.date())
        if not in_hours or not in_week or kept:
            return False
    return True


def test_in_office_hours_it_is_now() -> None:
    now = at(AUCKLAND, 2026, 11, 20, 16, 59)
    assert next_open_instant(now, OFFICE, AUCKLAND) == now


def test_a_friday_evening_waits_for_monday() -> None:
    now = at(AUCKLAND, 2026, 11, 20, 17, 0)
    assert next_open_instant(now, OFFICE, AUCKLAND) == at(AUCKLAND, 2026, 11, 23, 9, 0)


@pytest.mark.parametrize(
    ("place", "now", "opening"),
    [
        # Christmas 2026 falls on a Friday; Boxing Day is kept on the Monday, but not in the United States.
        (AUCKLAND, (2026, 12, 24, 18), (2026, 12, 29, 9)),
        (LONDON, (2026, 12, 24, 18), (2026, 12, 29, 9)),
        (NEW_YORK, (2026, 12, 24, 18), (2026, 12, 28, 9)),
        # Easter 2027: Good Friday 26 and Easter Monday 29 March, which Scotland does not keep.
        (LONDON, (2027, 3, 25, 18), (2027, 3, 30, 9)),
        # The King's Birthday is no holiday of all of Australia, but of most of it.
        (SYDNEY, (2027, 6, 11, 18), (2027, 6, 15, 9)),
        # Waitangi Day 2027 is a Saturday and kept on the Monday.
        (AUCKLAND, (2027, 2, 5, 18), (2027, 2, 9, 9)),
    ],
)  # fmt: skip
def test_public_holidays_are_left_out(place: Place, now: tuple[int, ...], opening: tuple[int, ...]) -> None:
    assert next_open_instant(at(place, *now), OFFICE, place) == at(place, *opening)


def test_where_holidays_do_not_count_a_christmas_friday_is_a_friday() -> None:
    christmas = at(AUCKLAND, 2026, 12, 25, 10)
    assert next_open_instant(christmas, hours(on_holidays=True), AUCKLAND) == christmas


@pytest.mark.parametrize("closes", [9, 6])
def test_a_day_that_begins_in_open_hours_begins_at_midnight(closes: int) -> None:
    saturdays = hours(opens=time(9), closes=time(closes), days=(Weekday.SAT,))
    now = at(AUCKLAND, 2026, 11, 20, 10)
    assert next_open_instant(now, saturdays, AUCKLAND) == at(AUCKLAND, 2026, 11, 21, 0)


def test_it_may_be_monday_at_one_end_of_the_day_line_and_sunday_at_the_other() -> None:
    now = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
    assert next_open_instant(now, OFFICE, KIRITIMATI) == now  # Monday, 09:00
    assert next_open_instant(now, OFFICE, HONOLULU) == datetime(2026, 11, 23, 19, 0, tzinfo=UTC)


def test_every_zone_of_a_number_must_be_at_work() -> None:
    coasts = Place(("America/New_York", "America/Los_Angeles"), "US")
    now = at(NEW_YORK, 2026, 11, 20, 18, 0)
    assert next_open_instant(now, OFFICE, coasts) == datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def test_a_calendar_without_an_open_day_is_refused() -> None:
    with pytest.raises(ValueError, match="open day"):
        next_open(at(LONDON, 2026, 1, 1), LONDON.zones, time(9), time(17), lambda _: False)


@pytest.mark.parametrize(
    ("country", "day", "kept"),
    [
        ("NZ", date(2026, 2, 6), True),
        ("AU", date(2027, 1, 26), True),
        ("AU", date(2026, 2, 6), False),
        ("US", date(2026, 11, 26), True),
        ("GB", date(2027, 3, 29), True),
        ("GB", date(2027, 1, 4), False),
        ("", date(2026, 12, 25), False),
        ("XX", date(2026, 12, 25), False),
        ("UK", date(2026, 12, 25), False),
    ],
)
def test_a_public_holiday_is_what_most_of_a_country_keeps(country: str, day: date, kept: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_public_holiday(country, day) is kept


@pytest.mark.parametrize(
    ("e164", "typed", "place"),
    [
        ("+64211234567", "Australia", Place(("Pacific/Auckland", "Pacific/Chatham"), "NZ")),
        ("+12015550123", "", Place(("America/New_York",), "US")),
        ("", "Japan", Place(("Asia/Tokyo",), "JP")),
        ("+18005550123", "", Place(zones_of("", "US"), "US")),
        ("", "somewhere", Place(("Europe/London",), "GB")),
        ("+80012345678", "", Place(("Europe/London",), "GB")),
    ],
)
def test_the_place_is_that_of_the_number_else_of_the_contact_else_of_the_organisation(
    e164: str, typed: str, place: Place
) -> None:
    assert place_of(OFFICE, e164, Typed(typed), "GB", "Europe/London") == place


def test_on_the_organisation_s_clock_the_number_does_not_matter() -> None:
    rules = hours(clock=WhoseClock.ORGANISATION)
    assert place_of(rules, "+64211234567", Typed(), "GB", "Europe/London") == LONDON


def test_without_days_left_out_the_window_is_the_plain_one() -> None:
    rules = hours(days=EVERY_DAY, on_holidays=True)
    now = at(LONDON, 2026, 12, 25, 18)
    assert next_open_instant(now, rules, LONDON) == next_open(now, LONDON.zones, rules.opens, rules.closes)


@pytest.mark.parametrize("place", CHANGES)
def test_around_each_change_of_the_clocks_it_opens_at_the_hour_of_the_new_time(place: Place) -> None:
    for change in CHANGES[place]:
        zone = ZoneInfo(place.zones[0])
        before, after = (
            moment.astimezone(zone).utcoffset() for moment in (change - timedelta(seconds=1), change)
        )
        assert before != after, "the table is not of this zone's changes"
        weekend = hours(days=(Weekday.SAT, Weekday.SUN), on_holidays=True)
        for minutes in range(-36 * 60, 36 * 60, 45):
            now = change + timedelta(minutes=minutes)
            for rules in (OFFICE, weekend):
                opening = next_open_instant(now, rules, place)
                assert is_open(opening, rules, place)
                assert opening == now or opening.astimezone(zone).time() == rules.opens


MOMENTS = st.integers(0, 3 * 365 * 24 * 12).map(
    lambda fives: datetime(2025, 6, 1, tzinfo=UTC) + timedelta(minutes=5 * fives)
)
QUARTERS = st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))
WINDOWS = st.builds(
    hours,
    opens=QUARTERS.filter(lambda clock: clock < time(12)),
    closes=QUARTERS.filter(lambda clock: clock >= time(12)),
    days=st.sets(st.sampled_from(Weekday), min_size=1).map(tuple),
    on_holidays=st.booleans(),
) | st.builds(hours, opens=st.just(time(0)), closes=st.just(time(0)))


@given(MOMENTS, st.sampled_from(PLACES), WINDOWS)
@settings(max_examples=400, deadline=None)
def test_nothing_goes_out_at_a_closed_hour_or_on_a_closed_day(
    now: datetime, place: Place, rules: WindowPolicy
) -> None:
    opening = next_open_instant(now, rules, place)
    assert opening >= now
    assert is_open(opening, rules, place)
    assert next_open_instant(opening, rules, place) == opening


@given(MOMENTS, st.sampled_from(PLACES), WINDOWS)
@settings(max_examples=40, deadline=None)
def test_it_is_the_first_open_quarter_that_walking_finds(
    now: datetime, place: Place, rules: WindowPolicy
) -> None:
    opening = next_open_instant(now, rules, place)
    quarter = timedelta(minutes=15)
    instant = now
    while instant < opening:
        assert not is_open(instant, rules, place)
        instant += quarter


def test_office_days_are_the_five() -> None:
    assert [day.value for day in OFFICE_DAYS] == ["mon", "tue", "wed", "thu", "fri"]
