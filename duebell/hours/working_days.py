"""Office hours: the next open instant on the weekdays of the policy, public holidays left out or not."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache

import holidays

from duebell.countries import region_of
from duebell.hours.whereabouts import zones_of
from duebell.hours.window import closed_by, next_open, open_until, within_reach
from duebell.phone import country_of_number
from duebell.policy_file.sections import EVERY_DAY, WindowPolicy
from duebell.policy_file.shapes import Weekday, WhoseClock

WEEKDAYS = tuple(Weekday)


@dataclass(frozen=True, slots=True)
class Place:
    """Whose clocks (IANA zones) and whose public holidays (ISO country, ``""`` for none) count."""

    zones: tuple[str, ...]
    country: str


@dataclass(frozen=True, slots=True)
class Typed:
    """What is typed at a contact of where they are, in any words: the country, and the state in it."""

    country: str = ""
    state: str = ""


def place_of(
    rules: WindowPolicy, e164: str, typed: Typed, organisation_country: str, organisation_zone: str
) -> Place:
    """Where a message arrives, for its hours: with the person written to, or with the organisation.

    A person's country is that of the number, else the one typed at the contact. Where neither tells one, it
    is the organisation's, and so is the clock. An empty ``e164`` is somebody of whom no number is known.
    """
    country = country_of_number(e164) or region_of(typed.country)
    if rules.clock is WhoseClock.ORGANISATION or country is None:
        return Place((organisation_zone,), organisation_country)
    is_there = not typed.country.strip() or region_of(typed.country) == country
    zones = zones_of(e164, country, typed.state if is_there else "") or (organisation_zone,)
    return Place(within_reach(zones, rules.opens, rules.closes), country)


def next_open_instant(
    now: datetime, rules: WindowPolicy, place: Place, least: timedelta = timedelta()
) -> datetime:
    """The first instant from ``now`` on (aware UTC) at which a message of these rules may arrive there.

    ``least``: how long the hours have to last from then on. Hours that never last so long are taken as they
    are.
    """
    return _next_open(now, rules.opens, rules.closes, rules.days, rules.on_holidays, place, least)


def open_until_instant(now: datetime, rules: WindowPolicy, place: Place) -> datetime | None:
    """When the hours that are open there at ``now`` are over; ``None`` where they last for days."""
    return _open_until(now, rules.opens, rules.closes, rules.days, rules.on_holidays, place)


def closed_there(
    now: datetime, rules: WindowPolicy, place: Place, least: timedelta = timedelta()
) -> tuple[str, ...]:
    """The zones there by whose clocks and days a message of these rules may not arrive at ``now``."""
    open_days = _open_days(rules.days, place, on_holidays=rules.on_holidays)
    return closed_by(now, place.zones, rules.opens, rules.closes, open_days, least=least)


@lru_cache(maxsize=4096)  # a sweep asks the same of thousands of invoices, with the same now
def _next_open(
    now: datetime,
    opens: time,
    closes: time,
    days: tuple[Weekday, ...],
    on_holidays: bool,  # noqa: FBT001 - a cached function is called by place
    place: Place,
    least: timedelta,
) -> datetime:
    open_days = _open_days(days, place, on_holidays=on_holidays)
    return next_open(now, place.zones, opens, closes, open_days, least=least)


@lru_cache(maxsize=4096)
def _open_until(
    now: datetime,
    opens: time,
    closes: time,
    days: tuple[Weekday, ...],
    on_holidays: bool,  # noqa: FBT001 - a cached function is called by place
    place: Place,
) -> datetime | None:
    return open_until(now, place.zones, opens, closes, _open_days(days, place, on_holidays=on_holidays))


def _open_days(
    days: tuple[Weekday, ...], place: Place, *, on_holidays: bool
) -> Callable[[date], bool] | None:
    if on_holidays and set(days) == set(EVERY_DAY):
        return None

    def is_open_day(day: date) -> bool:
        in_week = WEEKDAYS[day.weekday()] in days
        return in_week and (on_holidays or not is_public_holiday(place.country, day))

    return is_open_day


def is_public_holiday(country: str, day: date) -> bool:
    """Whether most of a country (ISO code) keeps this day; a country that nobody knows keeps none."""
    return day in _public_holidays(country, day.year)


@cache
def _public_holidays(country: str, year: int) -> frozenset[date]:
    """What the whole country keeps, and what more than half of its states or regions keep.

    Easter Monday is no holiday of all the United Kingdom, nor the King's Birthday of all Australia. In which
    region somebody lives, a mobile number does not tell.
    """
    if country not in _countries():
        return frozenset()
    national = holidays.country_holidays(country, years=year)
    kept = Counter[date]()
    for region in national.subdivisions:
        kept.update(set(holidays.country_holidays(country, subdiv=region, years=year)))
    regional = {day for day, regions in kept.items() if 2 * regions > len(national.subdivisions)}
    return frozenset(set(national) | regional)


@cache
def _countries() -> frozenset[str]:
    return frozenset(holidays.list_supported_countries(include_aliases=False))
