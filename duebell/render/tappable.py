"""What a telephone makes something to tap on of, and the same so that it does not."""

import re

import phonenumbers

SCHEME = re.compile(r"\w*:[/\\]{2,}")
DOTS = ".\u3002\uff0e\uff61"
DOT_OF_A_HOST = re.compile(
    rf"(?<=[\w\u0080-\U0010ffff-])[{DOTS}]"
    rf"(?=(?:[\w-]{{1,63}}[{DOTS}]){{0,8}}(?:[^\W\d_]{{2,}}(?!\w)|[^\W\d_][\u0080-\U0010ffff]|xn--))"
)
"""A vowel sign, as in the Indian domains, is no letter to a regular expression."""

DOT_OF_AN_ADDRESS = re.compile(r"(?<=\d)\.(?=\d{1,3}\.\d{1,3}\.\d)")

OTHER_PLACES = ("aq", "eu", "gs", "hm", "pn", "su", "tf", "uk")
COUNTRIES = frozenset({*(one.lower() for one in phonenumbers.SUPPORTED_REGIONS), *OTHER_PLACES})
"""The two letters after the last dot of an address: a country's, or as good as one's."""

TOP_LEVEL = frozenset(
    {
        *("academy", "agency", "app", "art", "asia", "auto", "bank", "bar", "bid", "bio", "biz", "blog"),
        *("business", "cam", "care", "cash", "center", "chat", "city", "click", "cloud", "club", "com"),
        *("company", "cool", "credit", "date", "design", "dev", "digital", "direct", "download", "edu"),
        *("email", "energy", "events", "exchange", "expert", "express", "finance", "fun", "fund", "gov"),
        *("group", "guru", "help", "host", "icu", "inc", "info", "ink", "int", "jobs", "land", "law"),
        *("life", "limited", "link", "live", "llc", "loan", "ltd", "market", "media", "mil", "mobi", "money"),
        *("name", "net", "network", "news", "one", "online", "org", "page", "partners", "pay", "plus"),
        *("porn", "post", "press", "pro", "pub", "red", "rent", "review", "rocks", "sale", "services"),
        *("sex", "shop", "site", "skin", "social", "solutions", "space", "store", "stream", "studio"),
        *("supply", "support", "systems", "tax", "team", "tech", "tel", "tips", "today", "tools", "top"),
        *("trade", "travel", "vip", "website", "wiki", "win", "work", "works", "world", "xin", "xxx"),
        *("xyz", "zip", "zone"),
    }
)
"""The other words after the last dot by which most addresses end, and so those that telephones know."""

_TOP = "|".join(sorted(COUNTRIES | TOP_LEVEL))
_PART = "(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)"
LOOKS_LIKE_A_LINK = re.compile(
    rf":[/\\]{{2}}|@|\bwww\d?[{DOTS}]"
    rf"|[\w\u0080-\U0010ffff-][{DOTS}](?:xn--|(?:{_TOP})(?!\w)|\w*[\u0370-\U0010ffff])"
    rf"|(?<![\w.]){_PART}(?:\.{_PART}){{3}}(?![\w.])",
    re.IGNORECASE,
)


def untappable(text: str) -> str:
    """``https://evil.tld/x`` becomes ``evil. tld/x``, which no telephone makes a link of."""
    text = SCHEME.sub(" ", text)
    text = DOT_OF_AN_ADDRESS.sub(". ", DOT_OF_A_HOST.sub(". ", text))
    return " ".join(text.split())


def looks_like_a_link(number: str) -> bool:
    """Whether a telephone would take a number of our own for an address, as ``RE.2026.COM``.

    An address ends in a top-level domain that is known, or is one of four numbers. ``RE.2026.ABC`` is none:
    who pays types it as their reference, so it has to be read as it was issued.
    """
    return LOOKS_LIKE_A_LINK.search(number) is not None
