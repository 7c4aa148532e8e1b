"""Payments and contacts on the whole road: told once, corrected silently, never said when it is not true."""

from datetime import UTC, datetime, timedelta

from prefect.client.schemas.objects import StateType
from sqlmodel import col, select

from deployments.sandbox.control_types import AcceptedMessage, InvoiceSummary
from deployments.sandbox.credentials import TENANT_ID
from duebell.ledger.engine import reading
from duebell.ledger.tables import Notification
from tests.support_prefect import wait_until
from tests.support_road import Road


def customer(road: Road, name: str, mobile: str) -> str:
    """A contact of this test's own, with a number that nobody else has."""
    contact = road.sandbox.add_contact(name, mobile=("61", "", mobile.removeprefix("+61")))
    return contact.contact_id


def told(road: Road, mobile: str, word: str) -> list[AcceptedMessage]:
    """What the sandbox accepted for a number, of those messages that hold a word: the oracle."""
    return [one for one in road.sandbox.accepted_messages() if one.to == mobile and word in one.body]


def issued(road: Road, contact_id: str, mobile: str, amount: str = "100.00") -> InvoiceSummary:
    invoice = road.sandbox.add_invoice(contact_id, amount)
    wait_until(lambda: told(road, mobile, invoice.number), f"{invoice.number} is told")
    return invoice


def owed(road: Road, *invoices: InvoiceSummary) -> list[tuple[str, str]]:
    """State and reason of what is owed about the payments of these invoices."""
    ids = [one.invoice_id for one in invoices]
    with reading(road.engine) as session:
        rows = session.exec(
            select(Notification)
            .where(Notification.kind == "payment_received", col(Notification.invoice_id).in_(ids))
            .order_by(col(Notification.notification_id))
        ).all()
    return [(row.state, row.reason) for row in rows]


def quiet(road: Road, *records: str) -> None:
    """Every event of these records came and was handled."""
    assert road.sandbox.settle(30)
    wait_until(lambda: all(road.handled(one) for one in records), "every event was handled")


def test_part_payments_are_confirmed_one_by_one_with_what_is_still_to_pay(calm: Road) -> None:
    mobile = "+61491570701"
    contact = customer(calm, "Part Payer Pty", mobile)
    invoice = issued(calm, contact, mobile)
    calm.sandbox.pay(invoice.invoice_id, "30.00")
    wait_until(lambda: told(calm, mobile, "30.00"), "the first payment is confirmed")
    calm.sandbox.pay(invoice.invoice_id)
    wait_until(lambda: told(calm, mobile, "paid in full"), "the last payment is confirmed")
    first, last = told(calm, mobile, "received")
    assert "Still to pay: " in first.body
    assert "85.00" in last.body
    assert len(told(calm, mobile, invoice.number)) == 3


def test_a_batch_of_one_customer_is_one_message_and_a_credit_is_none(calm: Road) -> None:
    mobile = "+61491570702"
    contact = customer(calm, "Batch Payer Pty", mobile)
    invoices = [issued(calm, contact, mobile, f"{20 + n}.00") for n in range(3)]
    credited = issued(calm, contact, mobile, "77.00")
    calm.sandbox.pay_batch([(one.invoice_id, None) for one in invoices])
    calm.sandbox.credit(credited.invoice_id, "77.00")
    wait_until(lambda: told(calm, mobile, "received"), "the batch is confirmed")
    quiet(calm, *(one.invoice_id for one in (*invoices, credited)))
    [message] = told(calm, mobile, "received")
    assert "72.45" in message.body
    assert all(one.number in message.body for one in invoices)
    assert credited.number not in message.body
    assert owed(calm, credited) == []


def test_a_payment_that_is_removed_and_entered_anew_is_confirmed_once(calm: Road) -> None:
    mobile = "+61491570703"
    invoice = issued(calm, customer(calm, "Corrected Pty", mobile), mobile)
    paid = calm.sandbox.pay(invoice.invoice_id, "40.00")
    wait_until(lambda: told(calm, mobile, "received"), "the payment is confirmed")
    calm.sandbox.remove_payment(invoice.invoice_id, paid.payments[0].payment_id)
    quiet(calm, invoice.invoice_id)
    calm.sandbox.enter_payment_again(paid.payments[0].payment_id)
    quiet(calm, invoice.invoice_id)
    run = calm.by_hand("payment-received", tenant_id=TENANT_ID, invoice_ids=[invoice.invoice_id])
    assert calm.prefect.wait_for(run).state_type is StateType.COMPLETED
    assert len(told(calm, mobile, "received")) == 1
    assert len(owed(calm, invoice)) == 1


def test_a_payment_dated_ahead_is_held_and_one_removed_meanwhile_is_never_said(calm: Road) -> None:
    mobile = "+61491570704"
    invoice = issued(calm, customer(calm, "Ahead Pty", mobile), mobile)
    ahead = (datetime.now(UTC) + timedelta(days=3)).date()
    paid = calm.sandbox.pay(invoice.invoice_id, "40.00", paid_on=ahead)
    wait_until(lambda: owed(calm, invoice) == [("held", "dated_ahead")], "it is held")
    calm.sandbox.remove_payment(invoice.invoice_id, paid.payments[0].payment_id)
    wait_until(lambda: owed(calm, invoice) == [("skipped", "payment_removed")], "it is left out")
    assert told(calm, mobile, "received") == []


def test_a_number_entered_later_lets_out_what_waited_for_it_and_nobody_hears_of_the_contact(
    calm: Road,
) -> None:
    mobile = "+61491570705"
    contact = calm.sandbox.add_contact("Late Number Pty").contact_id
    invoice = calm.sandbox.add_invoice(contact, "100.00")
    wait_until(lambda: calm.state(invoice.invoice_id) == "skipped", "there is no number")
    calm.sandbox.set_phone(contact, mobile.removeprefix("+61"), country="61", kind="MOBILE")
    wait_until(lambda: told(calm, mobile, invoice.number), "the invoice is told")
    quiet(calm, contact)
    assert len(told(calm, mobile, "")) == 1


def test_a_merge_is_followed_to_the_contact_that_is_left(calm: Road) -> None:
    mobile = "+61491570706"
    survivor = customer(calm, "Survivor Pty", mobile)
    gone = calm.sandbox.add_contact("Merged Away Pty").contact_id
    invoice = calm.sandbox.add_invoice(gone, "100.00")
    wait_until(lambda: calm.state(invoice.invoice_id) == "skipped", "there is no number")
    calm.sandbox.merge_contacts(gone, survivor)
    wait_until(lambda: told(calm, mobile, invoice.number), "the invoice is told to the survivor")
    quiet(calm, gone)
    assert len(told(calm, mobile, invoice.number)) == 1
