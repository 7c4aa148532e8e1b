"""A message that its provider holds, on the whole road: what stopped being true is taken back by itself."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prefect.client.schemas.objects import StateType
from prefect.states import Scheduled
from sqlmodel import col, select

from deployments.sandbox.control_types import AcceptedMessage
from deployments.sandbox.credentials import MESSAGING_SERVICE_SID, SENDGRID_API_KEY
from deployments.sandbox.email_types import AcceptedMail
from deployments.worker_runs import WORKER_LABEL
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, Notification
from tests.support_prefect import wait_until
from tests.support_road import Road

MOBILE, ADDRESS = "+61491570714", "accounts@writtento.example"


@pytest.fixture
def holding(calm: Road) -> Generator[Road]:
    """A road on which Twilio holds the message about an issued invoice."""
    with holds(calm, TWILIO_MESSAGING_SERVICE_SID=MESSAGING_SERVICE_SID, TWILIO_FROM=""):
        yield calm


@pytest.fixture
def holding_emails(calm: Road) -> Generator[Road]:
    """A road on which SendGrid holds the email about an issued invoice."""
    with holds(calm, "[hold]\nemails = true\n", EMAIL_PROVIDER="sendgrid"):
        yield calm


@contextmanager
def holds(road: Road, more: str = "", **environment: str) -> Generator[None]:
    """A policy by which the message about an issued invoice is held, and a worker that is set up for it."""
    policy = road.home / "policy.toml"
    at_once = policy.read_text(encoding="utf-8")
    held = at_once.replace("[invoice_issued]\n", '[invoice_issued]\nsending = "hold"\n')
    policy.write_text(f"{held}\n{more}", encoding="utf-8")
    try:
        road.restart("worker", **environment)
        yield
    finally:
        policy.write_text(at_once, encoding="utf-8")
        road.restart("worker")


def told(road: Road) -> list[AcceptedMessage]:
    """What the sandbox took for the customer of this test: the oracle."""
    return [one for one in road.sandbox.accepted_messages() if one.to == MOBILE]


def trail(road: Road, notification: Notification) -> list[str]:
    """What happened to a notification, in order."""
    wanted = select(Audit.action).where(Audit.subject_id == notification.key).order_by(col(Audit.sequence))
    with reading(road.engine) as session:
        return list(session.exec(wanted).all())


@contextmanager
def another_machine_died_over_settling(road: Road) -> Generator[None]:
    """Its run has begun as far as Prefect knows, and keeps its place among them."""
    with road.prefect.client() as client:
        deployment = client.read_deployment_by_name("settle/settle")
        later = Scheduled(scheduled_time=datetime.now(UTC) + timedelta(hours=1))
        run = client.create_flow_run_from_deployment(deployment.id, state=later).id
        client.update_flow_run_labels(run, {WORKER_LABEL: "another"})
    road.prefect.set_state(run, StateType.PENDING, "Pending", force=False)
    try:
        yield
        assert road.prefect.read_run(run).state_type is StateType.PENDING
    finally:
        road.prefect.set_state(run, StateType.CANCELLED, "Cancelled", force=False)


def test_f051_what_is_paid_while_twilio_holds_it_is_taken_back_though_another_machine_died(
    holding: Road,
) -> None:
    contact = holding.sandbox.add_contact("Paid While Held Pty", mobile=("61", "", MOBILE[3:]))
    invoice = holding.sandbox.add_invoice(contact.contact_id, "100.00")
    holding.wait_for(invoice.invoice_id, "scheduled")
    [message] = told(holding)
    [attempt] = holding.attempts(invoice.invoice_id)
    assert (message.status, message.send_at) == ("scheduled", attempt.send_at)

    with another_machine_died_over_settling(holding):
        holding.sandbox.pay(invoice.invoice_id)
        row = holding.wait_for(invoice.invoice_id, "skipped")

    assert row.reason == "already_paid"
    [attempt] = holding.attempts(invoice.invoice_id)
    assert (attempt.state, attempt.cancel_why) == ("cancelled", "already_paid")
    assert trail(holding, row)[-2:] == ["notification planned", "notification skipped"]
    wait_until(lambda: len(told(holding)) == 2, "the payment is confirmed, at once")
    taken_back, confirmed = told(holding)
    assert (taken_back.sid, taken_back.status) == (message.sid, "canceled")
    assert (confirmed.send_at, "115.00" in confirmed.body) == (None, True)


def test_an_email_whose_answer_was_lost_is_discarded_and_held_once_more_until_its_invoice_is_paid(
    holding_emails: Road,
) -> None:
    road = holding_emails
    policy = road.home / "policy.toml"
    by_email = policy.read_text(encoding="utf-8").replace('channels = ["sms"]', 'channels = ["email"]')
    policy.write_text(by_email, encoding="utf-8")
    contact = road.sandbox.add_contact("Written To While Held Pty", email=ADDRESS)
    road.sandbox.fail_next("drop_after", method="POST", path="/v3/mail/send")
    invoice = road.sandbox.add_invoice(contact.contact_id, "100.00")
    road.wait_for(invoice.invoice_id, "unknown")
    road.look_now(invoice.invoice_id)
    road.wait_for(invoice.invoice_id, "scheduled")

    first, second = written(road)
    attempts = road.attempts(invoice.invoice_id)
    assert [(one.state, one.batch_id) for one in attempts] == [
        ("not_processed", first.batch_id),
        ("accepted", second.batch_id),
    ]
    assert (is_discarded(road, first), is_discarded(road, second)) == (True, False)

    road.sandbox.pay(invoice.invoice_id)
    row = road.wait_for(invoice.invoice_id, "skipped")
    assert row.reason == "already_paid"
    assert is_discarded(road, second)
    assert {one.status for one in (first, second, *written(road)[:2])} == {"scheduled"}  # until their time


def written(road: Road) -> list[AcceptedMail]:
    """What SendGrid took for the customer of this test."""
    return [one for one in road.sandbox.accepted_mails() if one.to == ADDRESS]


def is_discarded(road: Road, mail: AcceptedMail) -> bool:
    """Whether SendGrid is to discard it at its time."""
    url = f"{road.sandbox.base_url}/v3/user/scheduled_sends/{mail.batch_id}"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {SENDGRID_API_KEY}"}, trust_env=False)
    return answer.json() == [{"batch_id": mail.batch_id, "status": "cancel"}]
