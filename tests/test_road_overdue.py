"""Reminders on the whole road: swept, read anew, said once, and not said once it is paid."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.objects import FlowRun, StateType
from sqlalchemy import update
from sqlmodel import col, select

from deployments.sandbox.control_types import AcceptedMessage, InvoiceSummary
from deployments.sandbox.credentials import TENANT_ID
from duebell.ledger.engine import reading
from duebell.ledger.tables import CreditReading, InvoiceSnapshot, Notification
from tests.support_prefect import wait_until
from tests.support_road import Road


@pytest.fixture
def chasing(calm: Road) -> Generator[Road]:
    """A road on which people are reminded."""
    policy = calm.home / "policy.toml"
    quiet = policy.read_text(encoding="utf-8")
    loud = quiet.replace("[invoice_overdue]\nenabled = false\n", "[invoice_overdue]\n")
    policy.write_text(loud, encoding="utf-8")
    yield calm
    policy.write_text(quiet, encoding="utf-8")


def overdue(road: Road, name: str, mobile: str, days: int) -> InvoiceSummary:
    """An invoice that was due so many days ago, of a customer of this test's own."""
    contact = road.sandbox.add_contact(name, mobile=("61", "", mobile.removeprefix("+61")))
    today = datetime.now(UTC).date()
    invoice = road.sandbox.add_invoice(
        contact.contact_id,
        "100.00",
        issued_on=today - timedelta(days=days + 20),
        due_on=today - timedelta(days=days),
    )
    wait_until(lambda: road.handled(invoice.invoice_id), "the invoice is known")
    return invoice


def swept(road: Road) -> FlowRun:
    """What "Run" on the sweep does."""
    return road.run_whole("overdue-sweep", tenant_ids=[TENANT_ID])


def told(road: Road, mobile: str) -> list[AcceptedMessage]:
    return [one for one in road.sandbox.accepted_messages() if one.to == mobile]


def reminders(road: Road, invoice: InvoiceSummary) -> list[tuple[str, str]]:
    with reading(road.engine) as session:
        rows = session.exec(
            select(Notification)
            .where(Notification.kind == "invoice_overdue", Notification.invoice_id == invoice.invoice_id)
            .order_by(col(Notification.notification_id))
        ).all()
    return [(row.step.partition("@")[0], row.state) for row in rows]


def test_an_overdue_invoice_is_reminded_of_once_at_its_stage(chasing: Road) -> None:
    mobile = "+61491570711"
    invoice = overdue(chasing, "Slow Payer Pty", mobile, 8)
    run = swept(chasing)
    assert run.state_type is StateType.COMPLETED, run.state
    wait_until(lambda: told(chasing, mobile), "the customer is reminded")
    again = swept(chasing)
    assert again.state_type is StateType.COMPLETED
    wait_until(lambda: reminders(chasing, invoice) == [("second", "delivered")], "it is delivered")
    [message] = told(chasing, mobile)
    assert invoice.number in message.body
    assert "115.00" in message.body


def test_a_customer_who_pays_before_it_is_said_is_not_reminded(chasing: Road) -> None:
    mobile = "+61491570712"
    invoice = overdue(chasing, "Paid Meanwhile Pty", mobile, 8)
    # Paid in Xero and nobody tells us: what the ledger knows is some minutes old.
    assert chasing.sandbox.settle(30)
    chasing.sandbox.settings(webhooks_automatic=False)
    chasing.sandbox.pay(invoice.invoice_id)
    past = datetime.now(UTC) - timedelta(minutes=5)
    with chasing.engine.begin() as connection:
        connection.execute(
            update(InvoiceSnapshot)
            .where(col(InvoiceSnapshot.invoice_id) == invoice.invoice_id)
            .values(read_at=past)
        )
    swept(chasing)
    wait_until(lambda: reminders(chasing, invoice) == [("second", "skipped")], "it is left out")
    chasing.sandbox.settings(webhooks_automatic=True)
    assert told(chasing, mobile) == []


def test_a_customer_whose_credit_waits_in_xero_is_not_reminded_until_it_is_refunded(chasing: Road) -> None:
    mobile = "+61491570713"
    invoice = overdue(chasing, "Paid Too Much Pty", mobile, 8)
    contact = next(one.contact_id for one in chasing.sandbox.contacts() if one.name == "Paid Too Much Pty")
    # Nobody tells us of it: the run that is about to speak asks for it.
    assert chasing.sandbox.settle(30)
    chasing.sandbox.settings(webhooks_automatic=False)
    credit = chasing.sandbox.add_credit("CREDITNOTE", contact, "200.00")
    with chasing.engine.begin() as connection:
        connection.execute(update(CreditReading).values(read_at=datetime.now(UTC) - timedelta(minutes=2)))
    swept(chasing)
    wait_until(lambda: reminders(chasing, invoice) == [("second", "held")], "it waits")
    assert told(chasing, mobile) == []
    chasing.sandbox.settings(webhooks_automatic=True)
    chasing.sandbox.refund(credit.credit_id)
    wait_until(lambda: chasing.handled(credit.credit_id), "the refund is known")
    swept(chasing)
    wait_until(lambda: len(told(chasing, mobile)) == 1, "the customer is reminded")
