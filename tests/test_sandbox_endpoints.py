"""What else the sandbox's Xero answers, and the checks that stand before every answer."""

from collections.abc import Iterator

import httpx
import pytest

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import InvoiceSummary
from tests.support_sandbox import AREAS, WRITE, access, contact_id, invoice_id, rows, xero_client

CAFE = "Aro Street Cafe"
NOBODY = "5a4db0c5-0000-4000-8000-0000000000ff"
SCOPED = {
    "/Organisation": "settings", "/TrackingCategories": "settings", "/BrandingThemes": "settings",
    "/InvoiceReminders/Settings": "settings", "/Invoices": "invoices", "/CreditNotes": "invoices",
    "/Payments": "payments", "/Overpayments": "payments", "/Prepayments": "payments",
    "/Contacts": "contacts", "/ContactGroups": "contacts",
}  # fmt: skip


@pytest.fixture
def xero(sandbox: SandboxControl) -> Iterator[httpx.Client]:
    with xero_client(sandbox, WRITE) as client:
        yield client


def open_invoice(sandbox: SandboxControl) -> InvoiceSummary:
    return sandbox.add_invoice(contact_id(sandbox, CAFE), "100.00")


def history(invoice: InvoiceSummary) -> str:
    return f"/Invoices/{invoice.invoice_id}/History"


def note(*details: str) -> dict[str, list[dict[str, str]]]:
    return {"HistoryRecords": [{"Details": text} for text in details]}


@pytest.mark.parametrize("path", SCOPED)
def test_an_endpoint_is_opened_by_its_own_scope_or_its_read_form_and_by_no_other(
    sandbox: SandboxControl, xero: httpx.Client, path: str
) -> None:
    for area in AREAS:
        for scope in (f"accounting.{area}", f"accounting.{area}.read"):
            answer = xero.get(path, headers={"Authorization": f"Bearer {access(sandbox, scope)}"})
            assert answer.status_code == (200 if area == SCOPED[path] else 401), scope
            if answer.status_code == 401:
                assert answer.json()["Detail"] == "AuthorizationUnsuccessful"


def test_a_scope_to_read_opens_no_write(sandbox: SandboxControl, xero: httpx.Client) -> None:
    invoice = open_invoice(sandbox)
    reader = {"Authorization": f"Bearer {access(sandbox, 'accounting.invoices.read')}"}
    assert xero.get(history(invoice), headers=reader).status_code == 200
    refused = xero.put(history(invoice), json=note("x"), headers=reader)
    assert (refused.status_code, refused.json()["Detail"]) == (401, "AuthorizationUnsuccessful")
    assert sandbox.notes(invoice.invoice_id) == ()


def test_a_history_note_is_kept_and_named_by_nobody_and_changes_no_invoice(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    invoice = open_invoice(sandbox)
    heard = len(sandbox.events())
    answer = rows(xero.put(history(invoice), json=note("told by SMS", "n" * 2500)), "HistoryRecords")
    assert [set(row) for row in answer] == [{"Details", "DateUTC", "DateUTCString", "ValidationErrors"}] * 2
    assert sandbox.notes(invoice.invoice_id) == ("told by SMS", "n" * 2500)
    newest, oldest = rows(xero.get(history(invoice)), "HistoryRecords")
    assert (newest["User"], oldest["Details"]) == ("System Generated", "told by SMS")
    assert sandbox.invoice(invoice.invoice_id).updated_at == invoice.updated_at
    assert len(sandbox.events()) == heard


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (note("n" * 2501), "ValidationException"),
        (note("fine", ""), "ValidationException"),
        ({"HistoryRecords": []}, "PostDataInvalidException"),
        ({"Notes": [{"Details": "x"}]}, "PostDataInvalidException"),
    ],
)
def test_a_note_that_cannot_be_kept_is_refused_whole(
    sandbox: SandboxControl, xero: httpx.Client, body: object, kind: str
) -> None:
    invoice = open_invoice(sandbox)
    answer = xero.put(history(invoice), json=body)
    assert (answer.status_code, answer.json()["Type"]) == (400, kind)
    assert sandbox.notes(invoice.invoice_id) == ()
    assert xero.put(history(invoice), content=b"{").status_code == 400
    assert xero.put(f"/Invoices/{NOBODY}/History", json=note("x")).status_code == 404


