"""The Messages API through the real helper: what is asked for, and what is made of the answers."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from duebell.errors import (
    ConfigurationError,
)
from duebell.twilio.client import TwilioClient
from duebell.twilio.outcome import Accepted
from tests.test_twilio_wire import (
    ACCOUNT,
    API,
    BODY,
    LONG_AGO,
    PHONE,
    SECRET,
    SERVICE,
    SID,
    answering,
    form,
    message,
    request,
)

MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
CALLBACK = "https://hooks.example/webhooks/twilio/status?n=7#rc=5&rp=all"


def test_a_send_is_one_post_with_every_field_that_was_asked_for() -> None:
    twilio = answering(201, message())
    auckland = timezone(timedelta(hours=13))
    outcome = twilio.client().send(
        request(
            status_callback=CALLBACK,
            validity_seconds=14_400,
            send_at=datetime(2026, 12, 1, 9, 0, tzinfo=auckland),
        )
    )
    assert isinstance(outcome, Accepted)
    (post,) = twilio.requests
    assert (post.method, post.url.path) == ("POST", MESSAGES)
    assert form(post) == {
        "To": PHONE,
        "Body": BODY,
        "MessagingServiceSid": SERVICE,
        "StatusCallback": CALLBACK,
        "ValidityPeriod": "14400",
        "SmartEncoded": "true",
        "MessageIntent": "notifications",
        "ScheduleType": "fixed",
        "SendAt": "2026-11-30T20:00:00Z",
    }


def test_what_is_not_asked_for_is_not_sent() -> None:
    twilio = answering(201, message())
    twilio.client().send(request(messaging_service_sid=None, from_="Duebell", smart_encoded=False))
    assert form(twilio.posts[0]) == {
        "To": PHONE,
        "Body": BODY,
        "From": "Duebell",
        "SmartEncoded": "false",
        "MessageIntent": "notifications",
    }


@pytest.mark.parametrize("base", ["http://127.0.0.1:9", "https://api.example/", "https://api.example/twilio"])
@pytest.mark.parametrize("variable", ["TWILIO_EDGE", "TWILIO_REGION"])
def test_the_url_given_is_the_url_called_whatever_the_environment_says(
    base: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "dublin")
    twilio = answering(201, message())
    twilio.client(base).send(request())
    assert str(twilio.posts[0].url) == base.rstrip("/") + MESSAGES


def test_the_account_of_the_path_is_ours_when_an_api_key_signs_the_call() -> None:
    twilio = answering(201, message())
    TwilioClient(twilio.http(), ACCOUNT, "SK" + "d" * 32, SecretStr(SECRET), API).send(request())
    basic = httpx.BasicAuth("SK" + "d" * 32, SECRET)
    expected = next(basic.auth_flow(httpx.Request("POST", API))).headers["Authorization"]
    assert twilio.posts[0].headers["Authorization"] == expected
    assert twilio.posts[0].url.path == MESSAGES


@pytest.mark.parametrize(
    ("account_sid", "username", "password", "api_url"),
    [
        ("", ACCOUNT, SECRET, API),
        ("SK" + "d" * 32, ACCOUNT, SECRET, API),
        (ACCOUNT, "", SECRET, API),
        (ACCOUNT, ACCOUNT, "", API),
        (ACCOUNT, ACCOUNT, " ", API),
        (ACCOUNT, ACCOUNT, SECRET, ""),
        (ACCOUNT, ACCOUNT, SECRET, "api.twilio.com"),
        (ACCOUNT, ACCOUNT, SECRET, "ftp://api.twilio.com"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_any_call(
    account_sid: str, username: str, password: str, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", SECRET)
    with httpx.Client() as http, pytest.raises(ConfigurationError) as caught:
        TwilioClient(http, account_sid, username, SecretStr(password), api_url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"messaging_service_sid": None},
        {"from_": "Duebell"},
        {"messaging_service_sid": None, "from_": "Duebell", "send_at": LONG_AGO},
        {"send_at": LONG_AGO.replace(tzinfo=None)},
        {"validity_seconds": 0},
        {"validity_seconds": 36_001},
    ],
)
def test_a_request_that_twilio_would_misread_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises((ConfigurationError, ValueError)):
        request(**wrong)


def test_a_request_and_a_message_do_not_show_whom_they_are_for() -> None:
    state = answering(200, message()).client().fetch(SID)
    for text in (repr(request(messaging_service_sid=None, from_="+64215550100")), repr(state)):
        assert "5550" not in text
        assert BODY not in text


def test_every_request_is_one_that_the_interface_description_knows(samples: Path) -> None:
    known = json.loads((samples / "openapi" / "twilio.json").read_text())["ops"]
    newer = json.loads((samples / "openapi" / "extra.json").read_text())["params"]
    twilio = answering(200, message())
    client = twilio.client()
    client.send(request(send_at=LONG_AGO, validity_seconds=60, status_callback=CALLBACK))
    client.send(request(messaging_service_sid=None, from_="+64215550100"))
    client.fetch(SID)
    client.cancel(SID)
    client.account()
    more = f"{MESSAGES}?To=%2B64&Page=1&PageSize=200&PageToken=PT"
    listing = answering(200, {"messages": [message()], "next_page_uri": more})
    listing.client().find(PHONE, LONG_AGO)
    for sent in twilio.requests + listing.requests:
        path = sent.url.path.replace(SID, "{Sid}")
        path = path.replace(f"{ACCOUNT}.json", "{Sid}.json").replace(ACCOUNT, "{AccountSid}")
        operation = f"{sent.method} {path}"
        fields = form(sent) if sent.content else {}
        assert set(fields) <= {*known[operation].get("form", []), *newer.get(operation, [])}
        assert set(known[operation].get("need", [])) <= set(fields)
        assert set(sent.url.params) <= set(known[operation].get("q", []))
