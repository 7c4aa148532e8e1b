"""What an email says: one line of subject, paragraphs of text, and a page in which no value is markup."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.email.addresses import Mailbox, fits_header
from duebell.email.messages import EmailRequest
from duebell.errors import TemplateProblem
from duebell.render.email_text import render_email
from duebell.render.rendering import Templates
from duebell.render.template_keeper import TemplateKeeper

SHIPPED = Path(__file__).resolve().parents[1] / "deployments" / "templates"
INVOICE = {
    "number": "INV-1",
    "reference": "<b>bold</b>",
    "currency": "NZD",
    "total": Decimal(115),
    "amount_due": Decimal("95.00"),
    "issued_on": date(2026, 11, 20),
    "due_on": date(2026, 12, 20),
}
VALUES: dict[str, object] = {
    "locale": "en_NZ",
    "organisation": "Kauri & Co",
    "contact_name": "Rimu",
    "contact_first_name": "",
    "contact_person": "",
    "link": "",
    "past_due": 0,
    "invoice": INVOICE,
    "invoices": [INVOICE, INVOICE | {"number": "INV-2", "amount_due": Decimal(0)}],
    "invoice_numbers": "INV-1, INV-2",
    "other_invoices": 1,
    "unnamed_invoices": 0,
    "payment": {"amount": Decimal(20), "currency": "NZD", "paid_on": date(2026, 11, 20)},
    "still_owing": Decimal("95.00"),
}


def written(folder: Path, subject: str = "About {{ invoice.number }}", **parts: str) -> Templates:
    (folder / "kind").mkdir(exist_ok=True)
    (folder / "kind" / "subject.txt").write_text(subject)
    for name, text in parts.items():
        (folder / "kind" / name.replace("_", ".")).write_text(text)
    return Templates(folder)


@pytest.mark.parametrize("kind", ["invoice_issued", "payment_received"])
def test_the_shipped_emails_can_be_said_and_read_like_letters(kind: str) -> None:
    shipped = Templates(SHIPPED)
    email = render_email(shipped, f"{kind}/en", VALUES)
    assert "Kauri & Co" in email.subject
    assert "\n" not in email.subject
    assert email.text.startswith("Hello,\n\n")
    assert " ." not in email.text
    assert "INV-1" in email.text
    assert "<b>" not in email.html
    assert "Kauri &amp; Co" in email.html


def test_an_empty_line_begins_a_paragraph_and_a_line_break_is_a_blank(tmp_path: Path) -> None:
    email = render_email(written(tmp_path, body_txt="one\n two\n\n \n\nthree"), "kind", VALUES)
    assert email.text == "one two\n\nthree"
    assert '<p dir="ltr">one two</p>\n<p dir="ltr">three</p>\n' in email.html


def test_a_page_of_its_own_escapes_every_value_and_keeps_its_own_markup(tmp_path: Path) -> None:
    page = "<p>{{ invoice.reference }}</p>"
    email = render_email(written(tmp_path, body_txt="x", body_html=page), "kind", VALUES)
    assert "<p>&lt;b&gt;bold&lt;/b&gt;</p>" in email.html


@pytest.mark.parametrize(
    "typed",
    [
        "Kauri\r\nBcc: x@evil.example",
        "Kauri\n\n<script>",
        "Kauri\x85X: y",
        "Kauri\u2028X: y",
        "\u202eirauK\x00",
    ],
)
def test_f067_what_somebody_typed_into_xero_adds_neither_a_header_nor_a_tag(typed: str) -> None:
    values = VALUES | {"organisation": typed, "contact_first_name": typed}
    email = render_email(Templates(SHIPPED), "invoice_issued/en", values)
    request = EmailRequest("a@b.example", Mailbox("c@d.example"), email.subject, email.text, "n", email.html)
    assert fits_header(request.subject)
    assert "<script>" not in request.html


def test_a_page_tells_the_language_of_its_words() -> None:
    assert (
        '<html lang="en-NZ" dir="ltr">' in render_email(Templates(SHIPPED), "invoice_issued/en", VALUES).html
    )


def test_a_subject_over_several_lines_becomes_one(tmp_path: Path) -> None:
    email = render_email(written(tmp_path, subject="a\n\nb\r\nBcc: c", body_txt="x"), "kind", VALUES)
    assert email.subject == "a b Bcc: c"


def requested(subject: str) -> EmailRequest:
    return EmailRequest("a@b.example", Mailbox("c@d.example"), subject, "x", "n")


SCOTLAND = "\U0001f3f4" + "".join(chr(0xE0000 + ord(one)) for one in "gbsct") + "\U000e007f"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("\u200bIn\u00advo\u2060ice\ufeff {{ invoice.number }}", "Invoice INV-1"),
        ("نمی\u200cشود {{ invoice.number }}", "نمی\u200cشود INV-1"),
        (f"{FAMILY} {{{{ invoice.number }}}}", f"{FAMILY} INV-1"),
        ("\u200f\u2068{{ invoice.number }}\u2069", "\u200f\u2068INV-1\u2069"),
        (f"{SCOTLAND} Inn {{{{ invoice.number }}}}", "\U0001f3f4 Inn INV-1"),
    ],
)
def test_a_subject_is_sent_with_what_its_language_is_written_with(
    tmp_path: Path, subject: str, said: str
) -> None:
    email = render_email(written(tmp_path, subject=subject, body_txt="x"), "kind", VALUES)
    assert email.subject == said
    assert requested(email.subject).subject == said


def test_the_flag_of_a_nation_in_a_name_holds_no_email(tmp_path: Path) -> None:
    templates = written(tmp_path, "From {{ organisation }}", body_txt="x")
    email = render_email(templates, "kind", VALUES | {"organisation": f"{SCOTLAND} Kauri"})
    assert email.subject == "From \U0001f3f4 Kauri"


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "\u2026"),
        ("x" * 198 + "  yy", "x" * 198 + "\u2026"),
        ("x" * 198 + "\u200d" + "yy", "x" * 198 + "\u2026"),
        ("\u2068" + "x" * 250 + "\u2069", "\u2068" + "x" * 197 + "\u2026\u2069"),
        ("\u2068" + "x" * 198 + "\u2069yyyy", "\u2068" + "x" * 197 + "\u2026\u2069"),
        ("\u2068" + "x" * 10 + "\u2069" + "y" * 250, "\u2068" + "x" * 10 + "\u2069" + "y" * 187 + "\u2026"),
        ("\u2068" * 120 + "x" + "\u2069" * 120, "\u2068" * 99 + "\u2026" + "\u2069" * 99),
    ],
)
def test_a_subject_that_is_too_long_is_cut_and_its_email_sent(
    tmp_path: Path, subject: str, said: str
) -> None:
    email = render_email(written(tmp_path, subject, body_txt="x"), "kind", VALUES)
    assert email.subject == said
    assert len(said) <= 200
    assert requested(email.subject).subject == said


@given(st.lists(st.sampled_from(["\u2068", "\u2069", "\u200d", "a", " ", "ب", "\U0001f3f4"]), min_size=190))
def test_whatever_is_cut_can_be_sent(tmp_path_factory: pytest.TempPathFactory, signs: list[str]) -> None:
    whole, depth = ["a"], 0
    for one in signs:
        depth += (one == "\u2068") - (one == "\u2069")
        depth, kept = max(depth, 0), one if depth >= 0 else ""
        whole.append(kept)
    subject = "".join(whole) + "\u2069" * depth
    email = render_email(written(tmp_path_factory.mktemp("templates"), subject, body_txt="x"), "kind", VALUES)
    assert len(requested(email.subject).subject) <= 200


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
def test_a_subject_of_any_characters_can_be_sent_or_is_refused_by_its_file(
    tmp_path_factory: pytest.TempPathFactory, typed: str
) -> None:
    plain = typed.replace("{", "").replace("}", "").replace("#", "")
    folder = tmp_path_factory.mktemp("templates")
    templates, said = written(folder, subject=f"a{plain}", body_txt=f"a{plain}"), ""
    try:
        email = render_email(templates, "kind", VALUES)
        request = replace(requested(email.subject), text=email.text, html=email.html)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b\u202e]", request.subject)
    except TemplateProblem as problem:
        said = str(problem)
    assert not said or re.match(r"kind/(subject|body)\.txt holds the character U\+", said)


def test_a_mistaken_subject_is_said_as_it_was_before(tmp_path: Path) -> None:
    keeper = TemplateKeeper()
    written(tmp_path, body_txt="x")
    render_email(Templates(tmp_path, keeper), "kind", VALUES)
    written(tmp_path, subject="Of\u202e {{ invoice.number }}")
    assert render_email(Templates(tmp_path, keeper), "kind", VALUES).subject == "About INV-1"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"subject": "", "body_txt": "x"}, "kind/subject.txt says nothing"),
        ({"subject": "\u200b\ufeff", "body_txt": "x"}, "kind/subject.txt says nothing"),
        ({"subject": "of\u202etext", "body_txt": "x"},
         r"kind/subject.txt holds the character U\+202E \(right-to-left override\)"),
        ({"subject": "of\u2068text", "body_txt": "x"}, r"U\+2068 \(first strong isolate\)"),
        ({"subject": "of\x07text", "body_txt": "x"}, r"kind/subject.txt holds the character U\+0007 \("),
        ({"body_txt": "of\x00text"}, r"kind/body.txt holds the character U\+0000 \("),
        ({"body_txt": "x", "body_html": "of\x1btext"}, r"kind/body.html holds the character U\+001B \("),
        ({"body_txt": "{{ nope }}"}, "kind/body.txt line 1: there is no field nope"),
        ({"body_txt": "x", "body_html": "{{ nope }}"}, "kind/body.html line 1"),
        ({}, "kind/body.txt is not in the folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_names_the_part(tmp_path: Path, parts: dict[str, str], said: str) -> None:
    with pytest.raises(TemplateProblem, match=said):
        render_email(written(tmp_path, **parts), "kind", VALUES)
