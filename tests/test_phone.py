"""Phones: what people type becomes a number that can be texted, or a reason; never a guess."""

import re

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from duebell.model import Phone, PhoneType
from duebell.phone import NoPhone, NoPhoneReason, PhoneFound, best_mobile

NZ = "+64211234567"
AU = "+61491570156"
US = "+12015550123"
WHY = NoPhoneReason


def mobile(country: str, area: str, number: str) -> Phone:
    return Phone(PhoneType.MOBILE, country, area, number)


def wide(text: str) -> str:
    """The full-width forms that East Asian keyboards type."""
    return "".join(character if character == " " else chr(ord(character) + 0xFEE0) for character in text)


def outcome(phone: Phone, contact_country: str = "", organisation_country: str = "NZ") -> str:
    found = best_mobile((phone,), contact_country, organisation_country)
    return found.e164 if isinstance(found, PhoneFound) else found.reason


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        # spread over the three fields
        (("64", "21", "1234567"), NZ),
        (("64", "021", "1234567"), NZ),
        (("+64", "21", "1234567"), NZ),
        (("0064", "21", "1234567"), NZ),
        (("(64)", "(21)", "123-4567"), NZ),
        (("+ 64", "21", "123 4567"), NZ),
        (("", "021", "1234567"), NZ),
        (("", "(021)", "123-4567"), NZ),
        (("64", "", "211234567"), NZ),
        (("64", "", "021 123 4567"), NZ),
        (("61", "", "0491 570 156"), AU),
        (("1", "201", "555-0123"), US),
        (("1", "(201)", "555-0123"), US),
        (("NZ", "021", "1234567"), NZ),
        (("New Zealand", "21", "1234567"), NZ),
        (("australia", "", "0491 570 156"), AU),
        (("", "+64 21", "123 4567"), NZ),
        (("", "0064 21", "123 4567"), NZ),
        # the whole number in the last field
        (("", "", "021 123 4567"), NZ),
        (("", "", "021-123-4567"), NZ),
        (("", "", "021.123.4567"), NZ),
        (("", "", "(021) 123 4567"), NZ),
        (("", "", "021/1234567"), NZ),
        (("", "", "+64 21 123 4567"), NZ),
        (("", "", "+64 (0)21 123 4567"), NZ),
        (("", "", "+64 021 123 4567"), NZ),
        (("", "", "(+64) 21 123 4567"), NZ),
        (("", "", "0064 21 123 4567"), NZ),
        (("", "", "64 21 123 4567"), NZ),
        (("", "", "  021 123 4567  "), NZ),
        (("", "", "\t021\u00a0123\u00a04567\n"), NZ),
        # a number with its own country needs no other field
        (("64", "9", "+61 491 570 156"), AU),
        (("64", "9", "0061 491 570 156"), AU),
        (("home", "old", "+61 491 570 156"), AU),
        # an integration cut one number at its spaces
        (("021", "123", "4567"), NZ),
        (("021", "1234567", ""), NZ),
        (("04", "2112345", "67"), WHY.NOT_A_NUMBER),
        # other signs for digits, dashes, and marks that address books leave behind
        (("", "", wide("021 123 4567")), NZ),
        (("", "", wide("+64(21)1234567")), NZ),
        (("", "", "٠٢١ ١٢٣ ٤٥٦٧"), NZ),
        (("", "", "०२१ १२३ ४५६७"), NZ),
        (("", "", "021\u2013123\u20144567"), NZ),
        (("", "", "021\u2212123\u20114567"), NZ),
        (("", "", "\u202a+64 21 123 4567\u202c"), NZ),
        (("", "", "021\u200b123\u200b4567"), NZ),
        # nothing there
        (("", "", ""), WHY.NO_PHONE),
        (("64", "", ""), WHY.NO_PHONE),
        (("  ", "\t", "\u200b"), WHY.NO_PHONE),
        # real numbers that take no SMS
        (("64", "9", "555 0123"), WHY.NOT_A_MOBILE),
        (("", "09", "555 0123"), WHY.NOT_A_MOBILE),
        (("", "0800", "123 456"), WHY.NOT_A_MOBILE),
        (("44", "20", "7946 0123"), WHY.NOT_A_MOBILE),
        # not numbers
        (("", "0800", "1234 5678"), WHY.NOT_A_NUMBER),
        (("4", "345", "678-90123"), WHY.NOT_A_NUMBER),
        (("27", "123", "4567"), WHY.NOT_A_NUMBER),
        (("64", "", "64211234567"), WHY.NOT_A_NUMBER),
        (("44", "7700", "900123"), WHY.NOT_A_NUMBER),
        (("", "", "-"), WHY.NOT_A_NUMBER),
        (("", "", "+"), WHY.NOT_A_NUMBER),
        (("", "", "0"), WHY.NOT_A_NUMBER),
        (("", "", "111"), WHY.NOT_A_NUMBER),
        (("", "", "9" * 400), WHY.NOT_A_NUMBER),
        (("", "", "021*1234567"), WHY.NOT_A_NUMBER),
        (("", "", "021 123 456²"), WHY.NOT_A_NUMBER),
        (("6²", "21", "1234567"), WHY.NOT_A_NUMBER),
        (("", "", "📱021 123 4567"), WHY.NOT_A_NUMBER),
        (("", "", "+999 21 123 4567"), WHY.NOT_A_NUMBER),
        # a word beside the number, or in its place
        (("", "", "abc"), WHY.LETTERS),
        (("", "", "n/a"), WHY.LETTERS),
        (("", "", "0800 DUEBELL"), WHY.LETTERS),
        (("", "", "021 123 4567 (work)"), WHY.LETTERS),
        (("", "", "Jo 021 123 4567"), WHY.LETTERS),
        (("", "", "tel:+64211234567"), WHY.LETTERS),
        # an extension reaches a switchboard
        (("021", "1234567", "#507"), WHY.EXTENSION),
        (("", "", "021 123 4567 x5"), WHY.EXTENSION),
        (("", "", "021 123 4567x5"), WHY.EXTENSION),
        (("", "", "021 123 4567 ext. 5"), WHY.EXTENSION),
        (("", "", "+64211234567;ext=5"), WHY.EXTENSION),
        # more than one
        (("", "", "021 123 4567 / 021 765 4321"), WHY.SEVERAL_NUMBERS),
        (("", "", "021 123 4567/8"), WHY.SEVERAL_NUMBERS),
        (("", "", "021 123 4567-8"), WHY.SEVERAL_NUMBERS),
        (("", "", "021 123 4567, 021 765 4321"), WHY.SEVERAL_NUMBERS),
        (("", "", "021 123 4567; 09 555 0123"), WHY.SEVERAL_NUMBERS),
        (("", "", "021 123 4567 & 021 765 4321"), WHY.SEVERAL_NUMBERS),
        (("", "", "021 123 4567\n021 765 4321"), WHY.SEVERAL_NUMBERS),
        (("", "", "+64 21 123 4567 +64 21 765 4321"), WHY.SEVERAL_NUMBERS),
        (("64", "+64 21", "1234567"), WHY.SEVERAL_NUMBERS),
        (("", "", "021 123 4567 021 765 4321"), WHY.NOT_A_NUMBER),
        # whose country nobody knows
        (("Atlantis", "021", "1234567"), WHY.UNKNOWN_COUNTRY),
        # a telephone in New York, were it not for the country assumed
        (("", "212", "444-3434"), WHY.LEADING_ZERO_MISSING),
        (("", "21", "1234567"), WHY.LEADING_ZERO_MISSING),
        (("", "", "211234567"), WHY.LEADING_ZERO_MISSING),
    ],
)
def test_a_phone_of_an_organisation_in_new_zealand(parts: tuple[str, str, str], expected: str) -> None:
    assert outcome(mobile(*parts)) == expected


