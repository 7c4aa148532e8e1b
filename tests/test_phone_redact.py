"""A number that an operator types, a number as a log may show it, and a country as people write it."""

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.countries import region_of
from duebell.errors import ConfigurationError
from duebell.phone import parse_e164, redact

NZ = "+64211234567"
US = "+12015550123"


@given(st.from_regex(r"\+?[0-9 ()x+-]{0,20}", fullmatch=True) | st.text(max_size=40))
def test_an_operators_number_is_e164_or_refused_without_repeating_it(text: str) -> None:
    try:
        e164 = parse_e164(text)
    except ConfigurationError as problem:
        said = str(problem)
    else:
        assert phonenumbers.is_valid_number(phonenumbers.parse(e164))
        said = ""
    assert not re.search(r"\d", said)


@pytest.mark.parametrize(
    "text", ["+64 21 123 4567", "+64211234567", " +64 (0)21-123-4567 ", "\uff0b64211234567"]
)
def test_an_operator_may_write_blanks_and_dashes(text: str) -> None:
    assert parse_e164(text) == NZ


@pytest.mark.parametrize(
    "text", ["", "021 123 4567", "64211234567", "+64", "+64 21 123 4567 x1", "me", "++64211234567"]
)
def test_an_operator_must_write_the_country(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_e164(text)


@pytest.mark.parametrize(
    ("e164", "shown"),
    [
        (NZ, "+64•••••567"),
        (US, "+1•••••123"),
        ("+29051234", "+290•••••4"),
        ("+2905123", "+290•••••"),
        ("021 123 4567", "•••••"),
        ("", "•••••"),
        ("+999123456", "•••••"),
    ],
)
def test_a_redacted_number_shows_country_and_three_digits(e164: str, shown: str) -> None:
    assert redact(e164) == shown


@given(st.text(max_size=40) | st.from_regex(r"\+[1-9][0-9]{4,15}", fullmatch=True))
def test_a_redacted_number_never_shows_more(text: str) -> None:
    shown = redact(text)
    assert re.fullmatch(r"(\+[0-9]{1,3})?•••••[0-9]{0,3}", shown)
    head, tail = shown.split("•••••")
    assert text.startswith(head)
    assert text.endswith(tail)
    assert tail == "" or len(head) + len(tail) <= len(text) - 4


@pytest.mark.parametrize(
    ("typed", "region"),
    [
        ("New Zealand", "NZ"),
        (" new  zealand ", "NZ"),
        ("NZ", "NZ"),
        ("nzl", "NZ"),
        ("Aotearoa", "NZ"),
        ("The Netherlands", "NL"),
        ("U.K.", "GB"),
        ("England", "GB"),
        ("United Kingdom (UK)", "GB"),
        ("U.S.A.", "US"),
        ("Cote d'Ivoire", "CI"),
        ("Hong Kong", "HK"),
        ("Antigua and Barbuda", "AG"),
        ("Congo", None),
        ("Korea", None),
        ("Auckland", None),
        ("", None),
        ("World", None),
        ("EU", None),
    ],
)
def test_a_country_is_known_by_its_names_and_codes_only(typed: str, region: str | None) -> None:
    assert region_of(typed) == region
