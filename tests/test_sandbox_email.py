"""The sandbox's email providers are as strict as the real ones, and remember what they accepted."""

import json
import re
import ssl
import time
from collections.abc import Generator, Iterator
from typing import Any

import httpx
import pytest

from deployments.sandbox import credentials as known
from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_client import ControlRefusedError
from deployments.sandbox.email_lives import signed
from deployments.sandbox.server import running_sandbox
from duebell.email.signature import events_are_genuine

TLS = ssl.create_default_context()  # made once, because each client would make its own, slowly
Row = dict[str, Any]
EMAILS, SEND, BATCH, CANCEL = "/v1/Emails", "/v3/mail/send", "/v3/mail/batch", "/v3/user/scheduled_sends"
TO = "jane@harbour.example"


@pytest.fixture(scope="module")
def running() -> Generator[SandboxControl]:
    with running_sandbox(SandboxSettings(callback_step_seconds=0.005)) as control:
        yield control


@pytest.fixture
def grid(sandbox: SandboxControl) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {known.SENDGRID_API_KEY}"}
    with httpx.Client(base_url=sandbox.base_url, headers=headers, verify=TLS, timeout=60) as client:
        yield client


def mail(**changes: object) -> Row:
    """A body for the Email API."""
    return {
        "from": {"address": known.EMAIL_FROM, "name": "Company"},
        "to": [{"address": TO}],
        "content": {"subject": "Invoice", "html": "<p>Hello</p>", "text": "Hello"},
        "tags": {"n": "a-1"},
    } | changes


def grid_mail(**changes: object) -> Row:
    """A body for SendGrid."""
    return {
        "personalizations": [{"to": [{"email": TO}], "custom_args": {"n": "a-1"}}],
        "from": {"email": known.EMAIL_FROM, "name": "Company"},
        "subject": "Invoice",
        "content": [{"type": "text/plain", "value": "Hello"}, {"type": "text/html", "value": "<p>Hello</p>"}],
    } | changes


def person(**changes: object) -> Row:
    return grid_mail(personalizations=[{"to": [{"email": TO}]} | changes])


def content(**changes: object) -> Row:
    return mail(content={"subject": "Invoice", "html": "<p>Hello</p>", "text": "Hello"} | changes)


def operation(twilio: httpx.Client, body: Row) -> str:
    answer = twilio.post(EMAILS, json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["operationId"]


def test_an_email_is_accepted_as_an_operation_and_seen_under_its_tag(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    answer = twilio.post(EMAILS, json=mail())
    sid = answer.json()["operationId"]
    assert re.fullmatch("comms_operation_[0-7][a-hjkmnpqrstv-z0-9]{25,34}", sid)
    assert answer.json()["operationLocation"] == f"{sandbox.base_url}/v1/Emails/Operations/{sid}"
    assert answer.headers["Twilio-Request-Id"].startswith("RQ")
    assert sandbox.settle()
    [found] = twilio.get(EMAILS, params={"tags": "n:a-1;"}).json()["emails"]
    assert (found["status"], found["tags"]) == ("DELIVERED", {"n": "a-1"})
    told = twilio.get(f"{EMAILS}/Operations/{sid}").json()
    assert (told["status"], told["stats"]["total"], told["stats"]["delivered"]) == ("COMPLETED", 1, 1)
    single = twilio.get(f"{EMAILS}/{found['id']}").json()
    assert single["content"]["text"] == "Hello"
    assert twilio.get(EMAILS, params={"tags": "n:a-2;"}).json()["emails"] == []


def test_the_same_body_twice_is_two_emails(sandbox: SandboxControl, twilio: httpx.Client) -> None:
    sids = {operation(twilio, mail()) for _ in range(2)}
    assert {one.sid for one in sandbox.accepted_mails()} == sids
    assert len(sids) == 2


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/from/address", "/to", "/content/subject", "/content/html"}),
        (mail(to=[]), {"/to"}),
        (mail(to=[{"address": "nobody"}]), {"/to/0"}),
        (mail(to=[{"address": "a@b.example\r\nBcc: c@d.example"}]), {"/to/0"}),
        (mail(to=[{"address": "jürgen@b.example"}]), {"/to/0"}),
        (mail(to=[{"address": TO, "email": TO}]), {"/to/0"}),
        (mail(**{"from": {"address": "other@company.example"}}), {"/from/address"}),
        (mail(**{"from": {"address": known.EMAIL_FROM, "name": "A\nB"}}), {"/from"}),
        (content(subject=""), {"/content/subject"}),
        (content(subject="a\r\nBcc: x"), {"/content/subject"}),
        (content(html=""), {"/content/html"}),
        (content(body="x"), {"/content/body"}),
        (mail(tags={"n": "a b"}), {"/tags/n"}),
        (mail(tags={"n": "x" * 257}), {"/tags/n"}),
        (mail(tags={"n:": "a"}), {"/tags/n:"}),
        (mail(tags={str(number): "a" for number in range(11)}), {"/tags"}),
        (mail(statusCallback="https://x.example"), {"/statusCallback"}),
        (mail(replyTo={"address": "nobody"}), {"/replyTo/address"}),
    ],
)
def test_a_faulty_email_is_refused_with_all_its_faults_and_accepted_nowhere(
    sandbox: SandboxControl, twilio: httpx.Client, body: Row, pointers: set[str]
) -> None:
    answer = twilio.post(EMAILS, json=body)
    assert answer.status_code == 400
    assert {fault["pointer"] for fault in answer.json()["errors"]} == pointers
    assert sandbox.accepted_mails() == ()


