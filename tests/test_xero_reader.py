"""JSON is read exactly, written stably, and refused when it is hostile."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duebell.errors import BadAnswer
from duebell.xero.parse import parse_invoice_body
from duebell.xero.reader import BadField, compact_json, read_json

INVOICE_ID = "11111111-2222-4333-8444-555555555555"
CENTS = st.decimals(-9_999_999_999_999, 9_999_999_999_999, places=2)


@settings(deadline=None)
@given(CENTS)
def test_an_amount_keeps_every_digit_through_json_and_back(amount: Decimal) -> None:
    body = f'{{"Total": {amount}, "InvoiceID": "{INVOICE_ID}"}}'
    assert str(parse_invoice_body(body).total) == str(amount)
    assert str(parse_invoice_body(compact_json(read_json(body))).total) == str(amount)


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda number: len(str(number)) <= 64)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON)
def test_what_is_written_compactly_is_read_back_the_same(value: object) -> None:
    text = compact_json(value)
    assert repr(compact_json(read_json(text))) == repr(text)
    assert text.isascii()


def test_the_order_of_keys_and_the_spaces_do_not_change_the_body() -> None:
    first, second = (
        read_json('{"b": [1.50, null], "a": "\\u00e9\\/"}'),
        read_json('{"a":"é/","b":[1.50,null]}'),
    )
    assert compact_json(first) == compact_json(second) == '{"a":"\\u00e9/","b":[1.50,null]}'


HOSTILE = [
    "[" * 10_000 + "]" * 10_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    "NaN",
    "[-Infinity]",
    "1" * 5_000,
    f"[0.{'1' * 5_000}]",
    "1e99999999999999999999",
    "",
    '{"a":',
    '{"a":1}}',
    "<html>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_json_is_a_bad_answer_that_does_not_carry_it(text: str) -> None:
    for raw in (text, text.encode()):
        with pytest.raises(BadAnswer) as problem:
            read_json(raw)
        assert problem.value.__context__ is None


def test_bytes_that_are_not_utf8_are_a_bad_answer_and_a_byte_order_mark_is_none() -> None:
    assert read_json(b"\xef\xbb\xbf{}") == {}
    with pytest.raises(BadAnswer):
        read_json(b'"\xff"')


def test_a_record_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(BadField, match=r"^the record is not at most 40 levels deep$"):
        compact_json(read_json("[" * 60 + "]" * 60))
