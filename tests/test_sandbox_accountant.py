"""Each step that an accountant can take with an invoice: what it leaves in the books, and what it rings."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import httpx
import pytest

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_client import ControlRefusedError
from deployments.sandbox.control_types import InvoiceSummary
from tests.support_sandbox import Row, contact_id, invoice_id, rows, rung, xero_client

CAFE, PIES = "Aro Street Cafe", "Petone Pie Cart"
PART_PAID = "INV-0994"


@pytest.fixture
def xero(sandbox: SandboxControl) -> Iterator[httpx.Client]:
    with xero_client(sandbox) as client:
        yield client


def single(xero: httpx.Client, invoice: InvoiceSummary | str) -> Row:
    wanted = invoice if isinstance(invoice, str) else invoice.invoice_id
    (row,) = rows(xero.get(f"/Invoices/{wanted}"), "Invoices")
    return row


def listed(xero: httpx.Client, invoice: InvoiceSummary) -> Row:
    (row,) = rows(xero.get("/Invoices", params={"IDs": invoice.invoice_id, "page": 1}), "Invoices")
    return row


def test_a_draft_is_submitted_approved_and_paid_step_by_step(sandbox: SandboxControl) -> None:
    draft = sandbox.add_invoice(contact_id(sandbox, CAFE), "100.00", approved=False)
    assert (draft.status, draft.total, draft.amount_due) == ("DRAFT", Decimal("115.00"), Decimal("115.00"))
    assert sandbox.submit(draft.invoice_id).status == "SUBMITTED"
    assert sandbox.approve(draft.invoice_id).status == "AUTHORISED"
    part = sandbox.pay(draft.invoice_id, "15.00")
    assert (part.status, part.amount_due, part.amount_paid) == ("AUTHORISED", 100, 15)
    assert sandbox.pay(draft.invoice_id).status == "PAID"
    types = [type_ for _, type_, id_ in rung(sandbox) if id_ == draft.invoice_id]
    assert types == ["CREATE", "UPDATE", "UPDATE", "UPDATE", "UPDATE"]


def test_an_invoice_can_be_born_submitted(sandbox: SandboxControl) -> None:
    born = sandbox.add_invoice(contact_id(sandbox, CAFE), "1.00", submitted=True)
    assert born.status == "SUBMITTED"
    assert rung(sandbox) == [("INVOICE", "CREATE", born.invoice_id)]


def test_a_repeating_invoice_is_born_approved_and_sent_and_rings_only_as_created(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    born = sandbox.add_invoice(contact_id(sandbox, CAFE), "1.00", repeating=True, sent=True)
    row = listed(xero, born)
    assert (row["Status"], row["SentToContact"]) == ("AUTHORISED", True)
    assert row["RepeatingInvoiceID"]
    assert rung(sandbox) == [("INVOICE", "CREATE", born.invoice_id)]


def test_fields_that_were_not_given_are_omitted_and_never_null(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    plain = sandbox.add_invoice(contact_id(sandbox, CAFE), "1.00")
    absent = {
        "RepeatingInvoiceID",
        "BrandingThemeID",
        "SentToContact",
        "ExpectedPaymentDate",
        "FullyPaidOnDate",
    }
    assert not absent & set(listed(xero, plain))
    assert "null" not in xero.get("/Invoices", params={"page": 1}).text


def test_a_single_invoice_leaves_unsaid_that_nothing_was_credited_and_a_list_says_it(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    plain = sandbox.add_invoice(contact_id(sandbox, CAFE), "1.00")
    assert listed(xero, plain)["AmountCredited"] == 0
    assert not {"AmountCredited", "CreditNotes"} & set(single(xero, plain))
    sandbox.credit(plain.invoice_id, "1.00")
    assert single(xero, plain)["AmountCredited"] == 1.0


def test_a_deleted_draft_stays_listed_and_can_be_touched_no_more(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    draft = sandbox.add_invoice(contact_id(sandbox, CAFE), "1.00", approved=False)
    assert sandbox.delete_draft(draft.invoice_id).status == "DELETED"
    assert listed(xero, draft)["Status"] == "DELETED"
    assert rung(sandbox)[-1] == ("INVOICE", "UPDATE", draft.invoice_id)
    for refused in (sandbox.approve, sandbox.delete_draft, sandbox.void, sandbox.pay, sandbox.mark_sent):
        with pytest.raises(ControlRefusedError):
            refused(draft.invoice_id)


def test_a_void_invoice_has_nothing_due_and_only_an_untouched_one_can_be_voided(
    sandbox: SandboxControl,
) -> None:
    invoice = sandbox.add_invoice(contact_id(sandbox, CAFE), "1.00")
    paid = sandbox.pay(invoice.invoice_id)
    with pytest.raises(ControlRefusedError):
        sandbox.void(invoice.invoice_id)
    sandbox.remove_payment(invoice.invoice_id, paid.payments[0].payment_id)
    voided = sandbox.void(invoice.invoice_id)
    assert (voided.status, voided.amount_due, voided.total) == ("VOIDED", 0, invoice.total)


def test_reference_and_amount_of_an_unpaid_invoice_can_be_edited(sandbox: SandboxControl) -> None:
    invoice = sandbox.add_invoice(contact_id(sandbox, CAFE), "100.00")
    edited = sandbox.edit(invoice.invoice_id, reference="PO 7", amount="200.00")
    assert (edited.reference, edited.total, edited.amount_due) == ("PO 7", 230, 230)
    assert edited.updated_at > invoice.updated_at
    sandbox.pay(invoice.invoice_id, "1.00")
    with pytest.raises(ControlRefusedError):
        sandbox.edit(invoice.invoice_id, amount="300.00")


def test_the_amount_of_a_tracked_invoice_is_edited_with_its_tracking_kept(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    pairs = [("Region", "North"), ("Delivery round", "Late")]
    invoice = sandbox.add_invoice(contact_id(sandbox, CAFE), "100.00", tracking=pairs, theme="Standard")
    sandbox.edit(invoice.invoice_id, amount="5.00")
    row = listed(xero, invoice)
    tracking = row["LineItems"][0]["Tracking"]
    assert [(one["Name"], one["Option"]) for one in tracking] == pairs
    known = {one["TrackingCategoryID"] for one in rows(xero.get("/TrackingCategories"), "TrackingCategories")}
    assert {one["TrackingCategoryID"] for one in tracking} <= known
    (theme,) = rows(xero.get("/BrandingThemes"), "BrandingThemes")
    assert row["BrandingThemeID"] == theme["BrandingThemeID"]


@pytest.mark.parametrize(
    "words",
    [
        {"tracking": [("Region", "East")]},
        {"tracking": [("Region", "North"), ("Region", "South"), ("Delivery round", "Late")]},
        {"theme": "Unheard of"},
    ],
)
def test_what_is_not_set_up_cannot_be_used(sandbox: SandboxControl, words: Row) -> None:
    with pytest.raises(ControlRefusedError):
        sandbox.add_invoice(contact_id(sandbox, CAFE), "1.00", **words)


@pytest.mark.parametrize("number", ["INV-0993", PART_PAID])
def test_a_moved_due_date_shows_in_time_and_events_only_where_nothing_was_paid(
    sandbox: SandboxControl, xero: httpx.Client, number: str
) -> None:
    before = sandbox.invoice(invoice_id(sandbox, number))
    after = sandbox.edit(before.invoice_id, due_on=date(2031, 1, 2))
    assert after.due_on == date(2031, 1, 2)
    assert single(xero, after)["DueDateString"] == "2031-01-02T00:00:00"
    seen = number != PART_PAID
    assert (after.updated_at > before.updated_at) is seen
    assert bool(rung(sandbox)) is seen


@pytest.mark.parametrize("number", ["INV-0993", PART_PAID])
def test_marking_as_sent_shows_in_time_and_events_only_where_nothing_was_paid(
    sandbox: SandboxControl, xero: httpx.Client, number: str
) -> None:
    before = sandbox.invoice(invoice_id(sandbox, number))
    after = sandbox.mark_sent(before.invoice_id)
    assert (before.sent, after.sent) == (False, True)
    assert listed(xero, after)["SentToContact"] is True
    seen = number != PART_PAID
    assert (after.updated_at > before.updated_at) is seen
    assert bool(rung(sandbox)) is seen


def test_a_reference_edited_along_with_a_due_date_shows_both(sandbox: SandboxControl) -> None:
    before = sandbox.invoice(invoice_id(sandbox, PART_PAID))
    after = sandbox.edit(before.invoice_id, reference="new", due_on=date(2031, 1, 2))
    assert after.updated_at > before.updated_at
    assert rung(sandbox) == [("INVOICE", "UPDATE", after.invoice_id)]


def test_a_promise_is_noted_and_rings(sandbox: SandboxControl, xero: httpx.Client) -> None:
    invoice = sandbox.invoice(invoice_id(sandbox, "INV-0993"))
    assert invoice.expected_on is None
    promised = sandbox.promise(invoice.invoice_id, date(2031, 5, 6))
    assert promised.expected_on == date(2031, 5, 6)
    assert "ExpectedPaymentDate" in listed(xero, promised)
    assert rung(sandbox) == [("INVOICE", "UPDATE", invoice.invoice_id)]


def test_an_invoices_stub_bears_the_name_that_its_contact_has_now(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    invoice = sandbox.add_invoice(contact_id(sandbox, CAFE), "1.00")
    sandbox.edit_contact(invoice.contact_id, name="Aro Street Kitchen")
    assert listed(xero, invoice)["Contact"]["Name"] == "Aro Street Kitchen"
    assert sandbox.invoice(invoice.invoice_id).updated_at == invoice.updated_at


def test_an_invoice_can_be_made_to_ring_of_its_contact_as_well(sandbox: SandboxControl) -> None:
    sandbox.settings(invoices_ring_contacts=True)
    invoice = sandbox.add_invoice(contact_id(sandbox, PIES), "1.00")
    assert rung(sandbox) == [
        ("INVOICE", "CREATE", invoice.invoice_id),
        ("CONTACT", "UPDATE", invoice.contact_id),
    ]


def test_books_can_be_filled_without_a_word_and_the_same_for_the_same_seed(sandbox: SandboxControl) -> None:
    before = {one.invoice_id for one in sandbox.invoices()}
    assert sandbox.fill_books(20, seed=7) == len(before) + 20
    first = {one.invoice_id: (one.total, one.contact_id) for one in sandbox.invoices()}
    assert sandbox.events() == ()
    sandbox.reset()
    sandbox.fill_books(20, seed=7)
    assert {one.invoice_id: (one.total, one.contact_id) for one in sandbox.invoices()} == first
    sandbox.reset()
    sandbox.fill_books(20, seed=8)
    assert {one.invoice_id for one in sandbox.invoices()} & set(first) == before
