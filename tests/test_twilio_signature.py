"""Whether a webhook is Twilio's: the published vectors, and every way in which a genuine one gets lost."""

import base64
import hashlib
import hmac
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from duebell.twilio.signature import MAX_FIELDS, callback_is_genuine, form_pairs, public_url

TOKEN = SecretStr("12345")
URL = "https://hooks.example.com/twilio/status?nid=6f1c2b"
DELIVERED = {
    "AccountSid": "AC00000000000000000000000000000000",
    "ApiVersion": "2010-04-01",
    "From": "+15005550006",
    "MessageSid": "SM00000000000000000000000000000001",
    "MessageStatus": "delivered",
    "RawDlrDoneDate": "2601021504",
    "SmsSid": "SM00000000000000000000000000000001",
    "SmsStatus": "delivered",
    "To": "+15551234567",
}
BODY = urlencode(DELIVERED).encode()
SIGNATURE = "/p9wIp7D9BwyeXi7Vopj2H1WjuU="


def signed(url: str, pairs: list[tuple[str, str]], token: SecretStr = TOKEN) -> str:
    """Twilio's own arithmetic: twilio.com/docs/usage/webhooks/webhooks-security."""
    text = url + "".join(key + value for key, value in sorted(set(pairs)))
    return base64.b64encode(
        hmac.new(token.get_secret_value().encode(), text.encode(), hashlib.sha1).digest()
    ).decode()


def test_the_signature_that_twilio_documents_is_genuine() -> None:
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    body = urlencode(fields).encode()
    assert callback_is_genuine(url, body, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", [TOKEN])


def test_a_signed_status_callback_is_genuine() -> None:
    assert callback_is_genuine(URL, BODY, SIGNATURE, [TOKEN])


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("https", "http"),
        URL.replace("hooks", "hook"),
        URL.replace("6f1c2b", "6f1c2c"),
        URL.replace("/status", "/status/"),
        URL + "&x=",
        URL.replace("nid", "%6eid"),
        "https://[",
        "https://hooks.example.com:notaport/twilio/status?nid=6f1c2b",
        "",
        "\ud800",
    ],
)
def test_another_url_is_not_genuine(url: str) -> None:
    assert not callback_is_genuine(url, BODY, SIGNATURE, [TOKEN])


def test_a_port_of_ours_may_be_missing_from_what_twilio_signed() -> None:
    assert callback_is_genuine(URL.replace(".com", ".com:8080"), BODY, SIGNATURE, [TOKEN])
    header = signed(URL.replace(".com", ".com:8080"), list(DELIVERED.items()))
    assert callback_is_genuine(URL.replace(".com", ".com:8080"), BODY, header, [TOKEN])
    assert not callback_is_genuine(URL, BODY, header, [TOKEN])


@pytest.mark.parametrize("port", ["", ":443"])
@pytest.mark.parametrize("signed_port", ["", ":443"])
def test_the_default_port_may_be_written_or_not_on_either_side(port: str, signed_port: str) -> None:
    header = signed(f"https://hooks.example{signed_port}/x?n=1", [("A", "b")])
    assert callback_is_genuine(f"https://hooks.example{port}/x?n=1", b"A=b", header, [TOKEN])


@pytest.mark.parametrize(
    "body",
    [
        BODY.replace(b"delivered", b"failed"),
        BODY + b"&Extra=1",
        BODY + b"&Blank=",
        BODY.replace(b"&RawDlrDoneDate=2601021504", b""),
        b"",
        b"\xff\xfe",
        b"%ff=1",
        b"{}",
        b"&".join([b"a=1"] * 10_000),
    ],
)
def test_another_body_is_not_genuine(body: bytes) -> None:
    assert not callback_is_genuine(URL, body, SIGNATURE, [TOKEN])


@pytest.mark.parametrize(
    "header",
    [None, "", " ", "x", SIGNATURE[:-1], SIGNATURE + "=", "é" * 28, "\ud800" * 28, SIGNATURE.lower(), "\0"],
)
def test_another_header_is_not_genuine(header: str | None) -> None:
    assert not callback_is_genuine(URL, BODY, header, [TOKEN])