def test_what_is_not_modelled_says_so_itself(twilio: httpx.Client, grid: httpx.Client) -> None:
    for body in (mail(cc=[]), mail(schedule={}), mail(to=[{"address": TO}] * 2), content(attachments=[])):
        assert twilio.post(EMAILS, json=body).status_code == 501
    for query in ({"startDate": "2026-01-01"}, {"pageToken": "x"}, {"tag": "n:a;"}):
        assert twilio.get(EMAILS, params=query).status_code == 501
    for body in (grid_mail(template_id="d-1"), person(cc=[]), person(to=[{"email": TO}] * 2)):
        assert grid.post(SEND, json=body).status_code == 501
    assert grid.get("/v3/suppression/bounces").status_code == 501


def test_only_the_accounts_own_credentials_open_it(sandbox: SandboxControl) -> None:
    key = (known.TWILIO_API_KEY, known.TWILIO_API_SECRET)
    for auth, status in ((key, 200), (None, 401), ((known.TWILIO_ACCOUNT_SID, "wrong"), 401)):
        assert httpx.get(sandbox.base_url + EMAILS, auth=auth, verify=TLS, timeout=60).status_code == status
    for value in ("", "Bearer wrong", f"Basic {known.SENDGRID_API_KEY}"):
        answer = httpx.post(
            sandbox.base_url + BATCH, headers={"Authorization": value}, verify=TLS, timeout=60
        )
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["field"] is None


def test_a_brace_that_is_not_made_literal_is_eaten(sandbox: SandboxControl, twilio: httpx.Client) -> None:
    operation(
        twilio,
        content(
            subject="Pay {{ amount }} now", html="<p>{% if x %}now{% endif %}</p>", text='{{ "{" }}{ x }}'
        ),
    )
    [told] = sandbox.accepted_mails()
    assert (told.subject, told.html, told.text) == ("Pay  now", "<p>now</p>", "{{ x }}")


def test_an_opening_without_its_end_fails_the_email(sandbox: SandboxControl, twilio: httpx.Client) -> None:
    sid = operation(twilio, content(text="Pay {{ amount"))
    assert sandbox.settle()
    assert twilio.get(f"{EMAILS}/Operations/{sid}").json()["stats"]["failed"] == 1


