"""Which number of a contact can be texted: decided by rule, never guessed.

Xero keeps a phone as three free texts, and people and integrations put anything anywhere. A number that can
be read in two ways, or that needs a correction, is refused with its reason: a message about money that
reaches a stranger is worse than one that is not sent.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import Leniency, PhoneNumber, PhoneNumberFormat, PhoneNumberMatcher, PhoneNumberType

from duebell.countries import region_of
from duebell.errors import ConfigurationError
from duebell.model import Phone, PhoneType

CANDIDATES = (PhoneType.MOBILE, PhoneType.DEFAULT, PhoneType.DDI)
TEXTABLE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
LONGEST = 80
"""Xero's three fields hold 20, 10 and 50 characters (Xero-OpenAPI, Phone)."""

EXTENSION = re.compile(r"#|ext|\bx\s*\d|\dx", re.IGNORECASE)
SEVERAL = re.compile(r"[\n,;|&]|[\d+].*\+|-\s*\d$")
NOT_IN_NUMBERS = re.compile(r"[^0-9+()./ -]")
BULLETS = "•••••"


class NoPhoneReason(StrEnum):
    """Why a contact cannot be texted; the first candidate that holds anything names it."""

    NO_PHONE = "no_phone"
    NOT_A_NUMBER = "not_a_number"
    NOT_A_MOBILE = "not_a_mobile"
    LETTERS = "letters"
    EXTENSION = "extension"
    SEVERAL_NUMBERS = "several_numbers"
    UNKNOWN_COUNTRY = "unknown_country"
    LEADING_ZERO_MISSING = "leading_zero_missing"


@dataclass(frozen=True, slots=True)
class _Country:
    """The region in which a number without a country is read, and whether the contact itself names it."""

    region: str | None
    stated: bool


@dataclass(frozen=True, slots=True)
class PhoneFound:
    """A number that can be texted, in E.164, its region's ISO code, and the field it was read from."""

    e164: str = field(repr=False)
    region: str
    source: PhoneType


@dataclass(frozen=True, slots=True)
class NoPhone:
    """No number of the contact can be texted."""

    reason: NoPhoneReason


def best_mobile(
    phones: tuple[Phone, ...], contact_country: str, organisation_country: str
) -> PhoneFound | NoPhone:
    """The number to text: from the mobile field, else the default one, else the direct one; never the fax.

    A number without a country is read as one of the contact's country (free text), or of the organisation's
    where the contact has none. A country that is not understood is not replaced by the organisation's. And
    where only the organisation's is known, a number must be written as it is dialled there: without its
    leading zero, 212 444 3433 would be a mobile in New Zealand as well as a telephone in New York.
    """
    stated = bool(contact_country.strip())
    country = _Country(region_of(contact_country if stated else organisation_country), stated)
    first: NoPhoneReason | None = None
    for candidate in (phone for kind in CANDIDATES for phone in phones if phone.type is kind):
        found = _read(candidate, country)
        if isinstance(found, PhoneFound):
            return found
        if first is None and found is not NoPhoneReason.NO_PHONE:
            first = found
    return NoPhone(first or NoPhoneReason.NO_PHONE)


def parse_e164(text: str) -> str:
    """A number that an operator typed with + and country code, in E.164; else ``ConfigurationError``."""
    written = _tidy(text)
    if _why_unreadable(written) is None and written.startswith("+"):
        for number in _readings(written, None):
            return phonenumbers.format_number(number, PhoneNumberFormat.E164)
    raise ConfigurationError(
        "A phone number is not one: write + and the country code, then the whole number."
    )


def country_of_number(e164: str) -> str | None:
    """The country that a number belongs to, by its code of two letters; ``None`` where it tells none."""
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(e164))
    except phonenumbers.NumberParseException:
        return None
    return region if region and region.isalpha() else None  # "001" is a number of the whole world


def redact(e164: str) -> str:
    """The country code and at most the last three digits; four or more digits always stay hidden."""
    if not re.fullmatch(r"\+[1-9][0-9]{5,14}", e164):
        return BULLETS
    try:
        code = f"+{phonenumbers.parse(e164).country_code}"
    except phonenumbers.NumberParseException:
        return BULLETS
    shown = max(0, min(3, len(e164) - len(code) - 4))
    return f"{code}{BULLETS}{e164[len(e164) - shown :]}"


