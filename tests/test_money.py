"""Money and days: every digit survives, and nobody can read a day in two ways."""

import re
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.languages import locale_for
from duebell.money import KNOWN_LOCALES, format_amount, format_day, with_code

LOCALES = sorted(locale for locale in KNOWN_LOCALES if re.fullmatch(r"en(_[A-Z]{2})?", locale))
CURRENCIES = ["NZD", "AUD", "USD", "GBP", "EUR", "JPY", "KWD", "CHF", "INR", "XYZ"]


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "text"),
    [
        ("1234.5", "NZD", "en_NZ", "$1,234.50"),
        ("1234.50", "AUD", "en_NZ", "A$1,234.50"),
        ("1234.5", "NZD", "en_AU", "NZD 1,234.50"),
        ("1234.5", "NZD", "en", "NZ$1,234.50"),
        ("10", "GBP", "en_GB", "£10.00"),
        ("10", "EUR", "en_IE", "€10.00"),
        ("1234.5", "EUR", "en_DE", "1.234,50 €"),
        ("1000.00", "JPY", "en", "¥1,000"),
        ("1.5", "KWD", "en", "KWD 1.500"),
        ("10", "CHF", "en", "CHF 10.00"),
        ("10", "XYZ", "en_NZ", "XYZ 10.00"),
        ("10", "nzd", "en_NZ", "$10.00"),
        ("-5", "NZD", "en_NZ", "-$5.00"),
        ("0.125", "NZD", "en_NZ", "$0.125"),
        ("0", "NZD", "en_NZ", "$0.00"),
    ],
)
def test_an_amount_as_its_reader_writes_it(amount: str, currency: str, locale: str, text: str) -> None:
    assert format_amount(Decimal(amount), currency, locale) == text


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=4),
    st.sampled_from(CURRENCIES),
    st.sampled_from(LOCALES),
)
def test_no_digit_of_an_amount_is_lost_or_invented(amount: Decimal, currency: str, locale: str) -> None:
    text = format_amount(amount, currency, locale)
    digits = re.sub(r"\D", "", text)
    written = f"{amount.copy_abs():f}".replace(".", "")
    assert digits.strip("0") == written.strip("0")
    assert Decimal(_plain(text, locale)) == amount.copy_abs()
    assert "\u00a0" not in text
    assert "\u202f" not in text


def _plain(text: str, locale: str) -> str:
    """The number in a formatted text, by its last separator that is followed by other than three digits."""
    point = format_amount(Decimal("0.12"), "NZD", locale).split("0", 1)[1][0]
    return re.sub(rf"[^0-9{re.escape(point)}]", "", text).strip(point).replace(point, ".")


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("115", "NZD", "115.00 NZD"),
        ("115.0000", "NZD", "115.00 NZD"),
        ("0.3333", "NZD", "0.3333 NZD"),
        ("10.125", "KWD", "10.125 KWD"),
        ("5", "KWD", "5.000 KWD"),
        ("1234", "JPY", "1234 JPY"),
        ("-7.5", "", "-7.50"),
    ],
)
def test_with_its_code_an_amount_has_its_currency_s_decimals_or_more(
    amount: str, currency: str, text: str
) -> None:
    assert with_code(Decimal(amount), currency) == text


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_what_is_no_number_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        format_amount(Decimal(amount), "NZD", "en")


def test_an_amount_without_a_currency_is_refused() -> None:
    with pytest.raises(ValueError, match="currency"):
        format_amount(Decimal(1), "", "en")


@pytest.mark.parametrize(
    ("locale", "text"),
    [("en_NZ", "2 Sept 2026"), ("en_GB", "2 Sept 2026"), ("en_US", "Sep 2, 2026"), ("en", "Sep 2, 2026")],
)
def test_a_day_has_its_month_in_letters(locale: str, text: str) -> None:
    assert format_day(date(2026, 9, 2), locale) == text


@given(st.dates(min_value=date(1000, 1, 1)), st.sampled_from(LOCALES))
def test_a_day_always_shows_its_own_day_and_year(day: date, locale: str) -> None:
    text = format_day(day, locale)
    assert {int(number) for number in re.findall(r"\d+", text)} >= {day.day, day.year}


@pytest.mark.parametrize(
    ("country", "locale"),
    [
        ("NZ", "en_NZ"),
        ("New Zealand", "en_NZ"),
        ("au", "en_AU"),
        ("UK", "en_GB"),
        ("DE", "en_DE"),
        ("JP", "en_001"),
        ("", "en_001"),
        ("Atlantis", "en_001"),
        ("../..", "en_001"),
    ],
)
def test_the_locale_is_the_english_of_the_country(country: str, locale: str) -> None:
    assert locale_for("en", country) == locale
