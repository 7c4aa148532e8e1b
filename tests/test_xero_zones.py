"""Every zone name that Xero may send has an IANA zone that this machine knows."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duebell.hours.zones import CAPITAL_ZONES, iana_zone

NOWHERE = "AQ"  # its zones in CLDR are research stations, none of which Xero's list leads to


def test_every_zone_name_of_the_interface_has_its_own_zone(samples: Path) -> None:
    schema = json.loads((samples / "openapi" / "xero.json").read_text())["schemas"]["TimeZone"]
    names: list[str] = schema.removeprefix("enum:").split("|")
    zones = {name: iana_zone(name, NOWHERE) for name in names}
    assert len(names) == 141
    assert [name for name, zone in zones.items() if zone.startswith("Antarctica/")] == []
    assert all(ZoneInfo(zone) for zone in zones.values())


@pytest.mark.parametrize(
    ("xero", "iana"),
    [
        ("NEWZEALANDSTANDARDTIME", "Pacific/Auckland"),
        ("AUSEASTERNSTANDARDTIME", "Australia/Sydney"),
        ("GMTSTANDARDTIME", "Europe/London"),
        ("EASTERNSTANDARDTIME", "America/New_York"),
        ("EASTERNSTANDARDTIME(MEXICO)", "America/Cancun"),
        ("UTC", "Etc/UTC"),
        ("UTC02", "Etc/GMT+2"),
        ("UTC11", "Etc/GMT+11"),
        ("UTC+12", "Etc/GMT-12"),
        ("MIDATLANTICSTANDARDTIME", "Etc/GMT+2"),
        ("KAMCHATKASTANDARDTIME", "Asia/Kamchatka"),
        ("New Zealand Standard Time", "Pacific/Auckland"),
        ("W. Europe Standard Time", "Europe/Berlin"),
    ],
)
def test_a_windows_zone_is_found_however_its_name_is_squeezed(xero: str, iana: str) -> None:
    assert iana_zone(xero, "") == iana


@pytest.mark.parametrize(
    ("country", "iana"),
    [
        ("NZ", "Pacific/Auckland"),
        ("au", "Australia/Sydney"),
        ("US", "America/New_York"),
        ("GB", "Europe/London"),
        ("SG", "Asia/Singapore"),
        ("", "UTC"),
        ("001", "UTC"),
        ("ZZ", "UTC"),
        ("New Zealand", "UTC"),
    ],
)
def test_an_unknown_zone_falls_back_to_the_country_and_then_to_utc(country: str, iana: str) -> None:
    assert iana_zone("MOONSTANDARDTIME", country) == iana
    assert iana_zone("", country) == iana


def test_every_capital_zone_exists() -> None:
    assert all(ZoneInfo(zone) for zone in CAPITAL_ZONES.values())


@settings(deadline=None)
@given(st.text(), st.text(max_size=3))
def test_any_text_leads_to_a_zone_that_exists(name: str, country: str) -> None:
    assert ZoneInfo(iana_zone(name, country))
