"""Only what Xero signed gets in: our own vectors, the intent to receive, and what must fail closed."""

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from duebell.xero.signature import signature_is_valid

KEY = "TEST-ONLY-xero-webhook-key-0001=="
KEYS = (SecretStr(KEY),)
PING = b'{"events":[],"firstEventSequence": 0,"lastEventSequence": 0, "entropy": "TESTENTROPYABCDEFGHI"}'
PING_SIGNATURE = "ix+MmdxRJbeBKfLX9YqePOI8378L6KaFRVkt3S9+k7o="
UPDATE = (
    b'{"events":[{"resourceUrl": "https://api.xero.com/api.xro/2.0/Invoices/'
    b'11111111-2222-4333-8444-555555555555","resourceId": "11111111-2222-4333-8444-555555555555",'
    b'"tenantId": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",'
    b'"tenantType": "ORGANISATION","eventCategory": "INVOICE","eventType": "UPDATE",'
    b'"eventDateUtc": "2026-11-20T01:15:39.902"}],"firstEventSequence": 215,"lastEventSequence": 215, '
    b'"entropy": "TESTENTROPYABCDEFGHI"}'
)
UPDATE_SIGNATURE = "E6WAdjqGu0CsAuBKTc1jimgXs3Zibc43ZS77T8JG/+k="


def signed(raw: bytes, key: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), raw, hashlib.sha256).digest()).decode()


def test_the_vectors_of_an_empty_and_of_a_full_delivery_verify() -> None:
    assert (len(PING), len(UPDATE)) == (95, 420)
    assert signature_is_valid(PING, PING_SIGNATURE, KEYS)
    assert signature_is_valid(UPDATE, UPDATE_SIGNATURE, KEYS)


def one_character_off(signature: str, place: int) -> str:
    return signature[:place] + ("/" if signature[place] != "/" else "B") + signature[place + 1 :]


INTENT_TO_RECEIVE = [
    # Xero sends a series of pings; the wrong ones differ in one character of the signature.
    (PING_SIGNATURE, True),
    (one_character_off(PING_SIGNATURE, 0), False),
    (one_character_off(PING_SIGNATURE, 7), False),
    (one_character_off(PING_SIGNATURE, 21), False),
    (one_character_off(PING_SIGNATURE, 41), False),
    (one_character_off(PING_SIGNATURE, 42), False),
    (PING_SIGNATURE.swapcase(), False),
    (UPDATE_SIGNATURE, False),
]


@pytest.mark.parametrize(("signature", "right"), INTENT_TO_RECEIVE)
def test_the_intent_to_receive_is_passed_and_its_wrong_pings_are_refused(
    signature: str, *, right: bool
) -> None:
    assert signature_is_valid(PING, signature, KEYS) is right


def test_a_body_that_was_parsed_and_written_again_is_refused() -> None:
    assert not signature_is_valid(json.dumps(json.loads(PING)).encode(), PING_SIGNATURE, KEYS)


def test_a_key_is_used_as_text_and_not_decoded() -> None:
    key = base64.b64encode(b"a key that looks like base64").decode()
    decoded = base64.b64encode(hmac.new(base64.b64decode(key), PING, hashlib.sha256).digest()).decode()
    assert signature_is_valid(PING, signed(PING, key), [SecretStr(key)])
    assert not signature_is_valid(PING, decoded, [SecretStr(key)])


def test_any_of_several_keys_may_match_wherever_it_stands() -> None:
    other = SecretStr("another key")
    for keys in ([KEYS[0], other], [other, KEYS[0]], [other, KEYS[0], other], [SecretStr(""), KEYS[0]]):
        assert signature_is_valid(PING, PING_SIGNATURE, keys)
    assert not signature_is_valid(PING, PING_SIGNATURE, [other, other])


@pytest.mark.parametrize(
    "header", [None, "", " ", "é" * 44, "\ud800", PING_SIGNATURE + " ", PING_SIGNATURE[:-1]]
)
def test_a_missing_or_malformed_header_is_refused(header: str | None) -> None:
    assert not signature_is_valid(PING, header, KEYS)


@pytest.mark.parametrize("key", ["", " ", "\t\n"])
def test_a_blank_key_signs_nothing_even_when_the_hash_is_right(key: str) -> None:
    assert not signature_is_valid(PING, signed(PING, key), [SecretStr(key)])
    assert not signature_is_valid(PING, signed(PING, key), [])


@settings(deadline=None)
@given(
    st.binary(), st.text(min_size=1).filter(lambda key: bool(key.strip()) and key.isprintable()), st.binary()
)
def test_what_was_signed_is_valid_and_no_other_body_is(raw: bytes, key: str, other: bytes) -> None:
    assert signature_is_valid(raw, signed(raw, key), [SecretStr(key)])
    assert signature_is_valid(other, signed(raw, key), [SecretStr(key)]) is (other == raw)
