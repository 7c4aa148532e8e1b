"""In which zones somebody may be: of every country, number and state, only zones that are there."""

from datetime import time, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from duebell.hours.whereabouts import zones_of
from duebell.hours.window import LEAST_SHARED, spread, within_reach
from duebell.hours.zones_of_states import STATES, zones_of_state
from duebell.phone import country_of_number

COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)
WITHOUT_ZONES = {"AC", "TA", "XK"}  # CLDR gives these none; Kosovo's clock is Belgrade's
QUARTERS = st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))


@pytest.mark.parametrize("country", COUNTRIES)
def test_every_country_that_has_telephones_has_zones_and_they_are_its_own(country: str) -> None:
    zones = zones_of("", country)
    assert zones
    assert all(ZoneInfo(zone) for zone in zones)
    assert len(set(zones)) == len(zones)
    if country not in WITHOUT_ZONES:
        assert set(zones) <= set(get_global("territory_zones")[country])


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_a_number_s_zones_are_among_those_of_its_country(e164: str) -> None:
    country = country_of_number(e164)
    if country is not None:
        assert set(zones_of(e164, country)) <= set(zones_of("", country))
        assert zones_of(e164, country)


@pytest.mark.parametrize(
    ("e164", "zones"),
    [
        ("+64211234567", ("Pacific/Auckland", "Pacific/Chatham")),
        ("+12015550123", ("America/New_York",)),
        ("+18764101234", ("America/Jamaica",)),
        ("+34612345678", ("Europe/Madrid", "Atlantic/Canary")),
        ("+447400123456", ("Europe/London",)),
        ("+447797712345", ("Europe/Jersey",)),
        ("+299221234", ("America/Nuuk", "America/Scoresbysund", "America/Thule")),
        ("+97688123456", ("Asia/Ulaanbaatar", "Asia/Hovd")),
        ("+8613812345678", ("Asia/Shanghai",)),
    ],
)
def test_a_number_tells_the_zones_of_its_country_where_most_people_live_first(
    e164: str, zones: tuple[str, ...]
) -> None:
    assert zones_of(e164, country_of_number(e164) or "") == zones


def test_an_australian_mobile_is_not_on_christmas_island() -> None:
    zones = zones_of("+61412345678", "AU")
    assert zones[0] == "Australia/Sydney"
    assert "Australia/Perth" in zones
    assert not any(zone.startswith("Indian/") for zone in zones)
    assert zones_of("", "AU") == zones


@pytest.mark.parametrize(("country", "count"), [("AU", 8), ("CA", 11), ("US", 51)])
def test_every_state_is_known_by_its_code_and_its_name_and_lies_in_its_country(
    country: str, count: int
) -> None:
    codes = [code for codes in STATES[country] for code in codes.split()]
    assert len(codes) == len(set(codes)) == count
    of_country = get_global("territory_zones")[country]
    for code in codes:
        zones = zones_of_state(country, f" {code.lower()}.")
        assert zones
        assert set(zones) <= set(of_country)
        assert spread((*zones_of("", country), *zones)) == spread(zones_of("", country))
        assert zones_of("", country, code) == zones


@pytest.mark.parametrize(
    ("country", "typed", "zone"),
    [
        ("AU", "N.S.W.", "Australia/Sydney"),
        ("AU", "western australia", "Australia/Perth"),
        ("US", "Washington", "America/Los_Angeles"),
        ("US", "Hawaii", "Pacific/Honolulu"),
        ("CA", "Nouvelle-Écosse", "America/Halifax"),
    ],
)
def test_a_state_is_read_as_people_type_it(country: str, typed: str, zone: str) -> None:
    assert zones_of_state(country, typed) == (zone,)


@given(st.text(), st.sampled_from(COUNTRIES))
def test_what_is_no_state_tells_nothing(typed: str, country: str) -> None:
    assert zones_of("", country, f"{typed}?!1") == zones_of("", country)
    assert zones_of_state("NZ", "WA") == ()


@given(st.sampled_from(COUNTRIES), QUARTERS, QUARTERS)
def test_the_zones_in_reach_share_an_hour_of_each_day_or_are_the_first_alone(
    country: str, opens: time, closes: time
) -> None:
    zones = zones_of("", country)
    reached = within_reach(zones, opens, closes)
    assert reached[0] == zones[0]
    assert set(reached) <= set(zones)
    minutes = (closes.hour - opens.hour) * 60 + closes.minute - opens.minute
    room = timedelta(minutes=minutes % (24 * 60) or 24 * 60) - LEAST_SHARED
    assert len(reached) == 1 or spread(reached) <= room
    if spread(zones) <= room:
        assert reached == zones
    assert all(spread((*reached, zone)) > room for zone in zones if zone not in reached)


def test_clocks_are_as_far_apart_as_they_are_at_one_moment() -> None:
    assert spread(("Europe/London", "Europe/Jersey")) == timedelta()
    assert spread(("Pacific/Auckland", "Pacific/Chatham")) == timedelta(minutes=45)
    assert spread(("Australia/Perth", "Australia/Sydney")) == timedelta(hours=3)
