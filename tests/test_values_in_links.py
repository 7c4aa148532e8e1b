"""A link that an operator wrote around a field works, in every language and whatever the field says."""

from html import escape
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.render.email_text import EmailText, render_email
from duebell.render.places import marked, placed
from duebell.render.rendering import Link, Templates
from duebell.render.values import OwnNumber, clean_number, clean_text
from tests.test_email_text import VALUES

HERE = "https://pay.kauri.example/"
NUMBERS = {
    "INV-0042": "INV-0042",
    "RE 2026/17": "RE%202026%2F17",
    "a&b=c": "a%26b%3Dc",
    "חש-7": "%D7%97%D7%A9-7",
}
DOTTED = {
    "SI.ACME-0042": "SI.ACME-0042",
    "RE.2026.COM": "RE.2026.COM",
    "2026.NZ.17 & B": "2026.NZ.17%20%26%20B",
    "10.0.0.42": "10.0.0.42",
    "https://evil.example/x": "https%3A%2F%2Fevil.example%2Fx",
}


def said(folder: Path, language: str, number: str, part: str, template: str) -> EmailText:
    home = folder / "kind" / language
    home.mkdir(parents=True, exist_ok=True)
    for name, words in {"subject.txt": "x", "body.txt": "x", "sms.txt": "x", part: template}.items():
        (home / name).write_text(words)
    templates, invoice = Templates(folder), {"number": OwnNumber(number), "reference": "PO 7"}
    values = VALUES | {"locale": {"ar": "ar_EG", "he": "he_IL"}.get(language, "en_NZ"), "invoice": invoice}
    values |= {"link": Link("https://in.xero.com/a?b=1&c=2")}
    if part == "sms.txt":
        return EmailText("", templates.render_sms(f"kind/{language}", values), "")
    return render_email(templates, f"kind/{language}", values)


@pytest.mark.parametrize(("number", "written"), NUMBERS.items())
@pytest.mark.parametrize("language", ["ar", "he", "en"])
@pytest.mark.parametrize("part", ["sms.txt", "body.txt"])
def test_a_field_in_an_address_is_part_of_it(
    tmp_path: Path, part: str, language: str, number: str, written: str
) -> None:
    text = said(
        tmp_path, language, number, part, HERE + "{{ invoice.number }}?inv={{ invoice.number }} x"
    ).text
    assert text == f"{HERE}{written}?inv={written} x"


@pytest.mark.parametrize(("number", "written"), NUMBERS.items())
@pytest.mark.parametrize("language", ["ar", "he", "en"])
def test_a_field_in_an_attribute_is_part_of_it(
    tmp_path: Path, language: str, number: str, written: str
) -> None:
    page = (
        '<p title="{{ invoice.number }}">'
        f'<a class="x" href="{HERE}?inv={{{{ invoice.number }}}}&x=1">x</a>'
        "<a href='/{{ invoice.number }}'>y</a><a href=\"{{ link }}\">z</a> {{ invoice.number }}</p>"
    )
    html = said(tmp_path, language, number, "body.html", page).html
    escaped = number.replace("&", "&amp;")
    assert f'<p title="{escaped}"><a class="x" href="{HERE}?inv={written}&x=1">x</a>' in html
    assert f"<a href='/{written}'>y</a>" in html
    assert '<a href="https://in.xero.com/a?b=1&amp;c=2">z</a>' in html


@pytest.mark.parametrize(("number", "written"), DOTTED.items())
def test_a_number_with_dots_is_in_an_address_as_it_was_typed_and_in_a_sentence_not_to_be_tapped(
    tmp_path: Path, number: str, written: str
) -> None:
    template = "{{ invoice.number }}: " + HERE + "?inv={{ invoice.number }} x"
    for part in ("sms.txt", "body.txt"):
        text = said(tmp_path, "en", number, part, template).text
        assert text == f"{clean_number(number)}: {HERE}?inv={written} x"
    html = said(
        tmp_path, "en", number, "body.html", '<a href="/{{ invoice.number }}">{{ invoice.number }}'
    ).html
    assert f'<a href="/{written}">{escape(clean_number(number))}' in html


BEFORE_A_HOST = ["https://", "https://a.", "www.", "https://a@", "mailto:"]


@pytest.mark.parametrize(
    ("before", "number"),
    [
        ("//", "evil.com"),
        *((before, number) for before in BEFORE_A_HOST for number in ("evil.com", "evil.abc")),
    ],
)
def test_where_an_address_has_no_host_yet_no_field_becomes_one(
    tmp_path: Path, before: str, number: str
) -> None:
    template = f'<a href="{before}{{{{ invoice.number }}}}">x</a> {before}{{{{ invoice.number }}}} x'
    for part in ("sms.txt", "body.html"):
        email = said(tmp_path, "en", number, part, template)
        assert number not in (email.text if part == "sms.txt" else email.html)


@pytest.mark.parametrize(
    ("before", "is_in_it"),
    [
        ("see https://pay.example/", True),
        ("see (http://pay.example/a?b=", True),
        ("see pay.example/", True),
        ("see www.pay.example", True),
        ("write to mailto:a@pay.example?subject=", True),
        ("see https://pay.example/ ", False),
        ("https://pay.example/\n", False),
        ("Invoice ", False),
        ("No.", False),
        ("and/or/", False),
        ("<b>", False),
        ("", False),
    ],
)
def test_an_address_goes_to_the_blank(before: str, *, is_in_it: bool) -> None:
    value = "\u2068INV 42\u2069"
    assert placed(before + marked(value), html=False) == before + ("INV%2042" if is_in_it else value)


def test_a_sentence_from_right_to_left_keeps_its_isolates(tmp_path: Path) -> None:
    template = "فاتورة {{ invoice.number }}: {{ link }}"
    text = said(tmp_path, "ar", "INV-7", "body.txt", template).text
    assert text == "فاتورة \u2068INV-7\u2069: https://in.xero.com/a?b=1&c=2"


@given(st.text(max_size=60))
def test_whatever_a_field_says_an_address_holds_it_whole_and_ends_where_it_was_to_end(typed: str) -> None:
    number = clean_text(typed)
    link = placed(f"{HERE}?inv={marked(number)}&x=1 end", html=False).removesuffix(" end")
    assert parse_qs(urlsplit(link).query, keep_blank_values=True) == {"inv": [number], "x": ["1"]}
    page = f"<a href='{marked(escape(number))}' title='{marked(escape(number))}'>{marked(escape(number))}"
    assert (
        placed(page, html=True) == f"<a href='{quote(number, '')}' title='{escape(number)}'>{escape(number)}"
    )


def test_an_address_that_the_template_gives_itself_stays_as_it_is(tmp_path: Path) -> None:
    template = f'<a href="{{{{ invoice.gone | default("{HERE}?a=1") }}}}">{{{{ link }}}}</a>'
    assert f'href="{HERE}?a=1"' in said(tmp_path, "en", "INV-0042", "body.html", template).html


@pytest.mark.parametrize(
    ("between", "after"),
    [("\uff08", "\uff09"), ("をご覧ください。", ""), ("。请付款\uff1a", ""), ("ดูที่นี่", "")],
)
@pytest.mark.parametrize("part", ["sms.txt", "body.txt"])
def test_words_that_follow_a_link_without_a_blank_are_no_part_of_it(
    tmp_path: Path, part: str, between: str, after: str
) -> None:
    text = said(
        tmp_path, "en", "RE 2026/17", part, f"{{{{ link }}}}{between}{{{{ invoice.number }}}}{after}"
    ).text
    assert text.endswith(f"{between}RE 2026/17{after}")
