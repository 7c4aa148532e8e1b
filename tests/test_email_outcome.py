"""What the POST of an email came to, at both providers, for every way in which it can end."""

import json
import logging
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from duebell.email.client import EmailClient
from duebell.email.sendgrid import SendGrid
from duebell.email.twilio_email import TwilioEmail
from duebell.errors import ConfigurationError
from duebell.twilio.codes import Action
from duebell.twilio.outcome import Accepted, NotProcessed, Refused, Unknown
from duebell.twilio.statuses import MessageStatus
from tests.test_email_requests import TO, email
from tests.test_twilio_outcome import NOTHING_SENT, PERHAPS
from tests.test_twilio_wire import ACCOUNT, SECRET, DrippingBody, RecordingTwilio, answering, failing

API = "https://mail.example"
OPERATION = "comms_operation_01h9krwprkeee8fzqspvwy6nq8"
MESSAGE_ID = "kiC2BsplQXGrH6HLUMYl-_"


def twilio_email(provider: RecordingTwilio, url: str = API, **options: Any) -> TwilioEmail:
    return TwilioEmail(provider.http(), ACCOUNT, SecretStr(SECRET), url, **options)


def sendgrid(provider: RecordingTwilio, url: str = API, **options: Any) -> SendGrid:
    return SendGrid(provider.http(), SecretStr(SECRET), url, **options)


Make = Callable[..., EmailClient]
BOTH = pytest.mark.parametrize("make", [twilio_email, sendgrid])


def taken(make: Make) -> RecordingTwilio:
    """A provider that takes every email."""
    if make is sendgrid:
        return answering(202, "", {"X-Message-Id": MESSAGE_ID})
    return answering(
        202, {"operationId": OPERATION, "operationLocation": f"{API}/x"}, {"Twilio-Request-Id": "RQ1"}
    )


@BOTH
@pytest.mark.parametrize("exc", NOTHING_SENT, ids=lambda exc: type(exc).__name__)
def test_a_failure_to_connect_is_not_processed(make: Make, exc: Exception) -> None:
    provider = failing(exc)
    assert make(provider).send(email()) == NotProcessed(type(exc).__name__, None)
    assert len(provider.requests) == 1


@BOTH
@pytest.mark.parametrize("exc", PERHAPS, ids=lambda exc: type(exc).__name__)
def test_any_other_failure_is_unknown_and_not_tried_again(make: Make, exc: Exception) -> None:
    provider = failing(exc)
    assert make(provider).send(email()) == Unknown(type(exc).__name__)
    assert len(provider.requests) == 1


@BOTH
@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 599])
@pytest.mark.parametrize("body", ["<html>", "", {"code": 20001}, {"operationId": OPERATION}])
def test_a_server_fault_is_unknown_whatever_it_says(make: Make, status: int, body: object) -> None:
    # Twilio lets a 503 of its Email API be repeated, but does not say that nothing was processed.
    provider = answering(status, body, {"Retry-After": "1", "X-Message-Id": MESSAGE_ID})
    outcome = make(provider).send(email())
    assert isinstance(outcome, Unknown)
    assert f"HTTP {status}" in outcome.cause
    assert len(provider.requests) == 1


@BOTH
@pytest.mark.parametrize("body", ["", "<html>", {"code": 20429}, {"errors": [{"message": TO}]}])
def test_too_many_requests_is_not_processed(make: Make, body: object) -> None:
    outcome = make(answering(429, body, {"Retry-After": "12"})).send(email())
    assert isinstance(outcome, NotProcessed)
    assert outcome.retry_after == 12.0


@BOTH
@pytest.mark.parametrize(
    ("status", "body", "action"),
    [
        (400, {"errors": [{"message": f"{TO} is wrong", "field": "to"}]}, Action.NEXT_CHANNEL),
        (400, {"code": 20001, "title": f"{TO} is wrong", "status": 400}, Action.CONFIGURATION),
        (400, "", Action.CONFIGURATION),
        (401, {"code": 20003}, Action.CONFIGURATION),
        (401, {"errors": [{"message": "The provided authorization grant is invalid"}]}, Action.CONFIGURATION),
        (403, {"errors": [{"message": "not a verified Sender Identity"}]}, Action.CONFIGURATION),
        (404, "<html>", Action.CONFIGURATION),
        (413, "<html>nginx</html>", Action.GIVE_UP),
    ],
)
def test_a_refusal_is_ruled_on_by_its_code_or_its_status(
    make: Make, status: int, body: object, action: Action
) -> None:
    provider = answering(status, body)
    outcome = make(provider).send(email())
    assert isinstance(outcome, Refused)
    assert (outcome.http_status, outcome.action, outcome.ruling.action) == (status, action, action)
    assert TO not in repr(outcome)
    assert len(provider.requests) == 1


