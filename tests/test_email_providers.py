"""What goes to each email provider on the wire, and what is read back from it."""

import base64
import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox.email_liquid import LiquidError, rendered
from duebell.email.addresses import Mailbox
from duebell.email.liquid import literal
from duebell.email.page import page_of
from duebell.errors import (
    BadAnswer,
    ConfigurationError,
    Permanent,
    RateLimited,
    RecordNotFound,
    Transient,
)
from duebell.twilio.statuses import MessageStatus
from tests.test_email_outcome import OPERATION, sendgrid, taken, twilio_email
from tests.test_email_requests import ATTEMPT, SENDER, TO, email
from tests.test_sandbox_contract import misfits
from tests.test_twilio_wire import ACCOUNT, SECRET, RecordingTwilio, answering, failing

Row = dict[str, Any]
EMAIL_ID = "comms_email_01h9krwprkeee8fzqspvwy6nq8"
SOON = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def posted(provider: RecordingTwilio) -> Row:
    """The body of the one request."""
    [request] = provider.requests
    assert request.headers["Content-Type"] == "application/json"
    return json.loads(request.content)


def described(samples: Path, name: str) -> Row:
    return json.loads((samples / "openapi" / f"{name}.json").read_text())


def test_the_email_api_gets_one_recipient_the_tag_and_basic_credentials(samples: Path) -> None:
    provider = taken(twilio_email)
    twilio_email(provider).send(email(reply_to="owner@company.example"))
    [request] = provider.requests
    assert (request.method, request.url.path) == ("POST", "/v1/Emails")
    credentials = base64.b64encode(f"{ACCOUNT}:{SECRET}".encode()).decode()
    assert request.headers["Authorization"] == f"Basic {credentials}"
    body = posted(provider)
    assert body == {
        "from": {"address": SENDER.address, "name": SENDER.name},
        "to": [{"address": TO}],
        "content": {
            "subject": "Invoice INV-1042 is due",
            "html": page_of("Hello Jane,\n\nINV-1042 is due.", "Invoice INV-1042 is due"),
            "text": "Hello Jane,\n\nINV-1042 is due.",
        },
        "tags": {"n": ATTEMPT},
        "replyTo": {"address": "owner@company.example"},
    }
    schemas = described(samples, "extra")["twilio"]["schemas"]
    assert misfits(body, "ref:TwilioEmail", schemas, "") == []


def test_sendgrid_gets_one_recipient_our_argument_and_a_bearer_key(samples: Path) -> None:
    provider = taken(sendgrid)
    sendgrid(provider).send(email(reply_to="owner@company.example", send_at=SOON, batch_id="BATCH-1"))
    [request] = provider.requests
    assert (request.method, request.url.path) == ("POST", "/v3/mail/send")
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    body = posted(provider)
    assert body["personalizations"] == [{"to": [{"email": TO}], "custom_args": {"n": ATTEMPT}}]
    assert body["from"] == {"email": SENDER.address, "name": f'"{SENDER.name}"'}
    assert [one["type"] for one in body["content"]] == ["text/plain", "text/html"]
    assert (body["send_at"], body["batch_id"]) == (int(SOON.timestamp()), "BATCH-1")
    assert body["reply_to"] == {"email": "owner@company.example"}
    assert misfits(body, "ref:inline227", described(samples, "twilio")["schemas"], "") == []


def test_no_provider_is_asked_to_lead_our_links_over_its_own_host() -> None:
    provider = taken(sendgrid)
    sendgrid(provider).send(email())
    tracking = posted(provider)["tracking_settings"]
    assert {name: one["enable"] for name, one in tracking.items()} == {
        "click_tracking": False,
        "open_tracking": False,
        "subscription_tracking": False,
    }


def test_what_is_not_asked_for_is_not_sent() -> None:
    plain = email(from_=Mailbox(SENDER.address))
    for make, absent in ((twilio_email, {"replyTo"}), (sendgrid, {"reply_to", "send_at", "batch_id"})):
        provider = taken(make)
        make(provider).send(plain)
        body = posted(provider)
        assert not body.keys() & absent
        assert "name" not in body["from"]


def test_a_page_that_was_written_goes_out_as_it_is() -> None:
    provider = taken(sendgrid)
    sendgrid(provider).send(email(html="<p>Grüße &amp; {{ x }}</p>"))
    assert posted(provider)["content"][1]["value"] == "<p>Grüße &amp; {{ x }}</p>"


