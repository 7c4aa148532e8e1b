"""What the sandbox's Xero tells of money: in ``/Payments``, in the invoice, and in its events."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_client import ControlRefusedError
from deployments.sandbox.control_types import InvoiceSummary
from tests.support_sandbox import Row, contact_id, invoice_id, rows, rung, xero_client

CAFE = "Aro Street Cafe"
IN_PAYMENT = {
    "PaymentID", "Date", "Amount", "Reference", "CurrencyRate", "HasAccount", "HasValidationErrors",
}  # fmt: skip


@pytest.fixture
def xero(sandbox: SandboxControl) -> Iterator[httpx.Client]:
    with xero_client(sandbox) as client:
        yield client


def issue(sandbox: SandboxControl, amount: str = "100.00", name: str = CAFE) -> InvoiceSummary:
    return sandbox.add_invoice(contact_id(sandbox, name), amount)


def payments(xero: httpx.Client, **query: str) -> list[Row]:
    return rows(xero.get("/Payments", params=query), "Payments")


def payment(xero: httpx.Client, payment_id: str) -> Row:
    (row,) = rows(xero.get(f"/Payments/{payment_id}"), "Payments")
    return row


def listed(xero: httpx.Client, invoice: InvoiceSummary) -> Row:
    (row,) = rows(xero.get("/Invoices", params={"IDs": invoice.invoice_id, "page": 1}), "Invoices")
    return row


def test_a_payment_is_embedded_without_its_type_and_batch_and_listed_with_them(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    invoice = issue(sandbox)
    sandbox.pay(invoice.invoice_id, "40.00", reference="EFT 7", paid_on=date(2031, 5, 6))
    (embedded,) = listed(xero, invoice)["Payments"]
    assert set(embedded) == IN_PAYMENT
    row = payment(xero, embedded["PaymentID"])
    assert (row["PaymentType"], row["Status"], row["Reference"]) == ("ACCRECPAYMENT", "AUTHORISED", "EFT 7")
    assert (row["Amount"], row["BankAmount"], row["HasAccount"]) == (40.0, 40.0, True)
    assert row["Date"] == f"/Date({int(datetime(2031, 5, 6, tzinfo=UTC).timestamp()) * 1000}+0000)/"
    assert "BatchPaymentID" not in row
    assert row["UpdatedDateUTC"] == listed(xero, invoice)["UpdatedDateUTC"]


def test_a_listed_payment_names_its_invoice_by_a_stub_and_a_single_one_carries_it_whole(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    invoice = issue(sandbox)
    sandbox.pay(invoice.invoice_id, "40.00")
    stub = payments(xero, where=f'Invoice.InvoiceID==Guid("{invoice.invoice_id}")')[0]["Invoice"]
    assert (stub["InvoiceNumber"], stub["Contact"]["Name"]) == (invoice.number, CAFE)
    assert stub["Contact"]["Phones"] == []
    assert not {"AmountDue", "Status", "Total", "Date"} & set(stub)
    whole = payment(xero, sandbox.payments()[-1].payment_id)["Invoice"]
    assert (whole["Status"], whole["AmountDue"], len(whole["Payments"])) == ("AUTHORISED", 75.0, 1)
    assert "Phones" not in whole["Contact"]


def test_the_amount_is_in_the_invoices_currency_and_the_bank_amount_in_the_accounts(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    contact = contact_id(sandbox, "Fitzroy Crumb Company")
    invoice = sandbox.add_invoice(contact, "200.00", rate=Decimal("0.8"))
    assert (invoice.currency, listed(xero, invoice)["CurrencyRate"]) == ("AUD", 0.8)
    sandbox.pay(invoice.invoice_id)
    row = payment(xero, sandbox.payments()[-1].payment_id)
    assert (row["Amount"], row["BankAmount"], row["CurrencyRate"]) == (200.0, 250.0, 0.8)


def test_a_removed_payment_leaves_the_invoice_and_stays_listed_as_deleted(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    invoice = issue(sandbox)
    paid = sandbox.pay(invoice.invoice_id)
    assert (paid.status, paid.amount_due) == ("PAID", 0)
    assert "FullyPaidOnDate" in listed(xero, invoice)
    payment_id = paid.payments[0].payment_id
    before = payment(xero, payment_id)
    reopened = sandbox.remove_payment(invoice.invoice_id, payment_id)
    assert (reopened.status, reopened.amount_due, reopened.payments) == ("AUTHORISED", paid.total, ())
    row = listed(xero, invoice)
    assert row["Payments"] == []
    assert "FullyPaidOnDate" not in row
    after = payment(xero, payment_id)
    assert after["Status"] == "DELETED"
    assert after["UpdatedDateUTC"] == row["UpdatedDateUTC"] > before["UpdatedDateUTC"]
    since = reopened.updated_at.strftime("%Y-%m-%dT%H:%M:%S")
    changed = xero.get("/Payments", headers={"If-Modified-Since": since})
    assert payment_id in {one["PaymentID"] for one in rows(changed, "Payments")}
    with pytest.raises(ControlRefusedError):
        sandbox.remove_payment(invoice.invoice_id, payment_id)


def test_a_removed_payment_that_is_entered_again_has_a_new_id_and_is_else_the_same(
    sandbox: SandboxControl,
) -> None:
    invoice = issue(sandbox)
    paid = sandbox.pay(invoice.invoice_id, "30.00", paid_on=date(2031, 1, 2), reference="EFT")
    old = paid.payments[0]
    sandbox.remove_payment(invoice.invoice_id, old.payment_id)
    again = sandbox.enter_payment_again(old.payment_id)
    assert again.payment_id != old.payment_id
    assert (again.amount, again.paid_on, again.reference) == (old.amount, old.paid_on, "EFT")
    assert sandbox.invoice(invoice.invoice_id).payments[0].payment_id == again.payment_id
    with pytest.raises(ControlRefusedError):
        sandbox.enter_payment_again(again.payment_id)


def test_a_payment_may_be_dated_in_the_future_and_counts_at_once(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    invoice, tomorrow = issue(sandbox), sandbox.shift_clock(0).date() + timedelta(days=30)
    paid = sandbox.pay(invoice.invoice_id, paid_on=tomorrow)
    assert (paid.status, paid.payments[0].paid_on) == ("PAID", tomorrow)
    assert payments(xero, where=f"Date>=DateTime({tomorrow.year},{tomorrow.month},{tomorrow.day})") == [
        next(row for row in payments(xero) if row["PaymentID"] == paid.payments[0].payment_id)
    ]


def test_a_batch_pays_several_invoices_of_several_contacts_under_one_id_and_rings_for_each(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    mine, also_mine = issue(sandbox), issue(sandbox, "20.00")
    other = issue(sandbox, "30.00", "Petone Pie Cart")
    rung_before = len(sandbox.events())
    batch_id = sandbox.pay_batch(
        [(mine.invoice_id, None), (also_mine.invoice_id, "3.00"), (other.invoice_id, None)], reference="DEP"
    )
    batched = [row for row in payments(xero) if row.get("BatchPaymentID") == batch_id]
    assert sorted(row["Amount"] for row in batched) == [3.0, 34.5, 115.0]
    batch = batched[0]["BatchPayment"]
    # Texts, where every other answer has a number and a boolean.
    assert (batch["TotalAmount"], batch["IsReconciled"], batch["Type"]) == ("152.50", "false", "RECBATCH")
    assert {sandbox.invoice(one.invoice_id).status for one in (mine, other)} == {"PAID"}
    assert sandbox.invoice(also_mine.invoice_id).status == "AUTHORISED"
    assert rung(sandbox)[rung_before:] == [
        ("INVOICE", "UPDATE", one.invoice_id) for one in (mine, also_mine, other)
    ]
    assert "BatchPaymentID" not in listed(xero, mine)["Payments"][0]


def test_a_batch_that_cannot_pay_one_invoice_pays_none(sandbox: SandboxControl) -> None:
    good, paid = issue(sandbox), issue(sandbox)
    sandbox.pay(paid.invoice_id)
    before = sandbox.payments()
    with pytest.raises(ControlRefusedError):
        sandbox.pay_batch([(good.invoice_id, None), (paid.invoice_id, None)])
    with pytest.raises(ControlRefusedError):
        sandbox.pay_batch([(good.invoice_id, None), (issue(sandbox).invoice_id, "9999")])
    assert sandbox.payments() == before
    assert sandbox.invoice(good.invoice_id).status == "AUTHORISED"


def test_a_bill_is_paid_by_a_payment_of_its_own_type(sandbox: SandboxControl, xero: httpx.Client) -> None:
    sandbox.pay(invoice_id(sandbox, "MM-4519"))
    row = payment(xero, sandbox.payments()[-1].payment_id)
    assert (row["PaymentType"], row["Invoice"]["Type"]) == ("ACCPAYPAYMENT", "ACCPAY")


def test_a_credit_note_is_allocated_without_a_payment_and_the_invoice_is_paid_by_credit(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    invoice, before = issue(sandbox), sandbox.payments()
    note = sandbox.add_credit("CREDITNOTE", invoice.contact_id, "120.00")
    credited = sandbox.allocate(note.credit_id, invoice.invoice_id)
    assert (credited.status, credited.amount_paid, credited.amount_credited) == ("PAID", 0, invoice.total)
    row = listed(xero, invoice)
    assert row["Payments"] == []
    assert [one["AppliedAmount"] for one in row["CreditNotes"]] == [115.0]
    assert row["CreditNotes"][0]["CreditNoteNumber"] == note.number
    assert sandbox.payments() == before
    (kept,) = rows(xero.get(f"/CreditNotes/{note.credit_id}"), "CreditNotes")
    assert (kept["RemainingCredit"], kept["Status"]) == (5.0, "AUTHORISED")
    assert [one["Invoice"]["InvoiceID"] for one in kept["Allocations"]] == [invoice.invoice_id]
    assert rung(sandbox)[-3:] == [
        ("CREDITNOTE", "CREATE", note.credit_id),
        ("CREDITNOTE", "UPDATE", note.credit_id),
        ("INVOICE", "UPDATE", invoice.invoice_id),
    ]


def test_a_credit_that_is_taken_back_reopens_its_invoice(sandbox: SandboxControl) -> None:
    invoice = issue(sandbox)
    credited = sandbox.credit(invoice.invoice_id, invoice.total)
    (note,) = sandbox.credits()
    assert (credited.status, note.status, note.remaining) == ("PAID", "PAID", 0)
    reopened = sandbox.take_back(note.credit_id, invoice.invoice_id)
    assert (reopened.status, reopened.amount_due, reopened.amount_credited) == (
        "AUTHORISED",
        invoice.total,
        0,
    )
    assert sandbox.credits()[0].remaining == invoice.total


@pytest.mark.parametrize(
    ("category", "plural", "type_", "stub_type", "payment_type"),
    [
        ("CREDITNOTE", "CreditNotes", "ACCRECCREDIT", "ACCRECCREDIT", "ARCREDITPAYMENT"),
        ("PREPAYMENT", "Prepayments", "RECEIVE-PREPAYMENT", "ARPREPAYMENT", "ARPREPAYMENTPAYMENT"),
        ("OVERPAYMENT", "Overpayments", "RECEIVE-OVERPAYMENT", "AROVERPAYMENT", "AROVERPAYMENTPAYMENT"),
    ],
)
def test_a_refund_is_a_payment_whose_invoice_is_none(
    sandbox: SandboxControl, xero: httpx.Client, category: str, plural: str, type_: str, stub_type: str,
    payment_type: str,
) -> None:  # fmt: skip
    credit = sandbox.add_credit(category, contact_id(sandbox, CAFE), "50.00")
    assert credit.type == type_
    refund = sandbox.refund(credit.credit_id, "20.00")
    row = next(one for one in payments(xero) if one["PaymentID"] == refund.payment_id)
    assert (row["PaymentType"], row["Invoice"]["Type"]) == (payment_type, stub_type)
    assert row["Invoice"]["InvoiceID"] == credit.credit_id
    assert xero.get(f"/Invoices/{credit.credit_id}").status_code == 404
    (kept,) = rows(xero.get(f"/{plural}/{credit.credit_id}"), plural)
    assert (kept["RemainingCredit"], [one["Amount"] for one in kept["Payments"]]) == (30.0, [20.0])
    assert sandbox.refund(credit.credit_id).amount == 30
    assert sandbox.credits()[0].status == "PAID"
    assert rung(sandbox)[-1] == (category, "UPDATE", credit.credit_id)


@pytest.mark.parametrize(
    ("category", "plural"), [("PREPAYMENT", "Prepayments"), ("OVERPAYMENT", "Overpayments")]
)
def test_money_that_was_received_before_is_applied_as_credit(
    sandbox: SandboxControl, xero: httpx.Client, category: str, plural: str
) -> None:
    invoice = issue(sandbox)
    credit = sandbox.add_credit(category, invoice.contact_id, "50.00")
    applied = sandbox.allocate(credit.credit_id, invoice.invoice_id, "15.00")
    assert (applied.amount_credited, applied.amount_paid, applied.amount_due) == (15, 0, 100)
    assert [one["AppliedAmount"] for one in listed(xero, invoice)[plural]] == [15.0]
    with pytest.raises(ControlRefusedError):
        sandbox.void(invoice.invoice_id)


def test_the_newer_categories_tell_type_and_status_and_invoices_tell_nothing(sandbox: SandboxControl) -> None:
    customer = contact_id(sandbox, CAFE)
    for category in ("CREDITNOTE", "PREPAYMENT", "OVERPAYMENT"):
        sandbox.refund(sandbox.add_credit(category, customer, "5.00").credit_id)
    issue(sandbox)
    told = {(event.category, event.type): event.data for event in sandbox.events()}
    assert told["CREDITNOTE", "CREATE"] == {"Type": "ACCRECCREDIT", "Status": "AUTHORISED"}
    assert told["CREDITNOTE", "UPDATE"]["Status"] == "PAID"
    for category in ("PREPAYMENT", "OVERPAYMENT"):
        assert set(told[category, "CREATE"]) == {"Type", "Status", "UpdatedDateUTCString"}
    assert told["INVOICE", "CREATE"] == {}


def test_lists_of_credits_are_paged_filtered_and_bare_of_lines_without_paging(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    for amount in ("5.00", "6.00", "7.00"):
        sandbox.add_credit("CREDITNOTE", contact_id(sandbox, CAFE), amount)
    unpaged = xero.get("/CreditNotes")
    assert [row["LineItems"] for row in rows(unpaged, "CreditNotes")] == [[], [], []]
    assert "pagination" not in unpaged.json()
    second = xero.get("/CreditNotes", params={"page": 2, "pageSize": 2, "where": "RemainingCredit>5"})
    assert second.json()["pagination"]["itemCount"] == 2
    assert rows(xero.get("/Overpayments"), "Overpayments") == []


def test_the_payments_and_groups_of_loaded_books_are_those_that_its_records_name(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    stamp = "/Date(1289572094303+0000)/"
    paid = {"PaymentID": "p-1", "Date": stamp, "Amount": 12.30, "CurrencyRate": 1.0, "Reference": "EFT"}
    group = {"ContactGroupID": "g-1", "Name": "Old hands", "Status": "ACTIVE"}
    contact = {"ContactID": "c-1", "Name": "Raw", "ContactStatus": "ACTIVE", "ContactGroups": [group]}
    invoice = {
        "Type": "ACCPAY",
        "InvoiceID": "i-1",
        "Status": "PAID",
        "Contact": contact,
        "Payments": [paid],
        "UpdatedDateUTC": stamp,
    }
    assert sandbox.load_books(json.dumps([invoice])) == 1
    (row,) = payments(xero)
    assert (row["PaymentID"], row["PaymentType"], row["UpdatedDateUTC"]) == ("p-1", "ACCPAYPAYMENT", stamp)
    assert row["Invoice"]["InvoiceID"] == "i-1"
    assert [(one.name, one.contact_ids) for one in sandbox.groups()] == [("Old hands", ("c-1",))]
