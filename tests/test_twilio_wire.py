"""The helper's HTTP through httpx: one request a call, a deadline over all of it, nothing kept or logged.

``RecordingTwilio`` stands behind httpx in all tests of the Messages API: it keeps what reached the wire.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import SecretStr

from duebell.errors import ConfigurationError
from duebell.twilio.client import TwilioClient
from duebell.twilio.messages import SmsRequest
from duebell.twilio.outcome import Accepted, Unknown
from duebell.twilio.transport import HttpxTransport, twilio_http_client

ACCOUNT = "AC" + "a" * 32
SERVICE = "MG" + "b" * 32
SID = "SM" + "c" * 32
PHONE = "+64215550199"
BODY = "Invoice 7 is ready"
SECRET = "not-for-anybody"
API = "https://api.example"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)

Reply = Callable[[httpx.Request], httpx.Response]


@dataclass
class RecordingTwilio:
    """Answers every request by ``reply`` and keeps the requests in the order in which they came."""

    reply: Reply
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.reply(request)

    @property
    def posts(self) -> list[httpx.Request]:
        return [request for request in self.requests if request.method == "POST"]

    def http(self) -> httpx.Client:
        return twilio_http_client(httpx.MockTransport(self.handle))

    def client(self, api_url: str = API, **options: Any) -> TwilioClient:
        return TwilioClient(self.http(), ACCOUNT, ACCOUNT, SecretStr(SECRET), api_url, **options)


def answering(status: int, body: object = None, headers: dict[str, str] | None = None) -> RecordingTwilio:
    """A Twilio that always gives the same answer; a ``str`` or ``bytes`` body goes out as it is."""
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    return RecordingTwilio(lambda _: httpx.Response(status, content=content, headers=headers))


def failing(exc: Exception) -> RecordingTwilio:
    """A Twilio whose line fails with ``exc`` after the request was recorded."""

    def reply(_: httpx.Request) -> httpx.Response:
        raise exc

    return RecordingTwilio(reply)


def message(**changes: object) -> dict[str, object]:
    """A message as the API shows it."""
    return {
        "sid": SID,
        "account_sid": ACCOUNT,
        "status": "accepted",
        "num_segments": "0",
        "messaging_service_sid": SERVICE,
        "direction": "outbound-api",
        "to": PHONE,
        "body": BODY,
        "error_code": None,
        "date_created": "Sat, 21 Nov 2026 20:15:30 +0000",
        "date_updated": "Sat, 21 Nov 2026 20:15:31 +0000",
        "date_sent": None,
    } | changes


def request(**changes: Any) -> SmsRequest:
    """An ordinary text message."""
    arguments: dict[str, Any] = {"to": PHONE, "body": BODY, "messaging_service_sid": SERVICE} | changes
    return SmsRequest(**arguments)


def form(sent: httpx.Request) -> dict[str, str]:
    """The fields of a request's form; each must be there once."""
    pairs = parse_qsl(sent.content.decode(), keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@dataclass
class DrippingBody(httpx.SyncByteStream):
    """A body that comes byte by byte, each a second after the other by the clock of ``now``."""

    content: bytes
    now: float = 0.0
    given: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for byte in self.content:
            self.now += 1.0
            self.given += 1
            yield bytes((byte,))


def test_a_dripping_body_is_cut_at_the_deadline_of_the_whole_call() -> None:
    drip = DrippingBody(json.dumps(message()).encode())
    twilio = RecordingTwilio(lambda _: httpx.Response(201, stream=drip))
    outcome = twilio.client(deadline=5.0, monotonic=lambda: drip.now).send(request())
    assert outcome == Unknown("ReadTimeout")
    assert drip.given == 5
    assert len(twilio.posts) == 1


def test_a_body_that_is_complete_before_the_deadline_counts() -> None:
    drip = DrippingBody(json.dumps(message()).encode())
    twilio = RecordingTwilio(lambda _: httpx.Response(201, stream=drip))
    outcome = twilio.client(deadline=9_999.0, monotonic=lambda: drip.now).send(request())
    assert isinstance(outcome, Accepted)


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duebell.twilio.transport.MAX_ANSWER_BYTES", 50)
    drip = DrippingBody(b"x" * 100_000)
    twilio = RecordingTwilio(lambda _: httpx.Response(201, stream=drip))
    assert twilio.client(deadline=1e6).send(request()) == Unknown("ReadError")
    assert drip.given == 51


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_neither_followed_nor_believed(status: int) -> None:
    twilio = answering(status, {}, {"Location": f"{API}/elsewhere"})
    assert twilio.client().send(request()) == Unknown(f"HTTP {status}")
    assert len(twilio.requests) == 1


def test_every_phase_of_a_request_has_a_timeout_and_its_connection_is_not_kept() -> None:
    twilio = answering(201, message())
    twilio.client().send(request())
    timeouts: dict[str, float | None] = twilio.posts[0].extensions["timeout"]
    assert set(timeouts) == {"connect", "read", "write", "pool"}
    assert all(timeouts.values())
    assert twilio.posts[0].headers["Connection"] == "close"


def test_the_query_of_a_url_survives_a_call_without_parameters() -> None:
    twilio = answering(200, {})
    HttpxTransport(twilio.http(), API).request("GET", f"{API}/list?Page=1&PageToken=PT", params={})
    assert str(twilio.requests[0].url) == f"{API}/list?Page=1&PageToken=PT"


def test_the_last_answer_is_at_hand_with_its_headers_and_the_request_is_not_kept() -> None:
    twilio = answering(429, {"code": 20429}, {"Retry-After": "7"})
    wire = HttpxTransport(twilio.http(), API)
    wire.request("POST", f"{API}/x", data={"To": PHONE}, auth=(ACCOUNT, SECRET))
    assert wire.answer is not None
    assert wire.answer.retry_after == 7.0
    assert vars(wire)["_test_only_last_request"] is None
    assert PHONE not in str(vars(wire))
    assert SECRET not in str(vars(wire))


def test_credentials_are_not_sent_to_another_host() -> None:
    twilio = answering(200, {})
    wire = HttpxTransport(twilio.http(), API)
    for url in ("https://evil.example/x", f"{API}.evil.example/x", "http://api.example/x"):
        with pytest.raises(ConfigurationError):
            wire.request("GET", url, auth=(ACCOUNT, SECRET))
    assert twilio.requests == []


def test_no_log_of_any_level_holds_a_number_a_text_or_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    twilio = RecordingTwilio(
        lambda sent: (
            httpx.Response(200, json={"messages": []})
            if sent.method == "GET"
            else httpx.Response(400, json={"code": 21211, "message": f"{PHONE} is not a number"})
        )
    )
    with caplog.at_level(logging.DEBUG):
        client = twilio.client()
        client.send(request())
        client.find(PHONE, LONG_AGO)
        client.find(PHONE, LONG_AGO)
    assert any("Messages.json" in line for line in caplog.messages)
    for held_back in (PHONE, PHONE[1:], BODY, SECRET):
        assert held_back not in caplog.text