def test_the_list_lags_and_both_forget_after_seven_days(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    sandbox.settings(list_lag_seconds=30)
    sid = operation(twilio, mail())
    assert twilio.get(EMAILS).json()["emails"] == []
    assert twilio.get(f"{EMAILS}/Operations/{sid}").status_code == 200
    sandbox.shift_clock(31)
    assert len(twilio.get(EMAILS).json()["emails"]) == 1
    sandbox.shift_clock(7 * 86_400)
    assert twilio.get(EMAILS).json()["emails"] == []
    assert twilio.get(f"{EMAILS}/Operations/{sid}").status_code == 404
    assert twilio.get(EMAILS, params={"tags": "n=a-1"}).status_code == 400


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("jane", "delivered", ["processed", "delivered"]),
        ("opened", "opened", ["processed", "delivered", "open"]),
        ("deferred+2", "delivered", ["processed", "deferred", "delivered"]),
        ("sent", "sent", ["processed"]),
        ("bounced", "undelivered", ["processed", "bounce"]),
        ("blocked", "undelivered", ["processed", "bounce"]),
        ("dropped", "failed", ["dropped"]),
        ("failed", "failed", ["dropped"]),
        ("spam", "delivered", ["processed", "delivered", "spamreport"]),
        ("unsubscribed", "delivered", ["processed", "delivered", "unsubscribe"]),
        ("stuck", "queued", []),
        ("mute", "delivered", []),
        ("unordered", "opened", ["open", "delivered", "processed"]),
        ("repeated", "delivered", ["processed", "processed", "delivered", "delivered"]),
    ],
)
def test_an_address_names_what_becomes_of_its_email(
    sandbox: SandboxControl,
    twilio: httpx.Client,
    grid: httpx.Client,
    name: str,
    status: str,
    words: list[str],
) -> None:
    sandbox.settings(events_url="http://127.0.0.1:9/nobody")
    operation(twilio, mail(to=[{"address": f"{name}@x.example"}]))
    assert grid.post(SEND, json=person(to=[{"email": f"{name}@x.example"}])).status_code == 202
    assert sandbox.settle()
    assert [one.status for one in sandbox.accepted_mails()] == [status, status]
    posted = [json.loads(post.body) for post in sandbox.event_posts()[::3]]
    assert [event["event"] for events in posted for event in events] == words


