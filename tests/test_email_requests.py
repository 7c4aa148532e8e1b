"""What may be asked of an email provider: one recipient, headers on one line, and text that is text."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from duebell.email.addresses import AddressFault, Mailbox, address_fault, fits_header, mailbox
from duebell.email.messages import LONGEST_BODY, LONGEST_SUBJECT, EmailRequest
from duebell.errors import ConfigurationError, Permanent
from duebell.policy_file.shapes import Email, EmailSender

TO = "jane.doe+bills@harbour.example"
SENDER = Mailbox("accounts@company.example", "Smith, Jones & Co")
ATTEMPT = "0199aaaa-0000-7000-8000-000000000001"


def email(**changes: Any) -> EmailRequest:
    """An ordinary email."""
    arguments: dict[str, Any] = {
        "to": TO,
        "from_": SENDER,
        "subject": "Invoice INV-1042 is due",
        "text": "Hello Jane,\n\nINV-1042 is due.",
        "tag": ATTEMPT,
    }
    return EmailRequest(**(arguments | changes))


def test_an_ordinary_email_is_taken_and_cannot_be_changed() -> None:
    request = email(subject="Rechnung № 7: fällig 🧾", html="<p>x</p>", reply_to="owner@company.example")
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.to = "someone@else.example"  # pyright: ignore[reportAttributeAccessIssue]: what is tested


INJECTED = [
    "\r\nBcc: everybody@evil.example",
    "\nBcc: everybody@evil.example",
    "\rX: y",
    "\r\n\r\n<h1>another body</h1>",
    "\x0bX: y",
    "\x0cX: y",
    "\x85X: y",
    "\u2028X: y",
    "\u2029X: y",
    "\x00",
    "\x1b[2J",
    "\x7f",
    "\u202egnp.exe",
    "\u2066hidden\u2069",
    "\u200b",
    "\ufeff",
    "\ud800",
    "\U000e0041",
]


@pytest.mark.parametrize("text", INJECTED)
def test_nothing_that_could_add_or_hide_a_header_gets_into_one(text: str) -> None:
    for changes in (
        {"subject": f"Invoice{text}"},
        {"subject": text + "Invoice"},
        {"to": TO + text},
        {"to": text + TO},
        {"to": TO.replace("@", text + "@")},
        {"from_": Mailbox(SENDER.address + text)},
        {"from_": Mailbox(SENDER.address, SENDER.name + text)},
        {"reply_to": TO + text},
        {"tag": ATTEMPT + text},
    ):
        with pytest.raises((Permanent, ConfigurationError, ValueError)) as caught:
            email(**changes)
        assert TO not in str(caught.value)
        assert "evil" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", AddressFault.NO_ADDRESS),
        (" \n ", AddressFault.NO_ADDRESS),
        ("a@b.example,c@d.example", AddressFault.SEVERAL_ADDRESSES),
        ("a@b.example; c@d.example", AddressFault.SEVERAL_ADDRESSES),
        ("a@b.example\r\nBcc: c@d.example", AddressFault.SEVERAL_ADDRESSES),
        ("a@b.example c@d.example", AddressFault.SEVERAL_ADDRESSES),
        ("a@b.example\n", AddressFault.NOT_ONE_LINE),
        ("a@b.example\x00", AddressFault.NOT_ONE_LINE),
        ("jürgen@b.example", AddressFault.NOT_ASCII),
        ("a@bücher.example", AddressFault.NOT_ASCII),
        ("a\uff20b.example", AddressFault.NOT_ASCII),
        ("a" * 65 + "@b.example", AddressFault.TOO_LONG),
        ("a@" + "b." * 125 + "example", AddressFault.TOO_LONG),
        ("accounts", AddressFault.NOT_AN_ADDRESS),
        ("a@b", AddressFault.NOT_AN_ADDRESS),
        ("a@b.", AddressFault.NOT_AN_ADDRESS),
        ("a@.example", AddressFault.NOT_AN_ADDRESS),
        ("a@-b.example", AddressFault.NOT_AN_ADDRESS),
        ("a@b_c.example", AddressFault.NOT_AN_ADDRESS),
        ("a@192.0.2.1", AddressFault.NOT_AN_ADDRESS),
        ("a@[192.0.2.1]", AddressFault.NOT_AN_ADDRESS),
        (".a@b.example", AddressFault.NOT_AN_ADDRESS),
        ("a..b@b.example", AddressFault.NOT_AN_ADDRESS),
        ('"a b"@b.example', AddressFault.NOT_AN_ADDRESS),
        ("a@b@c.example", AddressFault.NOT_AN_ADDRESS),
        ("Jane <a@b.example>", AddressFault.NOT_AN_ADDRESS),
        ("mailto:a@b.example", AddressFault.NOT_AN_ADDRESS),
        ("a@b.example ", AddressFault.NOT_AN_ADDRESS),
    ],
)
def test_what_is_not_exactly_one_address_is_refused_with_its_reason(text: str, fault: AddressFault) -> None:
    assert address_fault(text) is fault
    with pytest.raises(Permanent, match=fault.value):
        email(to=text)
    with pytest.raises(ValidationError):
        TEAMS.validate_python(text)


TEAMS: TypeAdapter[str] = TypeAdapter(Email)
"""What the policy takes for a team."""


@given(st.one_of(st.emails(), st.from_regex(r"[a-zA-Z.'+_-]{1,8}@[a-zA-Z.-]{1,8}", fullmatch=True)))
def test_a_team_s_address_is_taken_exactly_where_a_message_can_go_to_it(text: str) -> None:
    taken = sent = True
    try:
        TEAMS.validate_python(text)
    except ValidationError:
        taken = False
    try:
        email(to=text)
    except Permanent:
        sent = False
    assert taken is sent


@given(st.one_of(st.text(max_size=12), st.from_regex(r'["A-Za-z .,\']{0,8} <[a-z.@]{3,12}>', fullmatch=True)))
def test_a_sender_that_the_policy_takes_is_one_that_an_email_can_have(text: str) -> None:
    try:
        SENDERS.validate_python(text)
    except ValidationError:
        return
    found = mailbox(text)
    assert not text or (found and email(from_=found).from_ == found)


SENDERS: TypeAdapter[str] = TypeAdapter(EmailSender)


@pytest.mark.parametrize(
    "text",
    [TO, "a@b.co", "o'brien@b.example", "a@xn--bcher-kva.example", "a@b.xn--p1ai", "a_b-c@b-c.d.example"],
)
def test_an_address_as_people_have_it_is_taken(text: str) -> None:
    assert address_fault(text) is None
    assert email(to=text).to == text


@given(st.text(max_size=40))
def test_whatever_passes_for_an_address_has_one_at_sign_and_nothing_that_parts_addresses(text: str) -> None:
    for candidate in (text, f"{text}@b.example", f"a@{text}.example"):
        if address_fault(candidate) is None:
            assert candidate.count("@") == 1
            assert candidate.isascii()
            assert candidate.isprintable()
            assert not set(candidate) & set(' ,;:<>()[]"\\')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@b.example", Mailbox("a@b.example")),
        ("  a@b.example  ", Mailbox("a@b.example")),
        ("<a@b.example>", Mailbox("a@b.example")),
        ("Company <a@b.example>", Mailbox("a@b.example", "Company")),
        ('"Smith, Jones & Co" <a@b.example>', Mailbox("a@b.example", "Smith, Jones & Co")),
        ("Smith, Jones & Co <a@b.example>", Mailbox("a@b.example", "Smith, Jones & Co")),
        ("Māori Büro <a@b.example>", Mailbox("a@b.example", "Māori Büro")),
        ("Company <a@b.example", None),
        ("Company a@b.example", None),
        ("Company <a@b.example> x", None),
        ("Company <a@b.example><c@d.example>", None),
        ("A\nB <a@b.example>", None),
        ('A"B <a@b.example>', None),
        ("A\\B <a@b.example>", None),
        ("a@b.example, c@d.example", None),
        (f"{'x' * 101} <a@b.example>", None),
        ("", None),
    ],
)
def test_a_mailbox_is_an_address_or_a_name_with_its_address(text: str, expected: Mailbox | None) -> None:
    assert mailbox(text) == expected


@given(st.text(max_size=60))
def test_a_mailbox_that_is_read_can_be_written_to_and_from(text: str) -> None:
    found = mailbox(text) or mailbox(f"{text} <a@b.example>")
    if found is not None:
        assert address_fault(found.address) is None
        assert fits_header(found.name)
        assert email(from_=found).from_ == found


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": ""},
        {"subject": "  "},
        {"subject": "x" * (LONGEST_SUBJECT + 1)},
        {"text": ""},
        {"text": " \n"},
        {"text": "x" * (LONGEST_BODY + 1)},
        {"text": "a\x00b"},
        {"text": "a\x1bb"},
        {"text": "half \ud83d"},
        {"html": "half \ud83d"},
        {"html": "<p>\x00</p>"},
    ],
)
def test_a_subject_or_body_that_is_empty_too_long_or_no_text_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(Permanent):
        email(**changes)


@pytest.mark.parametrize("changes", [{"tag": ""}, {"tag": "a b"}, {"tag": "a:b;"}, {"tag": "a" * 65}])
def test_a_tag_that_could_not_be_searched_by_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="tag"):
        email(**changes)


def test_a_time_to_send_at_has_a_zone() -> None:
    with pytest.raises(ValueError, match="aware"):
        email(send_at=datetime(2026, 11, 22, 10, 0))  # noqa: DTZ001 -- what is tested
    assert email(send_at=datetime(2026, 11, 22, 10, 0, tzinfo=UTC)).send_at


def test_neither_addresses_nor_words_of_an_email_show_in_its_repr() -> None:
    request = email(html="<p>Hello Jane</p>", reply_to="owner@company.example")
    for held_back in (TO, SENDER.address, "owner@", "Smith", "INV-1042", "Hello"):
        assert held_back not in repr(request)
