"""Which country a free-text address means. Xero's address field takes any text for it."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import cast

import phonenumbers
from babel import Locale
from babel.core import get_global

ALSO_CALLED: dict[str, str] = {
    "aotearoa": "NZ",
    "aotearoa new zealand": "NZ",
    "new zealand aotearoa": "NZ",
    "n zealand": "NZ",
    "commonwealth of australia": "AU",
    "aust": "AU",
    "uk": "GB",
    "great britain": "GB",
    "britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "usa": "US",
    "united states of america": "US",
    "america": "US",
    "republic of ireland": "IE",
    "eire": "IE",
    "holland": "NL",
    "hong kong": "HK",
    "macau": "MO",
    "macao": "MO",
    "peoples republic of china": "CN",
    "prc": "CN",
    "mainland china": "CN",
    "korea republic of": "KR",
    "republic of korea": "KR",
    "czech republic": "CZ",
    "viet nam": "VN",
    "russian federation": "RU",
    "republic of south africa": "ZA",
    "rsa": "ZA",
    "emirates": "AE",
    "uae": "AE",
    "deutschland": "DE",
    "osterreich": "AT",
    "schweiz": "CH",
    "suisse": "CH",
    "espana": "ES",
    "italia": "IT",
    "brasil": "BR",
    "turkey": "TR",
    "burma": "MM",
    "ivory coast": "CI",
    "swaziland": "SZ",
    "cape verde": "CV",
    "east timor": "TL",
    "macedonia": "MK",
    "western samoa": "WS",
}


def region_of(country: str) -> str | None:
    """The ISO code of the country that a person typed: a name in English, a code or a common other name."""
    typed = country[:80]
    return _regions().get(plain(typed)) or _regions().get(plain(re.sub(r"\(.*\)", "", typed)))


@cache
def _regions() -> dict[str, str]:
    """Every spelling that is understood. The less certain source is overwritten by the more certain."""
    found: dict[str, str] = dict(ALSO_CALLED)
    for code, replacements in get_global("territory_aliases").items():
        if len(code) == 3 and code.isalpha() and len(replacements) == 1:  # CLDR keeps ISO's long codes here
            found[code.lower()] = replacements[0]
    for code, name in cast("Mapping[str, str]", Locale("en").territories).items():
        if len(code) == 2 and code.isalpha():
            found[plain(name)] = code
            found[plain(re.sub(r"\(.*\)", "", name))] = code
            found[code.lower()] = code
    found["uk"] = "GB"
    return {name: code for name, code in found.items() if code in phonenumbers.SUPPORTED_REGIONS}


def plain(name: str) -> str:
    """Lower case, without accents, dots and a leading "the"."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    words = re.sub(r"[.'\u2019]", "", letters.casefold().replace("&", " and "))
    return re.sub(r"^the ", "", " ".join(re.findall(r"\w+", words)))
