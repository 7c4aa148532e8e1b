"""What goes into a template: whatever somebody typed, it comes out as one short harmless line."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.render_values import LONGEST_TEXT, clean_text


@pytest.mark.parametrize(
    ("typed", "clean"),
    [
        ("a\r\nb", "a b"),
        ("a\u2028b\u2029c", "a b c"),
        ("evil\u202etxt", "eviltxt"),
        ("a\u200bb\ufeffc\u00add", "abcd"),
        ("\x00\x1b[31mred\x7f", "[31mred"),
        ("\ud800x", "x"),
        ("e\u0301", "é"),
        ("  a   b  ", "a b"),
        ("see https://evil.test/pay?x=1", "see evil. test/pay?x=1"),
        ("http://10.0.0.1/x", "10. 0.0.1/x"),
        ("www.evil.co.nz", "www. evil. co. nz"),
        ("hthttps://tps://evil.test", "evil. test"),
        ("http:/x://y.test", "http:/ y. test"),
        ("evil\u3002test", "evil. test"),
        ("t.co/abc", "t. co/abc"),
        ("evil.भारत/x", "evil. भारत/x"),
        ("मेरा.भारत", "मेरा. भारत"),
        ("a.b.ලංකා", "a. b. ලංකා"),
        ("M.É. Dupont", "M.É. Dupont"),
        ("a@evil.test", "a@evil. test"),
        ("xn--80ak6aa92e.com", "xn--80ak6aa92e. com"),
        ("Smith & Co. Ltd", "Smith & Co. Ltd"),
        ("INV.AB12", "INV.AB12"),
        ("v1.2", "v1.2"),
        ("$1,234.50", "$1,234.50"),
        ("1.234,50 €", "1.234,50 €"),
        ("22.11.2026", "22.11.2026"),
        ("Ngā Tāonga 🎉", "Ngā Tāonga 🎉"),
    ],
)
def test_f062_foreign_text_is_cleaned(typed: str, clean: str) -> None:
    assert clean_text(typed) == clean


@given(st.text(max_size=400) | st.text(st.sampled_from("ab.:/\\-1 \u200b\u3002\u0301@"), max_size=400))
def test_clean_text_is_one_short_line_that_stays_as_it_is(text: str) -> None:
    clean = clean_text(text)
    assert clean_text(clean) == clean
    assert len(clean) <= LONGEST_TEXT
    assert not {unicodedata.category(c) for c in clean} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert unicodedata.is_normalized("NFC", clean)
    assert "://" not in clean
    assert clean == " ".join(clean.split())


def test_f062_a_name_of_ten_thousand_characters_is_cut() -> None:
    assert LONGEST_TEXT - 8 < len(clean_text("x" * 10_000)) <= LONGEST_TEXT
    assert len(clean_text("." * 50 + "a.bc" * 100)) <= LONGEST_TEXT
    assert clean_text("\u200b" * 10_000) == ""