@BOTH
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_neither_followed_nor_believed(make: Make, status: int) -> None:
    provider = answering(status, "", {"Location": "https://evil.example/v3/mail/send"})
    assert make(provider).send(email()) == Unknown(f"HTTP {status}")
    assert len(provider.requests) == 1


def test_an_accepted_email_has_the_id_by_which_it_is_found_again() -> None:
    assert twilio_email(taken(twilio_email)).send(email()) == Accepted(
        OPERATION, MessageStatus.ACCEPTED, None, "RQ1"
    )
    assert sendgrid(taken(sendgrid)).send(email()) == Accepted(MESSAGE_ID, MessageStatus.ACCEPTED, None, None)


def test_the_operations_id_may_come_in_a_header() -> None:
    outcome = twilio_email(answering(202, "", {"operation-id": OPERATION})).send(email())
    assert outcome == Accepted(OPERATION, MessageStatus.ACCEPTED, None, None)


@pytest.mark.parametrize(
    "body",
    [
        *("", "<html>", b"\xff\xfe", "null", [OPERATION], "[" * 100_000),
        *({"operationId": None}, {"operationId": ""}, {"operationId": [OPERATION]}, {"operationId": "x"}),
        {"operationId": OPERATION + "\n"},
        {"operationId": f"{OPERATION}/../x"},
        json.dumps({"operationId": OPERATION})[:-1],
    ],
)
def test_a_success_of_the_email_api_without_an_operation_is_unknown(body: object) -> None:
    assert twilio_email(answering(202, body)).send(email()) == Unknown("HTTP 202 without an operation")


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (202, {}),
        (202, {"X-Message-Id": ""}),
        (202, {"X-Message-Id": "a b"}),
        (200, {"X-Message-Id": MESSAGE_ID}),
    ],
)
def test_a_success_of_sendgrid_without_an_id_or_of_a_mere_check_is_unknown(
    status: int, headers: dict[str, str]
) -> None:
    assert sendgrid(answering(status, "", headers)).send(email()) == Unknown(
        f"HTTP {status} without a message id"
    )


@BOTH
def test_a_dripping_answer_is_cut_at_the_deadline_of_the_whole_call(make: Make) -> None:
    drip = DrippingBody(json.dumps({"operationId": OPERATION}).encode())
    provider = RecordingTwilio(lambda _: httpx.Response(202, stream=drip))
    client = make(provider, deadline=5.0, monotonic=lambda: drip.now)
    assert client.send(email()) == Unknown("ReadTimeout")
    assert drip.given == 5


@BOTH
def test_every_phase_of_a_post_has_a_timeout_and_its_connection_is_not_kept(make: Make) -> None:
    provider = taken(make)
    make(provider).send(email())
    timeouts: dict[str, float | None] = provider.posts[0].extensions["timeout"]
    assert set(timeouts) == {"connect", "read", "write", "pool"}
    assert all(timeouts.values())
    assert provider.posts[0].headers["Connection"] == "close"


@BOTH
def test_what_fails_before_the_post_is_an_exception_and_no_unknown(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = taken(make)

    def broken(*_: object, **__: object) -> object:
        raise RuntimeError("cannot be written")

    monkeypatch.setattr("duebell.email.wire.json.dumps", broken)
    with pytest.raises(RuntimeError):
        make(provider).send(email())
    assert provider.requests == []


@BOTH
@pytest.mark.parametrize("url", ["", "mail.example", "ftp://mail.example", "https://"])
def test_an_address_that_cannot_work_is_refused_by_its_name(make: Make, url: str) -> None:
    variable = "SENDGRID_API_URL" if make is sendgrid else "TWILIO_COMMS_URL"
    with pytest.raises(ConfigurationError, match=variable):
        make(taken(make), url)


def test_missing_credentials_are_refused_by_their_names() -> None:
    http = taken(sendgrid).http()
    with pytest.raises(ConfigurationError, match="TWILIO_AUTH_TOKEN"):
        TwilioEmail(http, ACCOUNT, SecretStr(" "), API)
    with pytest.raises(ConfigurationError, match="SENDGRID_API_KEY"):
        SendGrid(http, SecretStr(""), API)


@BOTH
def test_no_log_and_no_repr_holds_an_address_a_word_or_a_secret(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    provider = answering(400, {"errors": [{"message": TO}]})
    with caplog.at_level(logging.DEBUG):
        client = make(provider)
        outcome = client.send(email())
    assert caplog.messages
    for held_back in (TO, "INV-1042", SECRET):
        assert held_back not in caplog.text
        assert held_back not in repr(client)
        assert held_back not in repr(vars(client))
    assert pickle.loads(pickle.dumps(outcome)) == outcome