@pytest.mark.parametrize(
    ("number", "contact_country", "organisation_country", "expected"),
    [
        ("0491 570 156", "Australia", "NZ", AU),
        ("0491 570 156", "", "AU", AU),
        ("0491 570 156", "", "NZ", WHY.NOT_A_NUMBER),
        ("0011 64 21 123 4567", "", "AU", NZ),
        ("0064 21 123 4567", "", "AU", NZ),
        ("011 64 21 123 4567", "", "US", NZ),
        ("(201) 555-0123", "USA", "NZ", US),
        ("201-555-0123", "", "US", US),
        ("1-201-555-0123", "", "US", US),
        ("211234567", "New Zealand", "NZ", NZ),
        ("211234567", "New Zealand", "AU", NZ),
        ("021 123 4567", "Middle Earth", "NZ", WHY.UNKNOWN_COUNTRY),
        ("+64 21 123 4567", "Middle Earth", "", NZ),
        ("021 123 4567", "", "", WHY.UNKNOWN_COUNTRY),
        ("0171/1234567", "Germany", "NZ", "+491711234567"),
        ("+49 (0)171/1234567", "", "NZ", "+491711234567"),
        ("98765 43210", "", "IN", "+919876543210"),
        ("8123 4567", "", "SG", "+6581234567"),
    ],
)
def test_the_country_is_the_contacts_and_else_the_organisations(
    number: str, contact_country: str, organisation_country: str, expected: str
) -> None:
    assert outcome(mobile("", "", number), contact_country, organisation_country) == expected


