"""Which IANA zone a Xero organisation lives in.

Xero writes a Windows zone name in capitals, without spaces, dots and hyphens (``NEWZEALANDSTANDARDTIME``,
``UTC02`` for ``UTC-02``). CLDR's windowsZones table, which Babel carries, knows the IANA name.
"""

import re
from functools import cache

from babel.core import get_global

RETIRED_ZONES = {
    # Xero's list still has these two; CLDR dropped them when Windows did.
    "KAMCHATKASTANDARDTIME": "Asia/Kamchatka",
    "MIDATLANTICSTANDARDTIME": "Etc/GMT+2",
}

CAPITAL_ZONES = {
    # Countries of several zones whose first one in CLDR's order is home to few (America/Adak for the US).
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CD": "Africa/Kinshasa",
    "CL": "America/Santiago",
    "CY": "Asia/Nicosia",
    "EC": "America/Guayaquil",
    "ES": "Europe/Madrid",
    "GL": "America/Nuuk",
    "ID": "Asia/Jakarta",
    "KI": "Pacific/Tarawa",
    "KZ": "Asia/Almaty",
    "MN": "Asia/Ulaanbaatar",
    "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur",
    "PF": "Pacific/Tahiti",
    "PT": "Europe/Lisbon",
    "RU": "Europe/Moscow",
    "US": "America/New_York",
    "UZ": "Asia/Tashkent",
}

NO_COUNTRY = {"001", "ZZ"}  # CLDR's codes for the world and for an unknown region


def iana_zone(xero_timezone: str, country: str) -> str:
    """The IANA zone of Xero's ``Timezone`` word.

    A word that nobody knows falls back to the zone most people of ``country`` (ISO 3166 alpha-2) live by,
    and without a country to ``"UTC"``.
    """
    return _windows_zones().get(_squashed(xero_timezone)) or _zone_of_country(country.strip().upper())


def _squashed(name: str) -> str:
    return re.sub(r"[^A-Z0-9+()]", "", name.upper())


@cache
def _windows_zones() -> dict[str, str]:
    mapping = get_global("windows_zone_mapping")
    return RETIRED_ZONES | {_squashed(name): str(zone) for name, zone in mapping.items()}


def _zone_of_country(country: str) -> str:
    if country in NO_COUNTRY:
        return "UTC"
    zones = get_global("territory_zones").get(country, ())
    return CAPITAL_ZONES.get(country) or next(iter(zones), "UTC")
