"""The page of an email: the words of its text, whatever they are, with links that can be tapped."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.email.page import framed, page_of
from duebell.policy.reaching import EMAIL
from duebell.render.message_text import words_of
from duebell.render.rendering import Templates
from tests.support_words import SHIPPED, TYPICAL, tellings


class Read(HTMLParser):
    """What a mail program makes of a page: its words, its links, and the tags that it was given."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.links, self.tags = "", list[str](), set[str]()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.words += data


OURS = {"html", "head", "meta", "title", "body", "div", "p", "br", "a"}
LETTERS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from("\n<>&\"'{%"))


@given(LETTERS, LETTERS)
def test_nothing_in_the_words_is_markup_and_none_of_them_is_lost(text: str, title: str) -> None:
    read = Read(page_of(text, title))
    assert read.tags <= OURS
    assert re.sub(r"\s", "", read.words) == re.sub(r"\s", "", title + text)


def test_paragraphs_and_lines_are_those_of_the_text() -> None:
    page = page_of("Hello <b>& co</b>,\r\n\r\nfirst\nsecond\n\n\nlast {{ x }}\n")
    assert '<p dir="ltr">Hello &lt;b&gt;&amp; co&lt;/b&gt;,</p>\n' in page
    assert '<p dir="ltr">first<br>\nsecond</p>\n<p dir="ltr">last {{ x }}</p>\n' in page


ARABIC, LATIN = "سدد المبلغ", "Rimu Limited"


@pytest.mark.parametrize(
    ("text", "locale", "direction"),
    [
        (f"\u2068{LATIN}\u2069: {ARABIC}", "ar_AE", "rtl"),
        (f"\u2068{ARABIC}\u2069: paid in full", "en_NZ", "ltr"),
        (f"\u2068{LATIN}\u2069", "ar_AE", "rtl"),
        (f"{ARABIC} {LATIN}", "en_NZ", "rtl"),
        (LATIN, "ar_AE", "ltr"),
        ("2026", "ar_AE", "rtl"),
        ("2026", "", "auto"),
    ],
)
def test_a_name_at_the_start_of_a_paragraph_does_not_turn_it_around(
    text: str, locale: str, direction: str
) -> None:
    assert f'<p dir="{direction}">{text}</p>' in page_of(text, locale=locale)


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("See it online: https://in.xero.com/a?b=1&c=2", "https://in.xero.com/a?b=1&c=2"),
        ("See https://in.xero.com/a. Thank you.", "https://in.xero.com/a"),
        ("(https://in.xero.com/a)", "https://in.xero.com/a"),
        ("https://x.example/a_(b), and", "https://x.example/a_(b)"),
        ('"https://in.xero.com/a"', "https://in.xero.com/a"),
    ],
)
def test_a_web_address_can_be_tapped_and_ends_before_the_sentence_does(text: str, link: str) -> None:
    assert Read(page_of(text)).links == [link]


@pytest.mark.parametrize(
    "text", ["evil. tld/x", "javascript:alert(1)", "a@b.example", "http:// x", "file:///a"]
)
def test_nothing_else_can_be_tapped(text: str) -> None:
    assert Read(page_of(text)).links == []


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en_NZ", '<html lang="en-NZ" dir="ltr">'),
        ("he_IL", '<html lang="he-IL" dir="rtl">'),
        ("zh_Hant_TW", '<html lang="zh-Hant-TW" dir="ltr">'),
        ("", "<html>"),
    ],
)
def test_a_page_tells_its_language_and_from_which_side_it_is_read(locale: str, said: str) -> None:
    assert said in page_of("x", locale=locale)


def test_a_page_is_as_wide_as_the_telephone() -> None:
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page_of("x")


def test_an_operator_s_own_page_is_put_into_the_frame_unless_it_is_whole() -> None:
    whole = "<!DOCTYPE html> <html><body>x</body></html>"
    assert framed(whole, "y") == whole
    assert "<title>a &amp; b</title>" in framed("<p>x</p>", "a & b")
    assert "<p>x</p>" in framed("<p>x</p>")


@pytest.mark.parametrize("kind", ["invoice_issued_team", "payment_received_team", "needs_attention_team"])
def test_each_paragraph_of_an_arabic_email_is_read_from_right_to_left(kind: str) -> None:
    for telling in tellings(kind, TYPICAL, "ar"):
        page = words_of(Templates(SHIPPED), telling, EMAIL).html
        assert page.count("<p ") == page.count('<p dir="rtl">') > 1
