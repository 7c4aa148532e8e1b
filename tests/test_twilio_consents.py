"""The post of consents: its form is Twilio's, and every answer is read for what it says of each item."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import SecretStr

from duebell.errors import ConfigurationError, NotServed, Permanent, RateLimited, Transient
from duebell.preferences.mirroring import Outcome
from duebell.twilio.consents import ConsentItem, ItemAnswer, NoConsentApi, TwilioConsents

AT = datetime(2026, 11, 20, 9, 0, 5, tzinfo=UTC)
ONE, TWO = "a" * 32, "b" * 32
ITEMS = (
    ConsentItem(ONE, "+64211234567", "MG" + "1" * 32, "opt-out", "opt-out-message", AT),
    ConsentItem(TWO, "+64219876543", "+64210000000", "opt-in", "offline", AT),
)


def client(answers: Callable[[httpx.Request], httpx.Response]) -> TwilioConsents:
    http = httpx.Client(transport=httpx.MockTransport(answers))
    return TwilioConsents(http, "AC1", SecretStr("secret"), "https://accounts.twilio.com/")


def told(status: int, body: object = None, **headers: str) -> dict[str, ItemAnswer]:
    return client(lambda _: httpx.Response(status, json=body, headers=headers)).upsert(ITEMS)


def test_the_form_repeats_items_each_a_json_object() -> None:
    seen: list[httpx.Request] = []

    def answers(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"items": []})

    assert client(answers).upsert(ITEMS) == {}
    [request] = seen
    assert (request.method, str(request.url)) == ("POST", "https://accounts.twilio.com/v1/Consents/Bulk")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["authorization"].startswith("Basic ")
    pairs = parse_qsl(request.content.decode(), strict_parsing=True)
    assert [name for name, _ in pairs] == ["Items", "Items"]
    assert json.loads(pairs[0][1]) == {
        "contact_id": "+64211234567",
        "correlation_id": ONE,
        "sender_id": "MG" + "1" * 32,
        "status": "opt-out",
        "source": "opt-out-message",
        "date_of_consent": "2026-11-20T09:00:05Z",
    }


def test_the_form_is_that_of_the_interface_description(samples: Path) -> None:
    described = json.loads((samples / "openapi" / "twilio.json").read_text())
    operation = described["ops"]["POST /v1/Consents/Bulk"]
    assert operation["ct"] == ["application/x-www-form-urlencoded"]
    assert operation["form"] == operation["need"] == ["Items"]


@pytest.mark.parametrize(
    ("code", "words", "outcome"),
    [
        (0, [], Outcome.TAKEN),
        (30646, ["INVALID_CONTACT_ID", "INVALID_DATE_OF_CONSENT"], Outcome.REFUSED),
        (30646, ["INTERNAL_SERVER_ERROR"], Outcome.UNANSWERED),
        (30646, ["INTERNAL_SERVER_ERROR", "INVALID_SENDER_ID"], Outcome.REFUSED),
        (30646, ["A_WORD_OF_TOMORROW"], Outcome.UNANSWERED),
        (30646, [], Outcome.UNANSWERED),
        (None, None, Outcome.UNANSWERED),
        (False, [], Outcome.UNANSWERED),
    ],
)
def test_a_201_is_read_item_by_item(code: object, words: object, outcome: Outcome) -> None:
    row = {"correlation_id": TWO, "error_code": code, "error_messages": words}
    found = told(201, {"items": [row, "nonsense", {}]})
    assert {key: one.outcome for key, one in found.items()} == {TWO: outcome}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, None, NoConsentApi), (403, None, NoConsentApi), (404, None, NoConsentApi),
        (429, None, RateLimited), (500, None, NotServed), (503, None, NotServed),
        (408, None, Transient), (302, None, Transient),
        (400, {"code": 20001, "message": "+64211234567 is wrong"}, Permanent),
        (201, None, Transient), (201, {"items": "none"}, Transient),
    ],
)  # fmt: skip
def test_what_is_no_list_of_answers_is_an_error_without_twilios_words(
    status: int, body: object, error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        told(status, body)
    assert type(raised.value) is error
    assert "+6421" not in str(raised.value)


def test_a_lost_answer_is_tried_again_and_nothing_wrong_is_sent() -> None:
    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow", request=request)

    with pytest.raises(Transient, match="ReadTimeout"):
        client(lost).upsert(ITEMS)
    with pytest.raises(ValueError, match="25"):
        client(lost).upsert([ITEMS[0]] * 26)
    with pytest.raises(ConfigurationError):
        TwilioConsents(httpx.Client(), "AC1", SecretStr("secret"), "ftp://twilio")
    assert "+64" not in repr(ITEMS)
