"""Languages: which there are, how a person of a country writes in one, and how it counts.

A language is written as on the web (BCP 47): ``de``, ``pt-BR``, ``zh-Hant``. What it needs to know comes from
CLDR, through Babel: a locale, the direction of the letters, the forms of the plural.
"""

import re
from functools import cache

from babel import Locale
from babel.core import UnknownLocaleError

from duebell.countries import region_of

ENGLISH = "en"
ENGLISH_OF_THE_WORLD = "en_001"
"""For an English reader of whom no country is known: ``en`` alone is the English of the United States."""

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
OTHER = "other"
"""The form of the plural that every language has."""


@cache
def is_language(tag: str) -> bool:
    """Whether this is a language that can be written in: ``de`` and ``de-CH``, not ``DE`` or ``german``."""
    return bool(LANGUAGE.fullmatch(tag)) and _locale(tag.replace("-", "_")) is not None


def from_near_to_far(language: str) -> tuple[str, ...]:
    """The language itself, and what it is a form of: ``de-CH``, ``de``."""
    parts = language.split("-")
    return tuple("-".join(parts[:length]) for length in range(len(parts), 0, -1))


def locale_for(language: str, country: str) -> str:
    """The locale of a language in a country (a name or a code): ``de`` in Switzerland is ``de_CH``.

    A language with a region of its own keeps it. Where nobody has described the language in that country,
    it is the language alone.
    """
    tag, region = language.replace("-", "_"), region_of(country)
    has_region = re.search(r"_[A-Z]{2}$", tag)
    within = _locale(f"{tag}_{region}") if region and not has_region else None
    found = within or (ENGLISH_OF_THE_WORLD if tag == ENGLISH else _locale(tag))
    return found or ENGLISH_OF_THE_WORLD


@cache
def is_right_to_left(locale: str) -> bool:
    """Whether the locale's language is written from right to left."""
    return Locale.parse(locale).text_direction == "rtl"


def plural_form(number: int, locale: str) -> str:
    """CLDR's word for the form that goes with a number: ``one``, ``two``, ``few``, ``many``, ``other``."""
    return str(_parsed(locale).plural_form(number))


@cache
def plural_forms(language: str) -> frozenset[str]:
    """All forms that the language has."""
    return frozenset(_parsed(language.replace("-", "_")).plural_form.tags) | {OTHER}


@cache
def needed_plural_forms(language: str) -> frozenset[str]:
    """The forms that the numbers from 1 to 999 need; what is rarer may be left to ``other``."""
    rule = _parsed(language.replace("-", "_")).plural_form
    return frozenset(str(rule(number)) for number in range(1, 1_000)) | {OTHER}


@cache
def _parsed(locale: str) -> Locale:
    return Locale.parse(locale)


@cache
def _locale(name: str) -> str | None:
    """The locale of this name as CLDR has it (``zh_CN`` is ``zh_Hans_CN``), nothing for an unknown one."""
    try:
        return str(Locale.parse(name))
    except (UnknownLocaleError, ValueError):
        return None