def test_any_of_the_tokens_may_have_signed() -> None:
    old, new = SecretStr("old"), SecretStr("new")
    for tokens in ([old, TOKEN], [TOKEN, old], [old, TOKEN, new]):
        assert callback_is_genuine(URL, BODY, SIGNATURE, tokens)
    assert not callback_is_genuine(URL, BODY, SIGNATURE, [old, new])
    assert not callback_is_genuine(URL, BODY, SIGNATURE, [])


def test_nobody_can_sign_with_an_empty_token() -> None:
    forged = signed(URL, list(DELIVERED.items()), token=SecretStr(""))
    assert not callback_is_genuine(URL, BODY, forged, [SecretStr(""), TOKEN])


def test_a_blank_field_is_part_of_what_is_signed() -> None:
    header = signed(URL, [("ErrorCode", ""), ("MessageStatus", "failed")])
    assert callback_is_genuine(URL, b"ErrorCode=&MessageStatus=failed", header, [TOKEN])
    assert not callback_is_genuine(URL, b"MessageStatus=failed", header, [TOKEN])


def test_a_repeated_field_is_signed_with_all_of_its_values() -> None:
    header = signed(URL, [("Media", "b"), ("Media", "a"), ("Media", "a")])
    assert callback_is_genuine(URL, b"Media=b&Media=a&Media=a", header, [TOKEN])
    assert not callback_is_genuine(URL, b"Media=b", header, [TOKEN])


def test_a_json_body_is_checked_by_the_hash_in_the_query() -> None:
    body = '{"status": "zugestellt ✓"}'.encode()
    url = f"https://hooks.example/x?bodySHA256={hashlib.sha256(body).hexdigest()}"
    header = signed(url, [])
    assert callback_is_genuine(url, body, header, [TOKEN])
    for other in (body + b" ", b"", b"{}", b"MessageStatus=delivered", b"\xff"):
        assert not callback_is_genuine(url, other, header, [TOKEN])


@pytest.mark.parametrize("digest", ["", "0", "é"])
def test_a_hash_that_is_none_lets_no_body_through(digest: str) -> None:
    url = f"https://hooks.example/x?bodySHA256={digest}"
    assert not callback_is_genuine(url, b'{"status": "delivered"}', signed(url, []), [TOKEN])


def test_the_fragment_is_not_signed() -> None:
    assert callback_is_genuine(URL + "#rc=5&rp=all", BODY, SIGNATURE, [TOKEN])
    assert public_url("https://hooks.example", "/x", "n=1#rc=5") == "https://hooks.example/x?n=1"


def test_the_public_url_is_the_configured_place_with_the_path_and_query_as_they_came() -> None:
    assert (
        public_url("https://hooks.example/", "/a%20b", "n=%2B1&m=") == "https://hooks.example/a%20b?n=%2B1&m="
    )
    assert public_url("https://hooks.example/duebell", "/x", "") == "https://hooks.example/duebell/x"


def test_a_form_is_read_as_it_was_signed() -> None:
    assert form_pairs(b"To=%2B1555&B=a+b&Blank=&To=x") == (
        ("To", "+1555"),
        ("B", "a b"),
        ("Blank", ""),
        ("To", "x"),
    )


def test_a_form_with_more_fields_than_twilio_ever_sends_is_not_looked_at() -> None:
    pairs = [(f"Field{number}", "") for number in range(MAX_FIELDS + 1)]
    body = urlencode(pairs).encode()
    with pytest.raises(ValueError, match="fields"):
        form_pairs(body)
    assert not callback_is_genuine(URL, body, signed(URL, pairs), [TOKEN])


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(texts, texts), max_size=8), texts)
def test_what_twilio_signs_is_genuine_and_any_other_token_is_not(
    pairs: list[tuple[str, str]], attempt: str
) -> None:
    url = f"https://hooks.example/webhooks/twilio/status?n={quote(attempt, safe='')}"
    header, body = signed(url, pairs), urlencode(pairs).encode()
    assert callback_is_genuine(url, body, header, [SecretStr("other"), TOKEN])
    assert not callback_is_genuine(url, body, header, [SecretStr("other")])


@given(st.text(), st.binary(), st.none() | st.text(), st.lists(st.text().map(SecretStr), max_size=3))
def test_nothing_makes_the_check_raise_or_pass(
    url: str, body: bytes, header: str | None, tokens: list[SecretStr]
) -> None:
    assert callback_is_genuine(url, body, header, tokens) is False
