"""A message that Twilio holds, on the whole road: what stopped being true is taken back by itself."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.objects import StateType
from prefect.states import Scheduled
from sqlmodel import col, select

from deployments.sandbox.control_types import AcceptedMessage
from deployments.sandbox.credentials import MESSAGING_SERVICE_SID
from deployments.worker_runs import WORKER_LABEL
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, Notification
from tests.support_prefect import wait_until
from tests.support_road import Road

MOBILE = "+61491570714"


@pytest.fixture
def holding(calm: Road) -> Generator[Road]:
    """A road on which Twilio holds the message about an issued invoice."""
    policy = calm.home / "policy.toml"
    at_once = policy.read_text(encoding="utf-8")
    held = at_once.replace("[invoice_issued]\n", '[invoice_issued]\nsending = "hold"\n')
    policy.write_text(held, encoding="utf-8")
    try:
        calm.restart("worker", TWILIO_MESSAGING_SERVICE_SID=MESSAGING_SERVICE_SID, TWILIO_FROM="")
        yield calm
    finally:
        policy.write_text(at_once, encoding="utf-8")
        calm.restart("worker")


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
