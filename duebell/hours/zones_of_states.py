"""The time zones of the states and provinces of three countries wide enough for it to matter."""

from functools import cache

import holidays

from duebell.countries import plain

STATES: dict[str, dict[str, tuple[str, ...]]] = {
    # By their postal codes, as the tz database has them, without those of a few hundred people (Eucla, Adak).
    # Where a state has two zones, both count.
    "AU": {
        "ACT NSW": ("Australia/Sydney",),
        "NT": ("Australia/Darwin",),
        "QLD": ("Australia/Brisbane",),
        "SA": ("Australia/Adelaide",),
        "TAS": ("Australia/Hobart",),
        "VIC": ("Australia/Melbourne",),
        "WA": ("Australia/Perth",),
    },
    "CA": {
        "AB": ("America/Edmonton",),
        "BC": ("America/Vancouver", "America/Edmonton"),
        "MB": ("America/Winnipeg",),
        "NB NS PE": ("America/Halifax",),
        "NL": ("America/St_Johns", "America/Halifax"),
        "ON": ("America/Toronto", "America/Winnipeg"),
        "QC": ("America/Toronto",),
        "SK": ("America/Regina", "America/Edmonton"),
        "YT": ("America/Whitehorse",),
    },
    "US": {
        "CT DC DE GA MA MD ME NC NH NJ NY OH PA RI SC VA VT WV": ("America/New_York",),
        "FL IN KY MI": ("America/New_York", "America/Chicago"),
        "AL AR IA IL LA MN MO MS OK WI": ("America/Chicago",),
        "TN": ("America/Chicago", "America/New_York"),
        "KS ND NE SD TX": ("America/Chicago", "America/Denver"),
        "CO MT NM UT WY": ("America/Denver",),
        "ID": ("America/Denver", "America/Los_Angeles"),
        "OR": ("America/Los_Angeles", "America/Denver"),
        "CA NV WA": ("America/Los_Angeles",),
        "AZ": ("America/Phoenix", "America/Denver"),
        "AK": ("America/Anchorage",),
        "HI": ("Pacific/Honolulu",),
    },
}
"""The zones of each, where most people live first."""


def zones_of_state(country: str, typed: str) -> tuple[str, ...]:
    """The zones (IANA) of a state that is typed by its name or code; empty where that is not known."""
    return _by_name(country).get(plain(typed[:80]), ()) if country in STATES else ()


@cache
def _by_name(country: str) -> dict[str, tuple[str, ...]]:
    of_code = {code: zones for codes, zones in STATES[country].items() for code in codes.split()}
    names = holidays.country_holidays(country).subdivisions_aliases
    by_name = {plain(name): of_code[code] for name, code in names.items() if code in of_code}
    return {plain(code): zones for code, zones in of_code.items()} | by_name