@pytest.mark.parametrize(
    ("parts", "contact_country", "organisation_country", "expected"),
    [
        # a telephone in the United States, and a mobile in Belize, São Tomé, the Seychelles, the Comoros …
        (("501", "612", "3456"), "", "US", WHY.NOT_A_NUMBER),
        (("501", "612", "3456"), "USA", "NZ", WHY.NOT_A_NUMBER),
        (("501", "612", "3456"), "", "CA", WHY.NOT_A_NUMBER),
        (("501", "", "612-3456"), "", "US", WHY.NOT_A_NUMBER),
        (("(501)", "", "612-3456"), "", "US", WHY.NOT_A_NUMBER),
        (("239", "981", "2345"), "", "US", WHY.NOT_A_NUMBER),
        (("248", "251", "0123"), "", "US", WHY.NOT_A_NUMBER),
        (("269", "321", "2345"), "", "US", WHY.NOT_A_NUMBER),
        (("960", "765", "4321"), "", "IN", WHY.NOT_A_NUMBER),
        # whoever writes the + or the 00, or lives there, means the country
        (("+501", "612", "3456"), "", "US", "+5016123456"),
        (("00501", "612", "3456"), "", "US", "+5016123456"),
        (("501", "612", "3456"), "Belize", "US", "+5016123456"),
        (("501", "612", "3456"), "", "NZ", "+5016123456"),
        # no number of the United States is cut off behind two digits, none of Germany is dialled without 0
        (("65", "9234", "5678"), "", "US", "+6592345678"),
        (("47", "", "92 34 56 78"), "", "US", "+4792345678"),
        (("43", "664", "1234567"), "", "DE", "+436641234567"),
        (("43", "664", "1234567"), "Germany", "DE", "+436641234567"),
        (("39", "331", "123 4567"), "", "IT", "+393311234567"),
    ],
)
def test_what_may_be_a_number_at_home_that_was_cut_is_sent_to_no_other_country(
    parts: tuple[str, str, str], contact_country: str, organisation_country: str, expected: str
) -> None:
    assert outcome(mobile(*parts), contact_country, organisation_country) == expected


TWICE = "220|239|248|269|354|501|678|680|683"
"""Area codes of North America that are calling codes of countries whose numbers have seven digits."""