@lru_cache(maxsize=16_384)  # a sweep asks each hour of the same thousands of customers
def _read(phone: Phone, home: _Country) -> PhoneFound | NoPhoneReason:
    country, area, number = (_tidy(part) for part in (phone.country_code, phone.area_code, phone.number))
    if not area and not number:
        return NoPhoneReason.NO_PHONE
    written, code = f"{country} {area} {number}".strip(), ""
    if _is_international(number):
        written = number
    elif any(character.isalpha() for character in country):
        written, home = f"{area} {number}".strip(), _Country(region_of(country), stated=True)
    elif code := _calling_code(country):
        written = f"+{code} {area} {number}"
    if unreadable := _why_unreadable(written):
        return unreadable
    if home.region is None and not _is_international(written):
        return NoPhoneReason.UNKNOWN_COUNTRY
    if code and _was_cut(code, f"{country} {area} {number}", home.region):
        return NoPhoneReason.NOT_A_NUMBER
    return _judge(written, home, phone.type)


def _judge(written: str, home: _Country, source: PhoneType) -> PhoneFound | NoPhoneReason:
    numbers = {
        phonenumbers.format_number(n, PhoneNumberFormat.E164): n for n in _readings(written, home.region)
    }
    if len(numbers) != 1:
        return NoPhoneReason.NOT_A_NUMBER
    ((e164, number),) = numbers.items()
    if phonenumbers.number_type(number) not in TEXTABLE:
        return NoPhoneReason.NOT_A_MOBILE
    if not (home.stated or _is_international(written) or _is_as_dialled(written, home.region)):
        return NoPhoneReason.LEADING_ZERO_MISSING
    return PhoneFound(e164, phonenumbers.region_code_for_number(number) or "", source)


def _is_as_dialled(written: str, region: str | None) -> bool:
    """Whether the digits carry the trunk prefix, where their country writes one."""
    digits = re.sub(r"\D", "", written)
    return PhoneNumberMatcher(digits, region, leniency=Leniency.VALID).has_next()


def _tidy(text: str) -> str:
    """ASCII digits and punctuation for their full-width and foreign forms; invisible characters dropped."""
    if len(text) > LONGEST:
        return "?"  # no number is so long; the sign is refused like any other that numbers do not have
    return "".join(_tidied(character) for character in text).strip()


def _tidied(character: str) -> str:
    if "\uff01" <= character <= "\uff5e":
        character = chr(ord(character) - 0xFEE0)
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character in "\n\r\v\f\x85\u2028\u2029":
        return "\n"
    category = unicodedata.category(character)
    if category == "Pd" or character == "\u2212":
        return "-"
    if category == "Zs" or character == "\t":
        return " "
    return "" if category == "Cf" else character  # phones' address books wrap numbers in bidi marks


def _is_international(written: str) -> bool:
    return written.lstrip("( ").startswith(("+", "00"))


def _calling_code(country: str) -> str:
    """The calling code that the country part is, or nothing.

    What is no calling code came from an integration that cut one typed number at its spaces.
    """
    code = re.sub(r"^(\+|00)", "", re.sub(r"[() ]", "", country))
    is_one = re.fullmatch("[1-9][0-9]*", code) and int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    return code if is_one else ""


def _was_cut(code: str, uncut: str, region: str | None) -> bool:
    """Whether what begins with a calling code, or seems to, is another number at home, as dialled there.

    501, 612 and 3456 are a telephone in Arkansas and a mobile in Belize. Nobody cuts off one digit or two,
    unless the country itself writes them apart.
    """
    if _is_international(uncut) or not _is_as_dialled(uncut, region):
        return False
    others = (one for one in _readings(uncut, region) if one.country_code != int(code))
    return any(len(code) > 2 or _first_group(one) == code for one in others)


def _first_group(number: PhoneNumber) -> str:
    """The digits that are written first of all where the number is at home."""
    return re.findall("[0-9]+", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))[0]


def _why_unreadable(written: str) -> NoPhoneReason | None:
    if EXTENSION.search(written):
        return NoPhoneReason.EXTENSION
    if any(character.isalpha() for character in written):
        return NoPhoneReason.LETTERS
    if SEVERAL.search(written) or not _slashes_end_area_codes(written):
        return NoPhoneReason.SEVERAL_NUMBERS
    return NoPhoneReason.NOT_A_NUMBER if NOT_IN_NUMBERS.search(written) else None


def _slashes_end_area_codes(written: str) -> bool:
    """``0171/1234567`` is how Germany writes one number; ``021 123 4567/8`` is two."""
    *before, last = (len(re.sub(r"\D", "", piece)) for piece in written.split("/"))
    longest_area = 7 if written.startswith("+") else 5
    return not before or (last >= 5 and all(digits <= longest_area for digits in before))


def _readings(written: str, region: str | None) -> Iterator[PhoneNumber]:
    """Every valid number that the text may mean; 00 dials out of most countries, 0011 out of Australia."""
    bare = written.lstrip("( ")
    ways = [(written, None if bare.startswith("+") else region)]
    if bare.startswith("00"):
        ways.append((f"+{bare[2:]}", None))
    for text, assumed in ways:
        try:
            number = phonenumbers.parse(text, assumed)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number) and not number.extension:
            yield number
