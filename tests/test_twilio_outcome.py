"""What a POST came to, for every way in which it can end: exactly one POST, and never too much believed."""

import json
import pickle
from collections.abc import Mapping

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.twilio.codes import UNKNOWN_CALLER, Action
from duebell.twilio.outcome import (
    Accepted,
    Answer,
    NotProcessed,
    Refused,
    SendOutcome,
    Unknown,
    classify_answer,
    classify_exception,
)
from duebell.twilio.statuses import MessageStatus
from tests.test_twilio_wire import ACCOUNT, PHONE, SECRET, SID, answering, failing, message, request


def refusal(code: int | None, status: int = 400) -> dict[str, object]:
    """An error body; its text quotes the number, as Twilio's do."""
    return {"code": code, "message": f"The number {PHONE} is wrong", "status": status}


NOTHING_SENT = [
    httpx.ConnectError(PHONE),
    httpx.ConnectTimeout(PHONE),
    httpx.PoolTimeout(PHONE),
    httpx.ProxyError(PHONE),
]
PERHAPS = [
    httpx.ReadTimeout(PHONE),
    httpx.WriteTimeout(PHONE),
    httpx.ReadError(PHONE),
    httpx.WriteError(PHONE),
    httpx.CloseError(PHONE),
    httpx.RemoteProtocolError(PHONE),
    httpx.LocalProtocolError(PHONE),
    httpx.DecodingError(PHONE),
    httpx.TooManyRedirects(PHONE),
    httpx.InvalidURL(PHONE),
    OSError(PHONE),
    ValueError(PHONE),
    RuntimeError(PHONE),
]


@pytest.mark.parametrize("exc", NOTHING_SENT, ids=lambda exc: type(exc).__name__)
def test_a_failure_to_connect_is_not_processed(exc: Exception) -> None:
    twilio = failing(exc)
    assert twilio.client().send(request()) == NotProcessed(type(exc).__name__, None)
    assert len(twilio.posts) == 1


@pytest.mark.parametrize("exc", PERHAPS, ids=lambda exc: type(exc).__name__)
def test_any_other_failure_is_unknown_and_not_tried_again(exc: Exception) -> None:
    twilio = failing(exc)
    assert twilio.client().send(request()) == Unknown(type(exc).__name__)
    assert len(twilio.posts) == 1


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 599])
@pytest.mark.parametrize("body", [refusal(20500), refusal(None), "<html>", "", message()])
def test_f078_a_server_fault_is_unknown_whatever_its_body_says(status: int, body: object) -> None:
    twilio = answering(status, body, {"Retry-After": "1"})
    outcome = twilio.client().send(request())
    assert isinstance(outcome, Unknown)
    assert f"HTTP {status}" in outcome.cause
    assert len(twilio.posts) == 1


def test_a_problem_document_does_not_talk_a_server_fault_into_a_refusal() -> None:
    body = {"type": "about:blank", "title": "Invalid", "status": 400, "code": 21211}
    assert answering(503, body).client().send(request()) == Unknown("HTTP 503, code 21211")


@pytest.mark.parametrize("body", [refusal(20429, 429), refusal(None, 429), "<html>", ""])
def test_f079_too_many_requests_is_not_processed(body: object) -> None:
    twilio = answering(429, body, {"Retry-After": "12"})
    outcome = twilio.client().send(request())
    assert isinstance(outcome, NotProcessed)
    assert outcome.retry_after == 12.0
    assert len(twilio.posts) == 1


@pytest.mark.parametrize(
    ("status", "code", "action"),
    [
        (400, 21211, Action.NUMBER_INVALID),
        (400, 21614, Action.NUMBER_INVALID),
        (400, 21610, Action.OPTED_OUT),
        (400, 21617, Action.CONFIGURATION),
        (400, 21612, Action.NEXT_CHANNEL),
        (400, 21611, Action.RETRY_LATER),
        (400, 29999, Action.GIVE_UP),
        (400, None, Action.GIVE_UP),
        (401, 20003, Action.CONFIGURATION),
        (401, None, Action.CONFIGURATION),
        (403, 29999, Action.CONFIGURATION),
        (404, None, Action.CONFIGURATION),
        (429, 63038, Action.CONFIGURATION),
    ],
)
def test_a_refusal_is_ruled_on_by_its_code(status: int, code: int | None, action: Action) -> None:
    twilio = answering(status, refusal(code, status))
    outcome = twilio.client().send(request())
    assert isinstance(outcome, Refused)
    assert (outcome.http_status, outcome.code, outcome.action) == (status, code, action)
    assert outcome.ruling.action is action
    assert PHONE in outcome.answer
    assert PHONE not in repr(outcome)
    assert len(twilio.posts) == 1


