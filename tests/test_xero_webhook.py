"""What a signed delivery says, and what becomes of one that says nothing sensible."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duebell.errors import Permanent
from duebell.xero.webhook import Delivery, UnreadableDelivery, XeroEvent, read_delivery

INVOICE_ID = "11111111-2222-4333-8444-555555555555"
TENANT_ID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
EVENT: dict[str, object] = {
    "resourceUrl": f"https://elsewhere.example/{INVOICE_ID}",
    "resourceId": INVOICE_ID,
    "tenantId": TENANT_ID,
    "tenantType": "ORGANISATION",
    "eventCategory": "INVOICE",
    "eventType": "UPDATE",
    "eventDateUtc": "2026-11-20T01:15:39.902",
}
READ = XeroEvent(
    tenant_id=TENANT_ID,
    category="INVOICE",
    type="UPDATE",
    resource_id=INVOICE_ID,
    event_time=datetime(2026, 11, 20, 1, 15, 39, 902000, UTC),
)


def delivery(*events: object, **more: object) -> bytes:
    return json.dumps({"events": events, "firstEventSequence": 7, "lastEventSequence": 9, **more}).encode()


def test_an_event_is_read_with_its_time_in_utc() -> None:
    assert read_delivery(delivery(EVENT)) == Delivery((READ,), (), 7, 9)


def test_the_intent_to_receive_has_no_events() -> None:
    ping = b'{"events":[],"firstEventSequence": 0,"lastEventSequence": 0, "entropy": "TESTENTROPYABCDEFGHI"}'
    assert read_delivery(ping) == Delivery((), (), 0, 0)


def test_a_redelivery_with_other_entropy_and_order_of_keys_gives_the_same_event() -> None:
    again = dict(reversed(EVENT.items())) | {"resourceId": INVOICE_ID.upper(), "eventType": "Update"}
    first, second = read_delivery(delivery(EVENT, entropy="A")), read_delivery(delivery(again, entropy="B"))
    assert first.events == second.events


def test_f113_the_address_in_an_event_changes_nothing() -> None:
    without = {key: value for key, value in EVENT.items() if key != "resourceUrl"}
    for event in (without, EVENT | {"resourceUrl": ["http://169.254.169.254/"]}):
        assert read_delivery(delivery(event)).events == (READ,)


def test_an_unknown_category_and_unknown_fields_are_kept_apart_from_rejects() -> None:
    event = EVENT | {"eventCategory": "creditnote", "data": {"Type": "ACCRECCREDIT"}, "new": 1}
    found = read_delivery(delivery(event))
    assert [(event.category, event.type) for event in found.events] == [("CREDITNOTE", "UPDATE")]
    assert found.rejects == ()


def test_a_subscription_event_is_told_apart_by_its_tenant_type() -> None:
    event = EVENT | {"eventCategory": "SUBSCRIPTION", "tenantType": "APPLICATION"}
    assert [event.tenant_type for event in read_delivery(delivery(event, EVENT)).events] == [
        "APPLICATION",
        "ORGANISATION",
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"resourceId": "1"}, "resourceId is not a UUID"),
        ({"resourceId": f"{INVOICE_ID}/../Contacts"}, "resourceId is not a UUID"),
        ({"tenantId": None}, "tenantId is not a UUID"),
        ({"tenantId": 5}, "tenantId is not a UUID"),
        ({"eventDateUtc": "yesterday"}, "eventDateUtc is not a moment in time"),
        ({"eventDateUtc": None}, "eventDateUtc is not a moment in time"),
        ({"eventCategory": ""}, "eventCategory is not a word"),
        ({"eventCategory": "X" * 65}, "eventCategory is not a word"),
        ({"eventType": "UP\nDATE"}, "eventType is not a word"),
        ({"tenantType": {}}, "tenantType is not a word"),
        ({"tenantType": 3}, "tenantType is not a word"),
    ],
)
def test_f004_a_malformed_event_is_rejected_by_name_and_the_others_are_kept(
    change: dict[str, object], reason: str
) -> None:
    found = read_delivery(delivery(EVENT, EVENT | change, EVENT))
    assert [(reject.position, reject.reason) for reject in found.rejects] == [(1, reason)]
    assert found.events[0] == found.events[-1] == READ


@pytest.mark.parametrize("item", [None, 3, "text", [], [EVENT]])
def test_what_is_no_object_is_rejected_as_an_event(item: object) -> None:
    assert [reject.position for reject in read_delivery(delivery(EVENT, item)).rejects] == [1]


UNREADABLE = [
    b"",
    b"<html>",
    b"[]",
    b"null",
    b"{}",
    b'{"events":null}',
    b'{"events":{}}',
    b'{"events":[]',
    b'{"events":[],"lastEventSequence":NaN}',
    b'{"events":["\\ud800"]}',
    b"\xff\xfe",
    b"[" * 100_000 + b"]" * 100_000,
]


@pytest.mark.parametrize("raw", UNREADABLE)
def test_a_signed_body_that_is_no_delivery_is_named_so_and_its_content_stays_out(raw: bytes) -> None:
    with pytest.raises(UnreadableDelivery) as problem:
        read_delivery(raw)
    assert isinstance(problem.value, Permanent)
    assert problem.value.__context__ is None


@pytest.mark.parametrize("sequence", [None, -1, True, 1.5, "7", []])
def test_a_sequence_that_is_no_count_is_unknown(sequence: object) -> None:
    raw = json.dumps({"events": [], "firstEventSequence": sequence}).encode()
    assert read_delivery(raw) == Delivery((), (), None, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(list(EVENT)) | st.text(), inner),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.lists(JSON, max_size=4))
def test_whatever_stands_in_the_list_of_events_is_an_event_or_a_reject(items: list[object]) -> None:
    found = read_delivery(delivery(*items))
    assert len(found.events) + len(found.rejects) == len(items)
