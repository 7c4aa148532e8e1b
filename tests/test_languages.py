"""Languages: which there are, how a country writes in one, how it counts, and what keeps its direction."""

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.bidi import FIRST_STRONG_ISOLATE, MARKS, POP_ISOLATE, RIGHT, isolated, without_marks
from duebell.languages import (
    from_near_to_far,
    is_language,
    is_right_to_left,
    locale_for,
    needed_plural_forms,
    plural_form,
    plural_forms,
)
from duebell.money import format_amount, format_count
from duebell.render.segments import smart

LANGUAGES = ["en", "de", "ar", "fr", "pl", "he", "ja", "mi", "cy", "pt-BR", "zh-Hant", "ru", "sl", "lv", "ga"]
LETTERS = st.text(st.sampled_from("aZ9 -/.,:$()אבגعربي٣é漢"), max_size=30)


@pytest.mark.parametrize("tag", ["en", "de", "de-CH", "zh-Hant", "zh-CN", "mi", "haw"])
def test_a_language_is_known_by_its_code(tag: str) -> None:
    assert is_language(tag)


@pytest.mark.parametrize("tag", ["", "DE", "german", "de_CH", "de-ch", "xx", "vip", "firm", "day-1", "../de"])
def test_a_name_is_no_language(tag: str) -> None:
    assert not is_language(tag)


def test_a_form_of_a_language_gives_way_to_the_language() -> None:
    assert from_near_to_far("de-CH") == ("de-CH", "de")
    assert from_near_to_far("zh-Hant-TW") == ("zh-Hant-TW", "zh-Hant", "zh")


@pytest.mark.parametrize(
    ("language", "country", "locale"),
    [
        ("en", "New Zealand", "en_NZ"),
        ("en", "", "en_001"),
        ("en", "JP", "en_001"),
        ("de", "Schweiz", "de_CH"),
        ("de", "NZ", "de"),
        ("de-CH", "DE", "de_CH"),
        ("ar", "AE", "ar_AE"),
        ("pt-BR", "PT", "pt_BR"),
        ("zh", "CN", "zh_Hans_CN"),
        ("mi", "NZ", "mi_NZ"),
    ],
)
def test_a_language_is_written_as_the_readers_country_writes_it(
    language: str, country: str, locale: str
) -> None:
    assert locale_for(language, country) == locale


@pytest.mark.parametrize(
    ("amount", "locale", "text"),
    [
        ("USD", "en_US", "$1,234.50"),
        ("USD", "en_NZ", "US$1,234.50"),
        ("USD", "en_001", "US$1,234.50"),
        ("USD", "de_DE", "1.234,50 US$"),
        ("USD", "es_EC", "$1.234,50"),
        ("AUD", "en_NZ", "A$1,234.50"),
        ("AUD", "en_AU", "$1,234.50"),
        ("AUD", "en_KI", "$1,234.50"),
        ("NZD", "mi_NZ", "$ 1,234.50"),
        ("CAD", "fr_CA", "1 234,50 $"),
        ("CHF", "de_CH", "CHF 1'234.50"),
        ("CNY", "zh_Hans_CN", "¥1,234.50"),
        ("CNY", "en_NZ", "CN¥1,234.50"),
        ("EUR", "de_AT", "€ 1.234,50"),
    ],
)
def test_a_bare_dollar_is_that_of_the_readers_own_country(amount: str, locale: str, text: str) -> None:
    assert format_amount(Decimal("1234.50"), amount, locale) == text


@given(
    st.decimals(0, 10**9, places=2),
    st.sampled_from(["NZD", "AUD", "USD", "GBP", "EUR", "CHF"]),
    st.sampled_from(
        ["en_NZ", "en_AU", "en_GB", "de_DE", "de_CH", "de_AT", "fr_FR", "fr_CH", "it_CH", "nl_NL"]
    ),
)
def test_no_amount_makes_an_sms_dearer_where_it_is_written_in_latin(
    amount: Decimal, currency: str, locale: str
) -> None:
    assert smart(format_amount(amount, currency, locale)) == ()


@given(st.integers(0, 10**6), st.sampled_from(LANGUAGES))
def test_every_count_has_a_form_that_its_language_knows(count: int, language: str) -> None:
    form = plural_form(count, locale_for(language, ""))
    assert form in plural_forms(language)
    assert form in needed_plural_forms(language) or count == 0 or count > 999
    assert {int(one) for one in format_count(count, "en_NZ").split(",")} or count == 0


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("en", {"one", "other"}),
        ("ja", {"other"}),
        ("ar", {"one", "two", "few", "many", "other"}),
        ("pl", {"one", "few", "many", "other"}),
    ],
)
def test_the_forms_that_a_template_has_to_give(language: str, forms: set[str]) -> None:
    assert needed_plural_forms(language) == forms


@given(LETTERS, st.booleans())
def test_what_is_put_into_a_sentence_reads_the_same_and_is_closed_again(text: str, rtl: bool) -> None:  # noqa: FBT001 - hypothesis gives it by name
    put = isolated(text, right_to_left=rtl)
    assert put.strip(FIRST_STRONG_ISOLATE + POP_ISOLATE) == text
    assert put in (text, f"{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}")
    assert without_marks(put) == text


@given(LETTERS)
def test_a_text_of_the_telephone_alphabet_stays_one_in_a_sentence_from_the_left(text: str) -> None:
    has_right = any(unicodedata.bidirectional(one) in RIGHT for one in text)
    assert (isolated(text, right_to_left=False) == text) is not has_right


@pytest.mark.parametrize(
    ("text", "stays"),
    [("42", True), ("شركة النور", True), ("2 سبتمبر 2026", True), ("INV-0042", False), ("2026-0042", False),
     ("2026 0042", False), ("1,234.50", False), ("Kauri", False)],
)  # fmt: skip
def test_only_what_could_be_turned_around_is_isolated_from_right_to_left(text: str, *, stays: bool) -> None:
    assert (isolated(text, right_to_left=True) == text) is stays


@pytest.mark.parametrize(
    "text", [POP_ISOLATE, f"a{FIRST_STRONG_ISOLATE}b", f"{POP_ISOLATE}a{FIRST_STRONG_ISOLATE}"]
)
def test_isolates_that_do_not_pair_are_nobodys_and_stay(text: str) -> None:
    assert without_marks(text) == text
    assert without_marks(f"a{MARKS}b") == "ab"


def test_the_direction_of_a_language_is_known() -> None:
    assert [one for one in ("ar", "ar_AE", "he_IL", "fa", "ur", "en", "de_CH") if is_right_to_left(one)] == [
        "ar", "ar_AE", "he_IL", "fa", "ur",
    ]  # fmt: skip