def test_a_refusal_by_a_page_is_a_refusal_without_code() -> None:
    outcome = answering(403, "<html>").client().send(request())
    assert outcome == Refused(403, None, UNKNOWN_CALLER, "<html>")


@pytest.mark.parametrize("status", [408, 499])
def test_an_answer_that_gave_up_waiting_leaves_open_whether_a_message_exists(status: int) -> None:
    assert answering(status, "<html>").client().send(request()) == Unknown(f"HTTP {status}")
    assert isinstance(answering(status, refusal(21614, status)).client().send(request()), Refused)


def test_a_code_that_says_too_many_requests_is_not_processed_under_any_refusal() -> None:
    outcome = answering(400, refusal(20429), {"Retry-After": "2"}).client().send(request())
    assert outcome == NotProcessed("HTTP 400, code 20429", 2.0)


def test_a_code_that_says_that_twilio_failed_is_unknown_under_any_status() -> None:
    assert answering(400, refusal(20503)).client().send(request()) == Unknown("HTTP 400, code 20503")


def test_an_accepted_message_has_its_sid_status_segments_and_request_id() -> None:
    body = message(status="queued", num_segments="2")
    twilio = answering(201, body, {"twilio-request-id": "RQ1"})
    assert twilio.client().send(request()) == Accepted(SID, MessageStatus.QUEUED, 2, "RQ1")
    assert len(twilio.posts) == 1


def test_segments_that_twilio_does_not_know_yet_are_not_none_at_all() -> None:
    outcome = answering(201, message(num_segments="0")).client().send(request())
    assert outcome == Accepted(SID, MessageStatus.ACCEPTED, None, None)


def test_a_mms_and_an_unexpected_field_are_accepted_too() -> None:
    body = message(sid="MM" + "0" * 32, status="teleported", num_segments=None, date_created=7, novelty={})
    outcome = answering(200, body).client().send(request())
    assert outcome == Accepted("MM" + "0" * 32, MessageStatus.UNKNOWN, None, None)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        b"\xff\xfe",
        "null",
        [message()],
        "[" * 100_000,
        json.dumps(message())[:-1],
        message(sid=None),
        message(sid=""),
        message(sid="SM1"),
        message(sid=["x"]),
        message(sid="CA" + "c" * 32),
        message(sid=SID + "\n"),
        message(account_sid="AC" + "e" * 32),
        message(account_sid=None),
    ],
)
def test_f080_a_success_without_a_sid_of_our_account_is_unknown(body: object) -> None:
    twilio = answering(201, body)
    assert twilio.client().send(request()) == Unknown("HTTP 201 without a SID of this account")
    assert len(twilio.posts) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e999"}, None),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "Sun, 22 Nov 2026 10:00:30 GMT"}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 10:00:30 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"Retry-After": "Sun, 22 Nov 2026 09:00:00 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(
    headers: Mapping[str, str], seconds: float | None
) -> None:
    assert Answer(429, headers, "").retry_after == seconds


def test_an_outcome_says_nothing_of_the_recipient_and_survives_pickling() -> None:
    outcomes: list[SendOutcome] = [
        *(classify_exception(exc) for exc in [*NOTHING_SENT, *PERHAPS]),
        *(classify_answer(_answer(status), ACCOUNT) for status in (201, 307, 400, 401, 429, 500)),
    ]
    for outcome in outcomes:
        assert PHONE not in repr(outcome)
        assert pickle.loads(pickle.dumps(outcome)) == outcome


def _answer(status: int) -> Answer:
    return Answer(status, {"Twilio-Request-Id": "RQ1"}, json.dumps(refusal(21211)))


JSON_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["code", "sid", "account_sid", "status"]), inner, max_size=4)
    ),
    max_leaves=8,
).map(json.dumps)


@given(st.integers(100, 999), st.text(max_size=60) | JSON_TEXT, st.text(max_size=20))
def test_only_a_refusal_or_a_limit_says_that_no_message_exists(status: int, text: str, retry: str) -> None:
    outcome = classify_answer(Answer(status, {"Retry-After": retry}, text), ACCOUNT)
    if isinstance(outcome, Refused | NotProcessed):
        assert 400 <= status < 500
    else:
        assert isinstance(outcome, Unknown)


def test_a_fault_before_the_request_is_an_exception_and_no_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    twilio = answering(201, message())

    def broken(*_: object, **__: object) -> object:
        raise RuntimeError("the helper cannot be made")

    monkeypatch.setattr("duebell.twilio.client.Client", broken)
    with pytest.raises(RuntimeError):
        twilio.client().send(request())
    assert twilio.requests == []
    assert SECRET not in repr(twilio.client())