def test_an_idempotency_key_does_a_write_once_for_six_minutes(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    invoice, key = open_invoice(sandbox), {"Idempotency-Key": "k-1"}
    first = xero.put(history(invoice), json=note("once"), headers=key)
    again = xero.put(history(invoice), json=note("once"), headers=key)
    assert first.content == again.content
    assert int(again.headers["X-DayLimit-Remaining"]) == int(first.headers["X-DayLimit-Remaining"]) - 1
    assert xero.put(history(invoice), json=note("other"), headers=key).status_code == 400
    assert sandbox.notes(invoice.invoice_id) == ("once",)
    long = xero.put(history(invoice), json=note("x"), headers={"Idempotency-Key": "k" * 129})
    assert long.status_code == 400
    sandbox.shift_clock(6 * 60 + 1)
    assert xero.put(history(invoice), json=note("once"), headers=key).status_code == 200
    assert sandbox.notes(invoice.invoice_id) == ("once", "once")


def test_an_idempotency_key_keeps_an_error_after_its_cause_is_gone(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    group, body = sandbox.add_group("VIP"), {"ContactGroups": [{"Name": "VIP"}]}
    key = {"Idempotency-Key": "k-3"}
    assert xero.put("/ContactGroups", json=body, headers=key).status_code == 400
    sandbox.delete_group(group.group_id)
    assert xero.put("/ContactGroups", json=body, headers=key).status_code == 400
    assert xero.put("/ContactGroups", json=body).status_code == 200


def test_an_online_invoice_is_there_for_an_approved_sale_alone(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    draft = sandbox.add_invoice(contact_id(sandbox, CAFE), "1.00", approved=False)
    submitted = sandbox.add_invoice(contact_id(sandbox, CAFE), "1.00", submitted=True)
    for wanted in (draft.invoice_id, submitted.invoice_id, invoice_id(sandbox, "MM-4519"), NOBODY):
        assert xero.get(f"/Invoices/{wanted}/OnlineInvoice").status_code == 404
    sandbox.approve(draft.invoice_id)
    path = f"/Invoices/{draft.invoice_id}/OnlineInvoice"
    (link,) = rows(xero.get(path), "OnlineInvoices")
    sandbox.pay(draft.invoice_id)
    assert rows(xero.get(path), "OnlineInvoices") == [link]


def test_settings_tell_tracking_themes_and_whether_xero_reminds_by_itself(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    sandbox.add_tracking("Salesperson", ["Ana", "Bo"])
    sandbox.add_theme("Night market")
    tracked = rows(xero.get("/TrackingCategories"), "TrackingCategories")
    assert [one["Name"] for one in tracked] == ["Delivery round", "Region", "Salesperson"]
    assert [option["Name"] for option in tracked[-1]["Options"]] == ["Ana", "Bo"]
    assert len(rows(xero.get("/BrandingThemes"), "BrandingThemes")) == 2
    reminders = "/InvoiceReminders/Settings"
    assert rows(xero.get(reminders), "InvoiceReminders") == [{"Enabled": False}]
    sandbox.set_reminders(enabled=True)
    assert rows(xero.get(reminders), "InvoiceReminders") == [{"Enabled": True}]


def test_invoices_are_chosen_by_where_contacts_numbers_and_statuses_together(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    overdue = xero.get(
        "/Invoices",
        params={
            "Statuses": "AUTHORISED",
            "where": 'Type=="ACCREC" AND AmountDue>0 AND DueDate<DateTime(2099,1,1)',
        },
    )
    assert {row["InvoiceNumber"] for row in rows(overdue, "Invoices")} == {"INV-0993", "INV-0994", "INV-0995"}
    assert overdue.json()["pagination"]["itemCount"] == 3
    pies = contact_id(sandbox, "Petone Pie Cart")
    one = xero.get("/Invoices", params={"ContactIDs": pies, "InvoiceNumbers": "INV-0993,INV-0994"})
    assert [row["InvoiceNumber"] for row in rows(one, "Invoices")] == ["INV-0993"]
    assert rows(xero.get("/Invoices", params={"ContactIDs": pies, "IDs": NOBODY}), "Invoices") == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/Invoices", {"where": 'Type="ACCREC" AND'}),
        ("/Invoices", {"where": "Nonsense==1"}),
        ("/Payments", {"where": "Invoice.Total>1"}),
        ("/Payments", {"order": "Total ASC"}),
        ("/Contacts", {"order": "DueDate"}),
        ("/CreditNotes", {"page": "first"}),
    ],
)
def test_what_cannot_be_read_is_a_parse_exception_that_says_why(
    xero: httpx.Client, path: str, query: dict[str, str]
) -> None:
    answer = xero.get(path, params=query)
    assert (answer.status_code, answer.json()["Type"], answer.json()["ErrorNumber"]) == (
        400,
        "QueryParseException",
        16,
    )
    assert answer.json()["Message"]
    assert "X-MinLimit-Remaining" in answer.headers


def test_payments_know_no_ids_parameter(xero: httpx.Client) -> None:
    assert xero.get("/Payments", params={"IDs": NOBODY}).status_code == 501


def test_a_summary_is_paged_and_lacks_payments_lines_and_attachments(xero: httpx.Client) -> None:
    answer = xero.get("/Invoices", params={"summaryOnly": "true"})
    assert answer.json()["pagination"]["page"] == 1
    for row in rows(answer, "Invoices"):
        assert not {"Payments", "LineItems", "HasAttachments"} & set(row)
        assert row["AmountDue"] >= 0
