"""In which time zones somebody may be: as their number, their country and their state tell."""

from functools import cache, lru_cache

import phonenumbers
from babel.core import get_global
from phonenumbers import PhoneNumber
from phonenumbers.timezone import (
    UNKNOWN_TIMEZONE,
    time_zones_for_geographical_number,
    time_zones_for_number,
)

from duebell.hours.window import spread
from duebell.hours.zones import iana_zone
from duebell.hours.zones_of_states import zones_of_state


@lru_cache(maxsize=16_384)  # a sweep asks each hour of the same thousands of customers
def zones_of(e164: str, country: str, state: str = "") -> tuple[str, ...]:
    """The zones of a country (ISO code) in which the owner of a number may be, where most people live first.

    ``e164`` may be empty; ``state`` is what is typed in an address there. Empty for a country without zones.
    """
    own, of_number = _zones_of_country(country), _zones_of_number(e164)
    zones = tuple(zone for zone in own if zone in of_number) or own
    narrowed = zones_of_state(country, state)
    # Whose area code lies in New York, is there and not in California, wherever the bills go.
    return narrowed if narrowed and spread(zones) == spread((*zones, *narrowed)) else zones


@cache
def _zones_of_country(country: str) -> tuple[str, ...]:
    """The zones that telephone numbers of a country know, of those that CLDR knows there.

    Numbers share a list with all countries of their calling code (an Australian mobile may be on Christmas
    Island, a Jamaican one in Alaska), and it names a zone of another country where the clocks are alike in
    winter (Algeria's is Paris). CLDR in turn has zones where nobody lives.
    """
    here = [str(zone) for zone in get_global("territory_zones").get(country, ())]
    if len(here) == 1:
        return tuple(here)
    # no number begins with 0 after its calling code: nothing but the code tells
    code = PhoneNumber(country_code=phonenumbers.country_code_for_region(country), national_number=0)
    listed = _present_names(time_zones_for_geographical_number(code))
    main = iana_zone("", country)
    found = [zone for zone in listed if zone in here] or here or listed
    return tuple(sorted(found, key=lambda zone: zone != main))


def _zones_of_number(e164: str) -> tuple[str, ...]:
    try:
        return _present_names(time_zones_for_number(phonenumbers.parse(e164)))
    except phonenumbers.NumberParseException:
        return ()


def _present_names(zones: tuple[str, ...]) -> tuple[str, ...]:
    aliases = get_global("zone_aliases")
    names = (str(aliases.get(zone, zone)) for zone in zones if zone != UNKNOWN_TIMEZONE)
    return tuple(dict.fromkeys(names))