@pytest.mark.parametrize("changes", [{"send_at": SOON}, {"batch_id": "B"}])
def test_the_email_api_holds_nothing_back_and_says_so_before_it_posts(changes: Row) -> None:
    provider = taken(twilio_email)
    with pytest.raises(ConfigurationError, match="EMAIL_PROVIDER"):
        twilio_email(provider).send(email(**changes))
    assert provider.requests == []


BRACES = ["{{", "}}", "{%", "%}", "{", "}", "%", "-", '"', "'", " ", "name", "raw", "endraw", "|", "\n"]


@given(st.lists(st.sampled_from(BRACES), max_size=12).map("".join) | st.text(max_size=30))
def test_every_text_appears_literally_behind_liquid(text: str) -> None:
    assert rendered(literal(text), {"name": "eaten"}) == text


@pytest.mark.parametrize("text", ["Pay {{ amount }}", "{% if x %}now{% endif %}", "{{", "{%", "{{{name}}}"])
def test_liquid_would_have_eaten_it_otherwise(text: str) -> None:
    with contextlib.suppress(LiquidError):  # which is worse: the whole email fails
        assert rendered(text, {}) != text


@given(st.lists(st.sampled_from(BRACES), max_size=12).map("".join))
def test_no_opening_of_liquid_is_left_but_our_own(text: str) -> None:
    left = literal(text).replace('{{ "{" }}', "\0")
    assert "{{" not in left
    assert "{%" not in left
    assert left.replace("\0", "{") == text


def test_subject_text_and_page_are_all_made_literal() -> None:
    provider = taken(twilio_email)
    twilio_email(provider).send(email(subject="{{ s }}", text="{% t %}", html="<p>{{ h }}</p>"))
    content = posted(provider)["content"]
    assert {name: rendered(value, {}) for name, value in content.items()} == {
        "subject": "{{ s }}",
        "text": "{% t %}",
        "html": "<p>{{ h }}</p>",
    }


def row(**changes: object) -> Row:
    """An email as the Email API lists it."""
    return {
        "id": EMAIL_ID,
        "status": "DELIVERED",
        "tags": {"n": ATTEMPT},
        "updatedAt": "2026-11-22T09:59:00Z",
    } | changes


def test_an_email_is_found_by_its_tag_and_told_in_our_words() -> None:
    provider = answering(200, {"emails": [row()], "pagination": {}})
    [found] = twilio_email(provider).find(ATTEMPT)
    assert (found.sid, found.status, found.raw_status) == (EMAIL_ID, MessageStatus.DELIVERED, "delivered")
    assert found.updated_at == datetime(2026, 11, 22, 9, 59, tzinfo=UTC)
    [request] = provider.requests
    assert parse_qs(request.url.query.decode()) == {"tags": [f"n:{ATTEMPT};"]}


def test_an_email_with_another_tag_is_not_ours_although_it_was_listed() -> None:
    others = [row(tags={"n": "another"}), row(tags={}), row(tags=None), row(tags=["n"]), "x", None]
    assert twilio_email(answering(200, {"emails": others})).find(ATTEMPT) == ()


@pytest.mark.parametrize(
    "body", [{}, {"emails": None}, [], {"emails": [row(id="x")]}, {"emails": [row(status=7)]}]
)
def test_a_list_that_is_none_is_a_bad_answer_and_not_an_empty_list(body: object) -> None:
    with pytest.raises(BadAnswer):
        twilio_email(answering(200, body)).find(ATTEMPT)


def operation(status: str = "COMPLETED", **counts: object) -> Row:
    return {"id": OPERATION, "status": status, "stats": {"total": 1, "queued": 0, "sent": 0} | counts}


@pytest.mark.parametrize(
    ("body", "raw_status", "status"),
    [
        (operation(queued=1), "queued", MessageStatus.QUEUED),
        (operation(sent=1), "sent", MessageStatus.SENT),
        (operation(delivered=1), "delivered", MessageStatus.DELIVERED),
        (operation(delivered=1, opened=1), "opened", MessageStatus.READ),
        (operation(undelivered=1), "undelivered", MessageStatus.UNDELIVERED),
        (operation(failed=1), "failed", MessageStatus.FAILED),
        (operation(canceled=1), "canceled", MessageStatus.CANCELED),
        (operation("PROCESSING"), "processing", MessageStatus.UNKNOWN),
        (operation(novelty=1), "novelty", MessageStatus.UNKNOWN),
        (operation(delivered="1"), "completed", MessageStatus.UNKNOWN),
    ],
)
def test_an_operation_tells_of_its_email_by_its_counts(
    body: Row, raw_status: str, status: MessageStatus
) -> None:
    provider = answering(200, body)
    found = twilio_email(provider).fetch(OPERATION)
    assert (found.sid, found.raw_status, found.status) == (OPERATION, raw_status, status)
    assert provider.requests[0].url.path == f"/v1/Emails/Operations/{OPERATION}"