@given(
    st.from_regex(f"({TWICE})[2-9][0-9]{{6}}", fullmatch=True),
    st.integers(3, 10),
    st.sampled_from(["", "USA"]),
)
def test_a_number_of_north_america_reaches_itself_or_nobody_however_it_is_cut(
    number: str, second: int, contact_country: str
) -> None:
    whole = phonenumbers.parse(number, "US")
    assume(phonenumbers.is_valid_number(whole))
    cut = mobile(number[:3], number[3:second], number[second:])
    found = best_mobile((cut,), contact_country, "US")
    assert isinstance(found, NoPhone) or found.e164 == f"+1{number}"


def test_the_mobile_field_comes_first_then_default_then_direct() -> None:
    phones = (
        Phone(PhoneType.DDI, "", "", "021 123 0003"),
        Phone(PhoneType.DEFAULT, "", "", "021 123 0002"),
        Phone(PhoneType.MOBILE, "", "", "021 123 0001"),
    )
    for count, source in ((3, PhoneType.MOBILE), (2, PhoneType.DEFAULT), (1, PhoneType.DDI)):
        found = best_mobile(phones[:count], "", "NZ")
        assert isinstance(found, PhoneFound)
        assert found.source is source


def test_a_mobile_typed_into_the_default_field_is_found_behind_a_bad_mobile_field() -> None:
    phones = (mobile("", "", "ask Jo"), Phone(PhoneType.DEFAULT, "", "", "021 123 4567"))
    assert best_mobile(phones, "", "NZ") == PhoneFound(NZ, "NZ", PhoneType.DEFAULT)


@pytest.mark.parametrize("kind", [PhoneType.FAX, PhoneType.OFFICE, PhoneType.UNKNOWN])
def test_a_fax_is_never_texted(kind: PhoneType) -> None:
    assert best_mobile((Phone(kind, "", "", "021 123 4567"),), "", "NZ") == NoPhone(WHY.NO_PHONE)


def test_the_reason_is_that_of_the_first_field_that_holds_anything() -> None:
    phones = (
        mobile("64", "", ""),
        Phone(PhoneType.DEFAULT, "", "09", "555 0123"),
        Phone(PhoneType.DDI, "", "", "x"),
    )
    assert best_mobile(phones, "", "NZ") == NoPhone(WHY.NOT_A_MOBILE)


def test_no_phones_at_all_is_no_phone() -> None:
    assert best_mobile((), "", "") == NoPhone(WHY.NO_PHONE)


REGIONS = sorted(
    region
    for region in phonenumbers.SUPPORTED_REGIONS
    if phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
)


@pytest.mark.parametrize("region", REGIONS)
def test_every_country_is_read_as_it_writes_its_own_mobiles(region: str) -> None:
    number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    assert number is not None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    for style in (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164):
        assert outcome(mobile("", "", phonenumbers.format_number(number, style)), "", region) == e164


TYPED = st.text(st.sampled_from("0123456789+()-./ \n#x,;²٣４\u066bé\u200e\U0001f4f1"), max_size=50) | st.text(
    max_size=120
)


@given(st.lists(st.builds(Phone, st.sampled_from(PhoneType), TYPED, TYPED, TYPED), max_size=3), TYPED, TYPED)
def test_f059_whatever_is_typed_becomes_a_valid_number_or_a_reason(
    phones: list[Phone], contact_country: str, organisation_country: str
) -> None:
    for country in (organisation_country, "NZ", "US"):
        found = best_mobile(tuple(phones), contact_country, country)
        if isinstance(found, PhoneFound):
            assert re.fullmatch(r"\+[1-9][0-9]{5,14}", found.e164)
            assert phonenumbers.is_valid_number(phonenumbers.parse(found.e164))
            assert found.e164 not in repr(found)
        else:
            assert isinstance(found.reason, NoPhoneReason)
