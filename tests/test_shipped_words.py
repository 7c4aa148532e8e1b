"""The words that we ship: every template in every language, for what is usual and for what is not."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from duebell.bidi import FIRST_STRONG_ISOLATE, MARKS, POP_ISOLATE
from duebell.email.addresses import Mailbox
from duebell.email.messages import EmailRequest
from duebell.keys import NEEDS_ATTENTION, PAYMENT_RECEIVED
from duebell.ledger.untold import NOBODY_REACHED, UNDELIVERED, UNKNOWN
from duebell.policy.reaching import EMAIL, SMS
from duebell.render.message_text import words_of
from duebell.render.rendering import Templates
from duebell.render.segments import segments
from duebell.render.template_folders import TemplateFolder
from duebell.render.wording import Telling, Told
from duebell.render.wording_causes import NAMELESS, cause_in_words
from tests.support_words import BUSINESSES, DUE, RIGHT_TO_LEFT, SHIPPED, TYPICAL, Business, tellings

TEMPLATES = Templates(SHIPPED)
FOLDERS = TEMPLATES.folders()
OURS = FIRST_STRONG_ISOLATE + POP_ISOLATE + MARKS
ENDS_A_PARAGRAPH = re.compile(r"([.,،:]|https://\S+)$")


def called(folder: TemplateFolder) -> str:
    return folder.name


def test_each_kind_is_shipped_whole_in_three_languages_and_nothing_lies_beside() -> None:
    customers = ("invoice_issued", "payment_received", "invoice_overdue")
    teams = tuple(f"{kind}_team" for kind in (*customers, "needs_attention", "digest"))
    shipped = {(kind, language) for kind in (*customers, *teams) for language in ("en", "de", "ar")}
    assert {(one.kind, one.language) for one in FOLDERS} == shipped
    assert [one.name for one in FOLDERS if one.missing(SMS) or one.missing(EMAIL)] == []
    assert TEMPLATES.strays() == ()


@pytest.mark.parametrize("business", BUSINESSES)
@pytest.mark.parametrize("folder", FOLDERS, ids=called)
def test_whatever_is_in_the_books_can_be_said_by_sms_and_by_email(
    folder: TemplateFolder, business: str
) -> None:
    for telling in tellings(folder.kind, BUSINESSES[business], folder.language):
        sms = words_of(TEMPLATES, telling, SMS).text
        email = words_of(TEMPLATES, telling, EMAIL)
        for text in (sms, email.subject, email.text):
            assert "  " not in text
            assert " ." not in text
            assert not re.search(r"\w :", text)
            assert "#" not in text.replace("&#", "")
            assert text.count(FIRST_STRONG_ISOLATE) == text.count(POP_ISOLATE)
        EmailRequest("a@b.example", Mailbox("c@d.example"), email.subject, email.text, "n", email.html)
        assert "<b>" not in email.html
        assert "evil.example" not in sms + email.text
        for paragraph in email.text.split("\n\n"):
            is_signature = paragraph.strip(OURS) == telling.first.tenant.name or business == "awkward"
            assert is_signature or ENDS_A_PARAGRAPH.search(paragraph), paragraph


@pytest.mark.parametrize("folder", FOLDERS, ids=called)
def test_each_message_names_who_writes_the_invoice_and_the_amount(folder: TemplateFolder) -> None:
    for telling in tellings(folder.kind, TYPICAL, folder.language):
        for channel, part in ((SMS, "text"), (EMAIL, "text"), (EMAIL, "subject")):
            text = getattr(words_of(TEMPLATES, telling, channel), part)
            if not (folder.kind.endswith("_team") and channel == SMS and len(telling.told) == 1):
                assert "Kauri Test Limited" in text
            if part == "text" and (folder.kind != "digest_team" or channel == EMAIL):
                assert re.search(r"INV-\d{4}", text)
                assert re.search(r"\d[.,]\d\d(?!\d)", text)


def longest(folder: TemplateFolder, count: int) -> int:
    """The most parts that an SMS about so many invoices takes."""
    found = [one for one in tellings(folder.kind, TYPICAL, folder.language) if len(one.told) == count]
    return max(segments(words_of(TEMPLATES, one, SMS).text).parts for one in found)


@pytest.mark.parametrize(
    ("name", "about_one", "about_eleven"),
    [
        ("invoice_issued/en", 1, 1), ("invoice_issued/de", 1, 1), ("invoice_issued/ar", 2, 2),
        ("payment_received/en", 1, 1), ("payment_received/de", 1, 1), ("payment_received/ar", 2, 3),
        ("invoice_overdue/en", 1, 1), ("invoice_overdue/de", 1, 2), ("invoice_overdue/ar", 3, 3),
        ("invoice_overdue_team/en", 1, 2), ("invoice_overdue_team/de", 1, 2),
        ("invoice_overdue_team/ar", 3, 4),
        ("invoice_issued_team/de", 1, 2), ("invoice_issued_team/ar", 3, 3),
        ("payment_received_team/de", 1, 2), ("payment_received_team/ar", 3, 3),
        ("needs_attention_team/de", 2, 2), ("needs_attention_team/ar", 3, 4),
    ],
)  # fmt: skip
def test_how_many_sms_a_typical_message_takes(name: str, about_one: int, about_eleven: int) -> None:
    [folder] = [one for one in FOLDERS if one.name == name]
    assert (longest(folder, 1), longest(folder, 11)) == (about_one, about_eleven)


def said(kind: str, language: str, number: int = 0, business: Business = TYPICAL) -> str:
    return words_of(TEMPLATES, list(tellings(kind, business, language))[number], SMS).text


def test_an_invoice_reads_like_this() -> None:
    swiss = replace(TYPICAL, contact=replace(TYPICAL.contact, country="Switzerland"))
    assert said("invoice_issued", "en") == (
        "Kauri Test Limited: invoice INV-0042 for $1,234.50 is due on 20 Nov 2026. Thank you."
    )
    assert said("invoice_issued", "de", business=swiss) == (
        "Kauri Test Limited: Rechnung INV-0042 über NZ$ 1'234.50 ist am 20. Nov. 2026 fällig. Vielen Dank."
    )
    assert without_isolates(said("invoice_issued", "ar")) == (
        "من Kauri Test Limited: الفاتورة رقم INV-0042 بمبلغ 1,234.50 NZ$ "
        "مستحقة الدفع بتاريخ 20 نوفمبر 2026. شكرًا لكم."
    )


def without_isolates(text: str) -> str:
    return "".join(one for one in text if one not in OURS)


@pytest.mark.parametrize(
    ("language", "days", "text"),
    [
        ("en", 1, "1 day overdue."),
        ("en", 1000, "1,000 days overdue."),
        ("de", 1, "seit einem Tag überfällig."),
        ("de", 2, "seit 2 Tagen überfällig."),
        ("ar", 1, "متأخرة يومًا واحدًا."),
        ("ar", 2, "متأخرة يومين."),
        ("ar", 3, "متأخرة 3 أيام."),
        ("ar", 11, "متأخرة 11 يومًا."),
        ("ar", 100, "متأخرة 100 يوم."),
        ("ar", 103, "متأخرة 103 أيام."),
    ],
)
def test_days_are_counted_by_the_rules_of_the_language(language: str, days: int, text: str) -> None:
    late = list(tellings("invoice_overdue", TYPICAL, language))[1]
    telling = replace(late, today=DUE + timedelta(days=days))
    assert text in without_isolates(words_of(TEMPLATES, telling, EMAIL).text)


@pytest.mark.parametrize("kind", ["invoice_issued", "payment_received", "invoice_overdue"])
def test_in_a_sentence_from_right_to_left_everything_latin_stands_in_an_isolate(kind: str) -> None:
    for telling in tellings(kind, TYPICAL, "ar"):
        for channel in (SMS, EMAIL):
            text = words_of(TEMPLATES, telling, channel).text
            outside = re.sub(f"{FIRST_STRONG_ISOLATE}[^{POP_ISOLATE}]*{POP_ISOLATE}", "", text)
            assert not re.search(r"[A-Za-z$]", outside), outside


@pytest.mark.parametrize("kind", ["invoice_issued", "payment_received", "needs_attention", "digest"])
def test_a_team_s_sentence_from_right_to_left_isolates_all_that_is_latin_but_its_link(kind: str) -> None:
    for telling in tellings(f"{kind}_team", TYPICAL, "ar"):
        text = re.sub(r"https://\S+", "", words_of(TEMPLATES, telling, SMS).text)
        outside = re.sub(f"{FIRST_STRONG_ISOLATE}[^{POP_ISOLATE}]*{POP_ISOLATE}", "", text)
        assert not re.search(r"[A-Za-z$]", outside), outside


LINK = "https://go.xero.com/app/!mBdtL/invoicing/view/i"


@pytest.mark.parametrize(
    ("kind", "language", "number", "text"),
    [
        ("invoice_issued", "de", 0, f"ausgestellt: INV-0042 an Rimu Test Limited über 1.234,50 NZ$. {LINK}"),
        ("payment_received", "de", 0, f"Rimu Test Limited hat 20,00 NZ$ für INV-0042 bezahlt. {LINK}"),
        (
            "needs_attention", "de", 0,
            "Rimu Test Limited, INV-0042, 1.234,50 NZ$: nicht benachrichtigt, die Nachricht konnte nicht "
            f"zugestellt werden. {LINK}",
        ),
        (
            "needs_attention", "de", 2,
            "3 Punkte sind zu klären. Zuerst: Rimu Test Limited, INV-0002, 1.234,50 NZ$: nicht erinnert, ein "
            f"Guthaben ist noch nicht zugeordnet. {LINK}2",
        ),
        (
            "invoice_issued", "ar", 0,
            f"صدرت الفاتورة INV-0042 إلى Rimu Test Limited بمبلغ 1,234.50 NZ$. {LINK}",
        ),
        ("payment_received", "ar", 0, f"سدد Rimu Test Limited مبلغ 20.00 NZ$ عن الفاتورة INV-0042. {LINK}"),
        (
            "needs_attention", "ar", 0,
            "Rimu Test Limited، الفاتورة INV-0042، 1,234.50 NZ$: لم يُبلَّغ العميل: تعذر تسليم الرسالة. "
            f"{LINK}",
        ),
        (
            "needs_attention", "ar", 3,
            "11 أمرًا يحتاج إلى معالجة. الأول: Rimu Test Limited، الفاتورة INV-0002، 1,234.50 NZ$: "
            f"لم يُذكَّر العميل، لأن له رصيدًا دائنًا لم يُخصص بعد. {LINK}2",
        ),
    ],
)  # fmt: skip
def test_a_team_reads_like_this_in_its_language(kind: str, language: str, number: int, text: str) -> None:
    organisation = f"Kauri Test Limited: {text}"
    assert without_isolates(said(f"{kind}_team", language, number)) == organisation


@pytest.mark.parametrize("language", ["en", "de", "ar"])
@pytest.mark.parametrize("kind", ["needs_attention", "digest"])
def test_that_nothing_is_open_is_not_said_of_what_needs_somebody(kind: str, language: str) -> None:
    paid = replace(TYPICAL, invoice=replace(TYPICAL.invoice, amount_due=Decimal(0)))
    telling = next(tellings(f"{kind}_team", paid, language))
    told = tuple(one for one in telling.told if one.subject.kind in {NEEDS_ATTENTION, PAYMENT_RECEIVED})
    for channel in (SMS, EMAIL) if kind == "needs_attention" else (EMAIL,):
        text = without_isolates(words_of(TEMPLATES, replace(telling, told=told), channel).text)
        assert not re.search(r"(?<![\d.,])0[.,]00", text), text


def test_a_day_reads_like_this() -> None:
    assert said("digest_team", "de", 1) == (
        "Kauri Test Limited heute: 1 Rechnung zum Nachfassen, 1.234,50 NZ$. 1 Punkt zu klären. "
        "1 Zahlung, 20,00 NZ$. 1 Rechnung ausgestellt, 1.234,50 NZ$. "
        f"Zuerst: Rimu Test Limited, INV-0042. {LINK}"
    )
    assert without_isolates(said("digest_team", "ar", 5)) == (
        "Kauri Test Limited اليوم: فاتورتان للمتابعة، 2,469.00 NZ$. أمران يحتاجان إلى معالجة. "
        "دفعتان، 40.00 NZ$. صدرت فاتورتان، 2,469.00 NZ$. "
        f"الأولى: Rimu Test Limited، INV-0002. {LINK}2"
    )


@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_every_cause_for_which_nobody_was_told_has_words_in_each_language(language: str) -> None:
    causes = [*sorted(NOBODY_REACHED), UNDELIVERED, UNKNOWN]
    english = {cause: cause_in_words(cause, "en") for cause in causes}
    words = {cause: cause_in_words(cause, language) for cause in causes}
    assert all(words[cause] not in {cause, ""} for cause in causes)
    assert len(set(words.values())) == len(causes)
    assert language == "en" or not set(words.values()) & set(english.values())
    assert cause_in_words(UNKNOWN, f"{language}-CH") == words[UNKNOWN]
    assert cause_in_words(UNKNOWN, "fr") == english[UNKNOWN]


def test_a_name_from_right_to_left_turns_no_english_sentence_around() -> None:
    text = said("invoice_issued", "en", business=RIGHT_TO_LEFT)
    name = f"{FIRST_STRONG_ISOLATE}{RIGHT_TO_LEFT.organisation}{POP_ISOLATE}"
    assert text == f"{name}: invoice 2026-0042 for AED 1,234.50 is due on 20 Nov 2026. Thank you."
    assert segments(text).encoding == "UCS-2"
    assert segments(said("invoice_issued", "en")).encoding == "GSM-7"


def in_books(*currencies: str, country: str, amount: str) -> list[Telling]:
    """One message a kind to a team, about an invoice in each of these currencies."""
    found: list[Telling] = []
    for kind in ("invoice_issued_team", "invoice_overdue_team"):
        first = next(tellings(kind, replace(TYPICAL, country=country), "en"))
        told = tuple(
            Told(
                replace(first.subject, subject_id=f"i{number}"),
                TYPICAL.known(number, currency=currency, total=Decimal(amount), amount_due=Decimal(amount)),
            )
            for number, currency in enumerate(currencies, start=1)
        )
        known = tuple(replace(one, known=replace(one.known, tenant=first.first.tenant)) for one in told)
        found.append(replace(first, told=known))
    return found


def test_a_sum_of_thousands_of_millions_is_no_address_of_a_host() -> None:
    for telling in in_books("IDR", "IDR", country="ID", amount="1234567890"):
        assert "Rp 2.469.135.780,00 in all" in words_of(TEMPLATES, telling, SMS).text
        assert "Rp 2.469.135.780,00 in all" in words_of(TEMPLATES, telling, EMAIL).text


def test_a_team_reads_the_whole_of_its_sums_in_however_many_currencies() -> None:
    currencies = ("NZD", "AUD", "USD", "CAD", "GBP", "EUR", "SGD", "JPY", "CHF", "SEK")
    for telling in in_books(*currencies, country="NZ", amount="1234567"):
        sums, in_all, _ = words_of(TEMPLATES, telling, SMS).text.partition(" in all")
        assert in_all
        assert sums.count("1,234,567") == len(currencies)


@pytest.mark.parametrize("folder", FOLDERS, ids=called)
def test_an_invoice_s_number_is_read_as_it_was_issued_dots_and_all(folder: TemplateFolder) -> None:
    business = replace(TYPICAL, invoice=replace(TYPICAL.invoice, number="RE.2026.ABC"))
    texts = [words_of(TEMPLATES, one, EMAIL).text for one in tellings(folder.kind, business, folder.language)]
    assert "RE.2026.ABC" in texts[0]
    assert not any("RE. 2026" in text for text in texts)


@pytest.mark.parametrize("kind", ["payment_received", "invoice_overdue"])
def test_a_customer_reads_the_whole_of_each_number_that_a_message_names(kind: str) -> None:
    numbers = [f"2026/11/PROJECT-{number:07}-REVISION-B" for number in range(1, 12)]
    eleven = next(one for one in tellings(kind, TYPICAL, "en") if len(one.told) == len(numbers))
    told = tuple(
        replace(one, known=replace(one.known, read=replace(one.known.read, invoice=invoice)))
        for one, number in zip(eleven.told, numbers, strict=True)
        for invoice in [replace(one.known.read.invoice, number=number)]
    )
    assert ", ".join(numbers[:4]) + " and 7 more" in words_of(TEMPLATES, replace(eleven, told=told), SMS).text


@pytest.mark.parametrize("folder", FOLDERS, ids=called)
def test_an_organisation_that_is_called_by_its_address_is_called_so_in_its_messages(
    folder: TemplateFolder,
) -> None:
    business = replace(TYPICAL, organisation="Cars.co.nz Limited")
    for telling in list(tellings(folder.kind, business, folder.language))[:2]:
        for text in (words_of(TEMPLATES, telling, SMS).text, words_of(TEMPLATES, telling, EMAIL).text):
            assert "Cars. co" not in text
        assert "Cars.co.nz Limited" in words_of(TEMPLATES, telling, EMAIL).text


@pytest.mark.parametrize("language", ["en", "de", "ar"])
@pytest.mark.parametrize("kind", ["invoice_issued", "payment_received", "invoice_overdue", "needs_attention"])
def test_a_customer_without_a_name_is_called_so_in_whole_words(kind: str, language: str) -> None:
    nobody = replace(TYPICAL, contact=replace(TYPICAL.contact, name=""))
    telling = next(tellings(f"{kind}_team", nobody, language))
    assert cause_in_words(NAMELESS, language) in words_of(TEMPLATES, telling, SMS).text
