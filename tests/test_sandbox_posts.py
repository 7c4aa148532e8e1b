"""The sandbox's webhooks and status callbacks, as a listener on loopback receives them."""

import json
import socket
from collections.abc import Generator, Iterator
from typing import Any, Protocol

import httpx
import pytest
from twilio.request_validator import RequestValidator

from deployments.sandbox import credentials as known
from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_client import ControlRefusedError
from deployments.sandbox.control_types import Event
from deployments.sandbox.server import running_sandbox
from tests.support_sandbox import TLS, Listener, listening, signed

MESSAGES = f"/2010-04-01/Accounts/{known.TWILIO_ACCOUNT_SID}/Messages.json"
TO = "+64211234567"


class Validator(Protocol):
    """Twilio's own check of a signature, whose package carries no types."""

    def validate(self, uri: str, params: dict[str, str], signature: str) -> bool: ...


def twilios_validator() -> Validator:
    return RequestValidator(known.TWILIO_AUTH_TOKEN)


def nobodys_url() -> str:
    """An address on loopback where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/hooks"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as state:
        yield state


@pytest.fixture(scope="module")
def running() -> Generator[SandboxControl]:
    with running_sandbox(SandboxSettings(callback_step_seconds=0.005)) as control:
        yield control


@pytest.fixture
def sandbox(running: SandboxControl, listener: Listener) -> SandboxControl:
    running.reset()
    running.settings(webhook_url=listener.url)
    return running


def an_invoice(sandbox: SandboxControl) -> str:
    return next(invoice.invoice_id for invoice in sandbox.invoices() if invoice.number == "INV-0993")


def send(sandbox: SandboxControl, callback: str, **changes: str) -> str:
    form = {"To": TO, "From": known.TWILIO_FROM, "Body": "hi", "StatusCallback": callback} | changes
    auth = (known.TWILIO_ACCOUNT_SID, known.TWILIO_AUTH_TOKEN)
    answer = httpx.post(sandbox.base_url + MESSAGES, data=form, auth=auth, verify=TLS, timeout=60)
    assert answer.status_code == 201
    return answer.json()["sid"]


def told(listener: Listener) -> list[str]:
    return [heard.form()["MessageStatus"] for heard in listener.heard]


def test_each_change_rings_once_with_ids_only_and_a_signature_over_the_raw_bytes(
    sandbox: SandboxControl, listener: Listener
) -> None:
    paid = sandbox.pay(an_invoice(sandbox))
    assert sandbox.settle()
    (heard,) = listener.heard
    assert heard.headers["x-xero-signature"] == signed(heard.body, known.XERO_WEBHOOK_KEY)
    assert heard.headers["content-type"] == "application/json; charset=utf-8"
    body = json.loads(heard.body)
    assert (body["firstEventSequence"], body["lastEventSequence"]) == (1, 1)
    (event,) = body["events"]
    assert event == {
        "resourceUrl": f"https://api.xero.com/api.xro/2.0/Invoices/{paid.invoice_id}",
        "resourceId": paid.invoice_id,
        "tenantId": known.TENANT_ID,
        "tenantType": "ORGANISATION",
        "eventCategory": "INVOICE",
        "eventType": "UPDATE",
        "eventDateUtc": paid.updated_at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3],
    }


def test_the_bytes_are_spaced_as_no_json_library_spaces_them(
    sandbox: SandboxControl, listener: Listener
) -> None:
    sandbox.pay(an_invoice(sandbox))
    assert sandbox.settle()
    body = listener.heard[0].body
    assert body.startswith(b'{"events":[{"resourceUrl": "')
    assert b',"lastEventSequence": 1, "entropy": "' in body
    for spaced in (json.dumps(json.loads(body)), json.dumps(json.loads(body), separators=(",", ":"))):
        assert spaced.encode() != body


def test_a_draft_rings_create_and_its_approval_only_update(sandbox: SandboxControl) -> None:
    contact_id = sandbox.contacts()[0].contact_id
    draft = sandbox.add_invoice(contact_id, "10", approved=False)
    sandbox.approve(draft.invoice_id)
    sandbox.set_phone(contact_id, "021 123 4568")
    found = [(event.category, event.type, event.resource_id) for event in sandbox.events()]
    assert found == [
        ("INVOICE", "CREATE", draft.invoice_id),
        ("INVOICE", "UPDATE", draft.invoice_id),
        ("CONTACT", "UPDATE", contact_id),
    ]
    assert len({event.date for event in sandbox.events()}) == 3


def test_a_redelivery_has_fresh_entropy_and_a_repeat_has_the_same_bytes(
    sandbox: SandboxControl, listener: Listener
) -> None:
    with pytest.raises(ControlRefusedError):
        sandbox.redeliver()
    sandbox.pay(an_invoice(sandbox))
    sandbox.redeliver()
    assert sandbox.settle()
    sandbox.repeat()
    assert sandbox.settle()
    first, again, same = (heard.body for heard in listener.heard)
    assert first != again == same
    assert json.loads(first)["events"] == json.loads(again)["events"]
    assert json.loads(first)["entropy"] != json.loads(again)["entropy"]
    assert [delivery.kind for delivery in sandbox.deliveries()] == ["events", "redelivery", "repeat"]


def test_any_list_of_events_goes_out_together_with_its_own_sequence(
    sandbox: SandboxControl, listener: Listener
) -> None:
    events = [
        Event(known.TENANT_ID, "PAYMENTISH", "Update", f"id-{n}", "2031-01-01T00:00:00.000") for n in range(3)
    ]
    sandbox.deliver(events)
    sandbox.deliver(events[:1])
    assert sandbox.settle()
    spans = [json.loads(heard.body) for heard in listener.heard]
    assert [(span["firstEventSequence"], span["lastEventSequence"]) for span in spans] == [(1, 3), (4, 4)]
    assert [event["resourceId"] for event in spans[0]["events"]] == ["id-0", "id-1", "id-2"]


def test_a_failed_delivery_is_tried_again_at_once_then_held_and_replayed_in_order(
    sandbox: SandboxControl, listener: Listener
) -> None:
    listener.statuses += [500, 500, 503, 503]
    invoice_id = an_invoice(sandbox)
    sandbox.edit(invoice_id, reference="one")
    sandbox.edit(invoice_id, reference="two")
    assert sandbox.settle()
    assert [delivery.status for delivery in sandbox.deliveries()] == [500, 500, 503, 503]
    assert sandbox.replay() == 2
    assert sandbox.settle()
    last = [json.loads(heard.body)["firstEventSequence"] for heard in listener.heard[-2:]]
    assert last == [1, 2]


def test_nothing_is_posted_where_deliveries_are_not_automatic(
    sandbox: SandboxControl, listener: Listener
) -> None:
    sandbox.settings(webhooks_automatic=False)
    sandbox.pay(an_invoice(sandbox))
    assert sandbox.settle()
    assert (len(sandbox.events()), listener.heard) == (1, [])


def test_a_listener_that_is_gone_is_recorded_as_a_failed_delivery(sandbox: SandboxControl) -> None:
    sandbox.settings(webhook_url=nobodys_url(), webhook_retries=0)
    sandbox.pay(an_invoice(sandbox))
    assert sandbox.settle()
    assert [(d.status, d.error) for d in sandbox.deliveries()] == [(None, "ConnectError")]


def test_the_intent_to_receive_passes_only_a_listener_that_tells_one_character_apart(
    sandbox: SandboxControl, listener: Listener
) -> None:
    listener.check_key = known.XERO_WEBHOOK_KEY
    probe = sandbox.probe()
    assert (probe.passed, probe.problem) == (True, "")
    assert sorted(delivery.status or 0 for delivery in probe.deliveries) == [200, 401, 401, 401]
    assert {json.loads(heard.body)["lastEventSequence"] for heard in listener.heard} == {0}
    for heard in listener.heard:
        true, sent = signed(heard.body, known.XERO_WEBHOOK_KEY), heard.headers["x-xero-signature"]
        assert sum(a != b for a, b in zip(true, sent, strict=True)) <= 1


def test_the_intent_to_receive_fails_a_listener_that_trusts_everybody_or_sets_a_cookie(
    sandbox: SandboxControl, listener: Listener
) -> None:
    assert sandbox.probe().problem == "Response to incorrectly signed payload not 401"
    listener.check_key, listener.cookie = known.XERO_WEBHOOK_KEY, True
    assert sandbox.probe().problem == "Response must have no body and no cookies"


def test_an_ordinary_message_is_told_of_from_sending_to_delivered_and_not_of_its_first_status(
    sandbox: SandboxControl, listener: Listener
) -> None:
    sid = send(sandbox, listener.url + "?n=7#rc=5&rp=all")
    assert sandbox.settle()
    assert told(listener) == ["sending", "sent", "delivered"]
    form = listener.heard[-1].form()
    assert form["MessageSid"] == form["SmsSid"] == sid
    assert form["SmsStatus"] == "delivered"
    assert form["RawDlrDoneDate"].isdigit()
    assert "ErrorCode" not in form
    assert {heard.path for heard in listener.heard} == {"/hooks?n=7"}


def test_a_service_is_told_of_from_queued_on_and_names_itself(
    sandbox: SandboxControl, listener: Listener
) -> None:
    send(sandbox, listener.url, MessagingServiceSid=known.MESSAGING_SERVICE_SID)
    assert sandbox.settle()
    assert told(listener) == ["queued", "sending", "sent", "delivered"]
    assert listener.heard[0].form()["MessagingServiceSid"] == known.MESSAGING_SERVICE_SID


def test_every_callback_carries_twilios_signature_also_over_new_and_blank_fields(
    sandbox: SandboxControl, listener: Listener
) -> None:
    sandbox.settings(extra_callback_fields={"BrandNew": "a b+c&d=ā", "Blank": ""})
    send(sandbox, listener.url + "?n=1&m=two%20words#rc=2")
    assert sandbox.settle()
    validator = twilios_validator()
    for heard in listener.heard:
        url = listener.url.removesuffix("/hooks") + heard.path
        form = heard.form()
        assert form["Blank"] == ""
        assert validator.validate(url, form, heard.headers["x-twilio-signature"])
        assert not validator.validate(url, form | {"To": "+1"}, heard.headers["x-twilio-signature"])


@pytest.mark.parametrize(
    ("life", "statuses", "ends"),
    [
        ("undelivered", ["sending", "sent", "undelivered"], "undelivered"),
        ("failed", ["failed"], "failed"),
        ("sent", ["sending", "sent"], "sent"),
        ("stuck", [], "queued"),
        ("mute", [], "delivered"),
        ("unordered", ["delivered", "sent", "sending"], "delivered"),
        ("repeated", ["sending", "sending", "sent", "sent", "delivered", "delivered"], "delivered"),
    ],
)
def test_a_life_can_be_laid_down_for_a_pattern_of_numbers(
    sandbox: SandboxControl, listener: Listener, life: Any, statuses: list[str], ends: str
) -> None:
    sandbox.script_life(life, to="+6421*", error_code=30007)
    send(sandbox, listener.url)
    assert sandbox.settle()
    assert told(listener) == statuses
    assert [message.status for message in sandbox.accepted_messages()] == [ends]
    codes = {heard.form().get("ErrorCode") for heard in listener.heard}
    assert ("30007" in codes) == (life in {"undelivered", "failed"})
    listener.heard.clear()
    send(sandbox, listener.url, To="+61491570156")
    assert sandbox.settle()
    assert told(listener) == ["sending", "sent", "delivered"]


def test_a_callback_that_is_answered_with_an_error_is_not_tried_again_unless_the_fragment_says_so(
    sandbox: SandboxControl, listener: Listener
) -> None:
    sandbox.script_life("failed")
    listener.statuses += [500, 500]
    send(sandbox, listener.url)
    assert sandbox.settle()
    assert [post.status for post in sandbox.callback_posts()] == [500]
    listener.statuses[:] = [500, 404]
    send(sandbox, listener.url + "#rc=5&rp=all")
    assert sandbox.settle()
    assert [post.status for post in sandbox.callback_posts()][1:] == [500, 404, 200]
    tokens = [heard.headers["i-twilio-idempotency-token"] for heard in listener.heard]
    assert len(tokens) == 4
    assert len(set(tokens)) == 2


def test_an_unreachable_callback_is_tried_once_more(sandbox: SandboxControl) -> None:
    sandbox.script_life("failed")
    send(sandbox, nobodys_url())
    assert sandbox.settle()
    assert [post.error for post in sandbox.callback_posts()] == ["ConnectError", "ConnectError"]


def test_a_callback_of_any_status_can_be_sent_without_moving_the_message(
    sandbox: SandboxControl, listener: Listener
) -> None:
    sandbox.script_life("mute")
    sid = send(sandbox, listener.url)
    assert sandbox.settle()
    sandbox.send_callback(sid, "undelivered", 30003)
    assert told(listener) == ["undelivered"]
    assert [message.status for message in sandbox.accepted_messages()] == ["delivered"]
