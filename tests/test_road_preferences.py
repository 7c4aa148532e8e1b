"""What a person answers to one sender is heeded, told to Twilio for the others, and taken back by START."""

import uuid
from collections.abc import Generator

import httpx
import pytest

from deployments.sandbox import credentials
from deployments.sandbox.callbacks import twilio_signature
from duebell.twilio.inbound import INBOUND_PATH
from tests.support_prefect import wait_until
from tests.support_road import Road

A, B = credentials.TWILIO_FROM, credentials.MESSAGING_SERVICE_SID
MIRRORED = f"""
[preferences]
mirror_to_twilio = true
no_messages_groups = ["No SMS"]
write_back_group = "No SMS"

[[rule]]
when = {{ currency = "AUD" }}
then = {{ sender = "{B}" }}
"""


@pytest.fixture
def mirroring(calm: Road) -> Generator[Road]:
    """The road, with two senders and a policy that tells Twilio."""
    policy = calm.settings.policy
    text = policy.read_text(encoding="utf-8")
    policy.write_text(text + MIRRORED, encoding="utf-8")
    yield calm
    policy.write_text(text, encoding="utf-8")


def writes(road: Road, body: str, number: str) -> None:
    """A person writes to sender A: Twilio heeds the word, and rings at the receiver."""
    road.sandbox.opt_out(number, opted_out=body == "STOP", sender=A)
    sid = "SM" + uuid.uuid4().hex
    fields = {
        "MessageSid": sid, "AccountSid": credentials.TWILIO_ACCOUNT_SID, "From": number, "To": A,
        "Body": body, "NumMedia": "0",
    }  # fmt: skip
    url = f"{road.settings.public_url}{INBOUND_PATH}"
    signature = twilio_signature(credentials.TWILIO_AUTH_TOKEN, url, fields)
    answer = httpx.post(
        url, data=fields, headers={"X-Twilio-Signature": signature}, trust_env=False, timeout=60
    )
    assert answer.status_code == 200


def held(road: Road, number: str) -> dict[str, tuple[str, str]]:
    """What Twilio holds of a number, by sender, and where it has it from."""
    return {
        one.sender_id: (one.status, one.source) for one in road.sandbox.consents() if one.contact_id == number
    }


def shown(road: Road) -> tuple[str, ...]:
    """Who is in the group of Xero that shows who stopped."""
    return next(one.contact_ids for one in road.sandbox.groups() if one.name == "No SMS")


def test_stop_to_one_sender_reaches_the_other_and_the_next_invoice_is_not_told_until_start(
    mirroring: Road,
) -> None:
    road = mirroring
    road.sandbox.add_group("No SMS")
    first = road.issue("41.00")
    road.wait_for(first.invoice_id, "delivered")
    number = road.messages(first)[0].to
    writes(road, "STOP", number)
    wait_until(lambda: B in held(road, number), "Twilio knows at the other sender")
    assert held(road, number) == {A: ("opt-out", "word"), B: ("opt-out", "opt-out-message")}
    wait_until(lambda: shown(road) == (road.contact(),), "Xero shows it")
    stopped = road.issue("42.00")
    assert road.wait_for(stopped.invoice_id, "skipped").reason in {"opted_out", "wants_no_messages"}
    assert road.messages(stopped) == []
    writes(road, "START", number)
    wait_until(lambda: held(road, number)[B][0] == "opt-in", "Twilio knows that it was taken back")
    assert held(road, number) == {A: ("opt-in", "word"), B: ("opt-in", "opt-in-message")}
    wait_until(lambda: shown(road) == (), "Xero shows it no more")
    again = road.issue("43.00")
    road.wait_for(again.invoice_id, "delivered")
    road.wait_for(stopped.invoice_id, "delivered")  # its contact changed in Xero: decided anew
    assert {one.sender_id for one in road.sandbox.consent_log()} == {B}