def test_a_life_that_was_laid_down_goes_before_the_addresss_name(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    sandbox.script_mail("bounced", to="*@x.example")
    operation(twilio, mail(to=[{"address": "opened@x.example"}]))
    assert sandbox.settle()
    assert [one.status for one in sandbox.accepted_mails()] == ["undelivered"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (grid_mail(personalizations=[]), 400, "personalizations.0.to.0.email"),
        (person(to=[{"email": "nobody"}]), 400, "personalizations.0.to.0.email"),
        (person(to=[{"email": "a@b.example,c@d.example"}]), 400, "personalizations.0.to.0.email"),
        (grid_mail(**{"from": {"name": "Company"}}), 400, "from.email"),
        (grid_mail(**{"from": {"email": "other@company.example"}}), 403, "from"),
        (grid_mail(subject=""), 400, "subject"),
        (grid_mail(subject="a\nBcc: x"), 400, "subject"),
        (grid_mail(content=[]), 400, "content"),
        (grid_mail(content=[{"type": "text/plain", "value": ""}]), 400, "content"),
        (
            grid_mail(content=[{"type": "text/html", "value": "x"}, {"type": "text/plain", "value": "x"}]),
            400,
            "content",
        ),
        (person(custom_args={"n": 7}), 400, "custom_args"),
        (person(custom_args={"n": "x" * 10_000}), 400, "custom_args"),
        (grid_mail(send_at="soon"), 400, "send_at"),
        (grid_mail(send_at=int(time.time()) + 73 * 3600), 400, "send_at"),
        (grid_mail(batch_id="unknown"), 400, "batch_id"),
        (grid_mail(reply_to={"email": "nobody"}), 400, "reply_to.email"),
        (grid_mail(idempotency_key="x"), 400, "idempotency_key"),
    ],
)
def test_sendgrid_refuses_the_field_at_fault_and_accepts_nothing(
    sandbox: SandboxControl, grid: httpx.Client, body: Row, status: int, field: str
) -> None:
    answer = grid.post(SEND, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
    assert sandbox.accepted_mails() == ()


def test_sendgrid_answers_with_an_id_alone_and_checks_without_sending(
    sandbox: SandboxControl, grid: httpx.Client
) -> None:
    checked = grid.post(SEND, json=grid_mail(mail_settings={"sandbox_mode": {"enable": True}}))
    assert (checked.status_code, sandbox.accepted_mails()) == (200, ())
    answer = grid.post(SEND, json=grid_mail())
    assert (answer.status_code, answer.content) == (202, b"")
    assert [one.sid for one in sandbox.accepted_mails()] == [answer.headers["X-Message-Id"]]
    assert grid.post(SEND, content=b"{}").status_code == 415
    assert grid.post(SEND, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400


def test_an_email_that_is_held_leaves_at_its_time_unless_its_batch_was_cancelled(
    sandbox: SandboxControl, grid: httpx.Client
) -> None:
    first, second = (grid.post(BATCH).json()["batch_id"] for _ in range(2))
    assert grid.get(f"{BATCH}/{first}").json() == {"batch_id": first}
    assert grid.get(f"{BATCH}/unknown").status_code == 400
    at = int(time.time()) + 1200
    for batch_id in (first, second):
        assert grid.post(SEND, json=grid_mail(send_at=at, batch_id=batch_id)).status_code == 202
    cancel = {"batch_id": first, "status": "cancel"}
    assert grid.post(CANCEL, json=cancel).status_code == 201
    assert grid.post(CANCEL, json=cancel).status_code == 400
    assert grid.get(f"{CANCEL}/{first}").json() == [cancel]
    assert grid.get(f"{CANCEL}/{second}").json() == []
    assert sandbox.settle()
    assert [one.status for one in sandbox.accepted_mails()] == ["scheduled", "scheduled"]
    sandbox.shift_clock(1201)
    while "scheduled" in {one.status for one in sandbox.accepted_mails()}:
        sandbox.settle()
    assert sandbox.settle()
    assert [one.status for one in sandbox.accepted_mails()] == ["canceled", "delivered"]


def test_a_batch_is_not_cancelled_in_its_last_ten_minutes_and_no_more_than_ten_at_once(
    sandbox: SandboxControl, grid: httpx.Client
) -> None:
    batches = [grid.post(BATCH).json()["batch_id"] for _ in range(12)]
    at = int(time.time()) + 1200
    for batch_id in batches:
        grid.post(SEND, json=grid_mail(send_at=at, batch_id=batch_id))
    answers = [grid.post(CANCEL, json={"batch_id": one, "status": "cancel"}).status_code for one in batches]
    assert answers == [201] * 10 + [400] * 2
    sandbox.shift_clock(1201)
    later = [grid.post(BATCH).json()["batch_id"] for _ in range(2)]
    for batch_id, seconds in zip(later, (590, 700), strict=True):
        grid.post(SEND, json=grid_mail(send_at=at + 1 + seconds, batch_id=batch_id))
    answers = [grid.post(CANCEL, json={"batch_id": one, "status": "cancel"}).status_code for one in later]
    assert answers == [400, 201]


def test_events_are_signed_with_the_key_that_is_told_and_tried_again(
    sandbox: SandboxControl, grid: httpx.Client
) -> None:
    sandbox.settings(events_url="http://127.0.0.1:9/nobody")
    grid.post(SEND, json=grid_mail())
    assert sandbox.settle()
    posts = sandbox.event_posts()
    assert [post.error for post in posts] == ["ConnectError"] * 6
    for post in posts:
        raw = post.body.encode()
        assert events_are_genuine(raw, post.signature, post.timestamp, [known.SENDGRID_WEBHOOK_KEY])
    assert signed("1", b"x") != signed("2", b"x")


def test_an_event_of_an_unknown_email_cannot_be_posted(sandbox: SandboxControl) -> None:
    with pytest.raises(ControlRefusedError):
        sandbox.send_event("nobody", "delivered")
