"""What goes into a template: whatever somebody typed, it comes out as one short harmless line."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.render.values import LONGEST_TEXT, clean_number, clean_text
from duebell.unseen import in_one_line
from duebell.visible import JOINERS


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
        ("Ki\u200dwi\u200c", "Kiwi"),
        ("می\u200c رود", "می رود"),
        ("क\u200d\u200dष", "कष"),
        ("می\u200cرود.com", "می\u200cرود. com"),
        ("evil.c\u200dom", "evil. com"),
        ("\U0001f3f4\U000e0067\U000e0062x", "\U0001f3f4x"),
    ],
)
def test_f062_foreign_text_is_cleaned(typed: str, clean: str) -> None:
    assert clean_text(typed) == clean


@pytest.mark.parametrize(
    "typed",
    [
        "ශ්\u200dරී ලංකා",
        "می\u200cرود",
        "क्\u200dष",
        "അവന്\u200d വന്നു",
        "👨\u200d👩\u200d👧",
        "❤\ufe0f\u200d🔥",
        "👩🏽\u200d⚕\ufe0f",
        "🙂\u200d↔\ufe0f",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    ],
)
def test_a_word_and_an_emoji_keep_what_holds_them_together(typed: str) -> None:
    assert clean_text(typed) == clean_number(typed) == typed


@pytest.mark.parametrize(
    ("typed", "clean"),
    [
        ("RE.2026.ABC", "RE.2026.ABC"),
        ("SI.ACME-0042", "SI.ACME-0042"),
        ("2026.11.20.1", "2026.11.20.1"),
        ("RE.2026.Büro", "RE.2026.Büro"),
        (" RE.\u200b2026.AB\n", "RE.2026.AB"),
        ("RE.2026.COM", "RE. 2026. COM"),
        ("re.2026.nz-17", "re. 2026. nz-17"),
        ("2026.DE.17", "2026. DE.17"),
        ("RE.2026.भारत", "RE. 2026. भारत"),
        ("RE\u30022026\u3002xn--p1ai", "RE. 2026. xn--p1ai"),
        ("www.RE.ABC", "www. RE. ABC"),
        ("https://RE.ABC", "RE. ABC"),
        ("pay@RE.ABC", "pay@RE. ABC"),
        ("10.0.0.42", "10. 0.0.42"),
    ],
)
def test_a_number_is_said_as_it_was_issued_but_where_a_telephone_would_make_a_link_of_it(
    typed: str, clean: str
) -> None:
    assert clean_number(typed) == clean


ODD = "ab.:/\\-1 \u200b\u3002\u0301@"
JOINED = "aක්.:/ \u200c\u200d👩\ufe0f🏴\U000e0067\U000e007f"


@given(st.text(max_size=400) | st.text(st.sampled_from(ODD + JOINED), max_size=400))
def test_clean_text_is_one_short_line_that_stays_as_it_is(text: str) -> None:
    clean = clean_text(text)
    assert clean_text(clean) == clean
    assert len(clean) <= LONGEST_TEXT
    unseen = [c for c in clean if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert all(c in JOINERS or "\U000e0030" <= c <= "\U000e007f" for c in unseen)
    assert unicodedata.category(clean[:1] or "a") != "Cf"
    assert unicodedata.is_normalized("NFC", clean)
    assert "://" not in clean
    assert clean == " ".join(clean.split())


def test_f062_a_name_of_ten_thousand_characters_is_cut() -> None:
    assert LONGEST_TEXT - 8 < len(clean_text("x" * 10_000)) <= LONGEST_TEXT
    assert len(clean_text("." * 50 + "a.bc" * 100)) <= LONGEST_TEXT
    assert clean_text("\u200b" * 10_000) == ""


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_a_text_without_any_sign_to_look_at_is_cleaned_as_it_is_beside_one(typed: str) -> None:
    assert in_one_line(f"{typed} é") == f"{in_one_line(typed)} é".strip()