def test_an_email_is_fetched_by_its_own_id_too() -> None:
    provider = answering(200, row(status="TELEPORTED", updatedAt="soon"))
    found = twilio_email(provider).fetch(EMAIL_ID)
    assert (found.status, found.raw_status, found.updated_at) == (MessageStatus.UNKNOWN, "teleported", None)
    assert provider.requests[0].url.path == f"/v1/Emails/{EMAIL_ID}"


@pytest.mark.parametrize(
    "sid", ["", "SM" + "0" * 32, "comms_email_", f"{EMAIL_ID}/../..", "comms_operation_a b"]
)
def test_an_id_of_another_kind_is_not_asked_for(sid: str) -> None:
    provider = answering(200, row())
    with pytest.raises(Permanent):
        twilio_email(provider).fetch(sid)
    assert provider.requests == []


Read = Callable[[RecordingTwilio], object]
READS: dict[str, Read] = {
    "find": lambda provider: twilio_email(provider).find(ATTEMPT),
    "fetch": lambda provider: twilio_email(provider).fetch(OPERATION),
    "create_batch": lambda provider: sendgrid(provider).create_batch(),
    "cancel_batch": lambda provider: sendgrid(provider).cancel_batch("B"),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, ConfigurationError),
        (403, ConfigurationError),
        (404, RecordNotFound),
        (429, RateLimited),
        (500, Transient),
        (503, Transient),
        (400, Permanent),
        (302, BadAnswer),
        (200, BadAnswer),
    ],
)
def test_a_failed_reading_is_an_error_of_ours_without_the_providers_words(
    read: Read, status: int, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        read(answering(status, f"<html>{TO}"))
    assert TO not in str(caught.value)
    assert f"HTTP {status}" in str(caught.value)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_reading_that_gets_no_answer_may_be_repeated(read: Read) -> None:
    with pytest.raises(Transient) as caught:
        read(failing(httpx.ReadTimeout(TO)))
    assert TO not in str(caught.value)


def test_a_batch_is_made_and_cancelled_once_or_again() -> None:
    asked: list[tuple[str, str]] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path))
        if request.url.path == "/v3/mail/batch":
            return httpx.Response(201, json={"batch_id": "B-1"})
        if request.method == "GET":
            return httpx.Response(200, json=[{"batch_id": "B-1", "status": "cancel"}])
        assert json.loads(request.content) == {"batch_id": "B-1", "status": "cancel"}
        again = ("GET", "/v3/user/scheduled_sends/B-1") in asked or asked.count(asked[-1]) > 1
        return httpx.Response(400 if again else 201, json={"batch_id": "B-1", "status": "cancel"})

    client = sendgrid(RecordingTwilio(reply))
    assert client.create_batch() == "B-1"
    client.cancel_batch("B-1")
    client.cancel_batch("B-1")
    assert asked[1:] == [
        ("POST", "/v3/user/scheduled_sends"),
        ("POST", "/v3/user/scheduled_sends"),
        ("GET", "/v3/user/scheduled_sends/B-1"),
    ]


@pytest.mark.parametrize(
    "listed", [[], [{"batch_id": "B", "status": "pause"}], [{"batch_id": "C", "status": "cancel"}]]
)
def test_a_batch_that_was_not_cancelled_is_not_taken_for_cancelled(listed: list[Row]) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={}) if request.method == "POST" else httpx.Response(200, json=listed)

    with pytest.raises(Permanent):
        sendgrid(RecordingTwilio(reply)).cancel_batch("B")


@pytest.mark.parametrize("body", [{}, {"batch_id": None}, {"batch_id": "a/b"}, []])
def test_a_batch_without_an_id_is_a_bad_answer(body: object) -> None:
    with pytest.raises(BadAnswer):
        sendgrid(answering(201, body)).create_batch()
