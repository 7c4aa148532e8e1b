"""How many parts a text takes, by the published limits and against a second way of counting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.render.segments import (
    GSM_BASIC,
    GSM_EXTENSION,
    LOOK_ALIKES,
    Encoding,
    Segments,
    plain,
    segments,
    smart,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments(Encoding.GSM_7, 0, 0)),
        ("a" * 160, Segments(Encoding.GSM_7, 160, 1)),
        ("a" * 161, Segments(Encoding.GSM_7, 161, 2)),
        ("a" * 306, Segments(Encoding.GSM_7, 306, 2)),
        ("a" * 307, Segments(Encoding.GSM_7, 307, 3)),
        ("€" * 80, Segments(Encoding.GSM_7, 160, 1)),
        ("€" * 81, Segments(Encoding.GSM_7, 162, 2)),
        # 76 pairs fill 152 of 153 units: the 77th is not cut but moves on, so 153 pairs take three parts.
        ("€" * 153, Segments(Encoding.GSM_7, 306, 3)),
        ("ā" * 70, Segments(Encoding.UCS_2, 70, 1)),
        ("ā" * 71, Segments(Encoding.UCS_2, 71, 2)),
        ("ā" * 134, Segments(Encoding.UCS_2, 134, 2)),
        ("ā" * 135, Segments(Encoding.UCS_2, 135, 3)),
        ("😀" * 35, Segments(Encoding.UCS_2, 70, 1)),
        ("😀" * 67, Segments(Encoding.UCS_2, 134, 3)),
        ("a" * 104 + "\u2019", Segments(Encoding.UCS_2, 105, 2)),
    ],
)
def test_a_text_takes_so_many_parts(text: str, expected: Segments) -> None:
    assert segments(text) == expected


def test_the_characters_that_make_a_text_dearer_are_listed_once_and_in_order() -> None:
    assert smart("M\u0101ori \u2013 it\u2019s \u2019fine\u2019 {€}") == ("\u0101", "\u2013", "\u2019")
    assert smart("Kia ora, Zoë") == ("ë",)
    assert smart("Äpfel für 5 €") == ()


def test_the_alphabet_has_the_size_of_the_standard() -> None:
    assert len(GSM_BASIC) == 127  # 128 places, one of them the escape
    assert len(GSM_EXTENSION) == 10
    assert not GSM_BASIC & GSM_EXTENSION


gsm = st.text(st.sampled_from(sorted(GSM_BASIC | GSM_EXTENSION)), max_size=700)
anything = st.text(max_size=300) | gsm


@given(anything)
def test_the_units_are_those_of_the_encoding(text: str) -> None:
    counted = segments(text)
    if counted.encoding is Encoding.UCS_2:
        assert counted.units == len(text.encode("utf-16-be", "surrogatepass")) // 2
    else:
        assert counted.units == len(text) + sum(text.count(character) for character in GSM_EXTENSION)


@given(anything)
def test_the_parts_have_room_for_the_units_and_waste_at_most_one_each(text: str) -> None:
    counted = segments(text)
    single, each = (160, 153) if counted.encoding is Encoding.GSM_7 else (70, 67)
    if counted.parts < 2:
        assert counted.units <= single
        assert counted.parts == bool(text)
    else:
        assert counted.units > single
        assert (each - 1) * (counted.parts - 1) < counted.units <= each * counted.parts


@given(gsm)
def test_a_text_without_dear_characters_is_gsm_and_any_other_is_not(text: str) -> None:
    assert segments(text).encoding is Encoding.GSM_7
    assert segments(text + "\u2019").encoding is Encoding.UCS_2


@given(anything, anything)
def test_a_longer_text_never_takes_fewer_parts(text: str, more: str) -> None:
    assert segments(text + more).parts >= segments(text).parts


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("It\u2019s due \u2013 \u201cnow\u201d\u2026", 'It\'s due - "now"...'),
        ("$1\u00a0234.50 by\u202f2 Dec", "$1 234.50 by 2 Dec"),
        ("Kia ora \u2013 M\u0101ori", "Kia ora \u2013 M\u0101ori"),
        ("Stra\u00dfe, Zo\u00eb\u2019s", "Stra\u00dfe, Zo\u00eb\u2019s"),
        ("Gr\u00fc\u00dfe \u2013 M\u00fcller", "Gr\u00fc\u00dfe - M\u00fcller"),
        ("Hawai\u02bbi", "Hawai\u02bbi"),
    ],
)
def test_f066_one_curly_quotation_mark_does_not_double_the_price(written: str, sent: str) -> None:
    assert plain(written) == sent


LINK = "https://in.xero.com/" + "a" * 40
ordinary = st.text(st.characters(max_codepoint=0x2F) | st.sampled_from("".join(LOOK_ALIKES.values())))


@given(ordinary, ordinary)
def test_what_is_folded_is_never_dearer_and_keeps_its_letters_and_its_links(before: str, after: str) -> None:
    written = f"{before} {LINK} {after}"
    sent = plain(written)
    assert segments(sent).parts <= segments(written).parts
    assert LINK in sent
    assert [one for one in sent if one.isalnum()] == [one for one in written if one.isalnum()]
    assert plain(sent) == sent


def test_no_letter_is_taken_for_the_look_alike_of_another_sign() -> None:
    assert not any(one.isalnum() for one in "".join(LOOK_ALIKES.values()))
