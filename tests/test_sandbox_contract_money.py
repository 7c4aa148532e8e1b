"""The sandbox's payments, credits, contacts and settings fit Xero's own examples and descriptions."""

import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_records import Person
from deployments.sandbox.server import running_sandbox
from tests.support_sandbox import WRITE, Row, contact_id, rows, xero_client
from tests.test_sandbox_contract import field_sets, misfits, nested, schemas

CAFE = "Aro Street Cafe"
# In recorded or official bodies, and forgotten by the schemas: a credit's second id, a line's empty options.
BESIDE_THE_SCHEMA = (
    ".ID: unknown",
    "].Options: unknown",
    ".Tracking.Options: unknown",
    "DateString: unknown",
)
# Texts in the official example, where the schema has a number and a boolean.
BATCH_TEXTS = (".BatchPayment.TotalAmount: str is no number", ".BatchPayment.IsReconciled: str is no boolean")


@pytest.fixture(scope="module")
def sandbox() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        live_through_everything(control)
        yield control


def live_through_everything(sandbox: SandboxControl) -> None:
    """Take every step once, so that every form of every record is there."""
    cafe = contact_id(sandbox, CAFE)
    one, two, three = (sandbox.add_invoice(cafe, "100.00", tracking=[("Region", "North")]) for _ in range(3))
    sandbox.pay_batch([(one.invoice_id, None), (two.invoice_id, "10.00")])
    paid = sandbox.pay(three.invoice_id)
    sandbox.remove_payment(three.invoice_id, paid.payments[0].payment_id)
    for category in ("CREDITNOTE", "OVERPAYMENT", "PREPAYMENT"):
        credit = sandbox.add_credit(category, cafe, "30.00")
        sandbox.allocate(credit.credit_id, three.invoice_id, "5.00")
        sandbox.refund(credit.credit_id, "5.00")
    sandbox.join_group(sandbox.add_group("Key accounts").group_id, [cafe])
    sandbox.edit_contact(cafe, persons=[Person("Ann", "Payer", "ann@cafe.example")])


@pytest.fixture
def xero(sandbox: SandboxControl) -> Iterator[httpx.Client]:
    with xero_client(sandbox, WRITE) as client:
        yield client


def sample(samples: Path, name: str, plural: str) -> list[Row]:
    found: Row = json.loads((samples / "xero-samples" / f"{name}.json").read_text())
    return found[plural]


def shapes(value: Any, path: str = "") -> set[tuple[str, str]]:
    """Every path of a value, with the coarse type that stands there; a list is its members."""
    if isinstance(value, dict):
        fields = cast("Row", value)
        return {pair for name, inner in fields.items() for pair in shapes(inner, f"{path}.{name}")}
    if isinstance(value, list):
        members = cast("list[Any]", value)
        return {(path, "list")} | {pair for inner in members for pair in shapes(inner, path)}
    kinds = {bool: "boolean", int: "number", float: "number", str: "text"}
    return {(path, kinds[type(value)])}


def unlike(ours: list[Row], theirs: list[Row]) -> set[str]:
    """Where a field of ours stands that theirs has with another type, or not at all."""
    known: dict[str, set[str]] = {}
    for path, kind in shapes(theirs):
        known.setdefault(path, set()).add(kind)
    return {f"{path} {kind}" for path, kind in shapes(ours) if kind not in known.get(path, set())}


@pytest.mark.parametrize(
    ("path", "plural"),
    [
        ("/Payments?page=1", "Payments"),
        ("/CreditNotes?page=1", "CreditNotes"),
        ("/Overpayments?page=1", "Overpayments"),
        ("/Prepayments?page=1", "Prepayments"),
        ("/Contacts?page=1&includeArchived=true", "Contacts"),
        ("/ContactGroups", "ContactGroups"),
        ("/TrackingCategories", "TrackingCategories"),
        ("/BrandingThemes", "BrandingThemes"),
        ("/InvoiceReminders/Settings", "InvoiceReminders"),
        ("/Invoices?page=1", "Invoices"),
    ],
)
def test_every_field_of_every_record_is_in_xeros_schema(
    xero: httpx.Client, samples: Path, path: str, plural: str
) -> None:
    described, found = schemas(samples, "xero"), rows(xero.get(path), plural)
    assert found
    lines = misfits({plural: found}, f"ref:{plural}", described, "")
    assert [line for line in lines if not line.endswith((*BESIDE_THE_SCHEMA, *BATCH_TEXTS))] == []


def test_a_listed_payment_has_the_form_of_the_official_example(xero: httpx.Client, samples: Path) -> None:
    theirs = sample(samples, "payments.openapi", "Payments")
    ours = rows(xero.get("/Payments"), "Payments")
    assert {row["PaymentType"] for row in ours} >= {row["PaymentType"] for row in theirs}
    assert unlike(ours, theirs) == set()
    always, _ = field_sets(theirs)
    mine_always, _ = field_sets(ours)
    assert always == mine_always
    assert {"BatchPayment" in row for row in ours} == {True, False}


def test_a_removed_payment_has_the_fields_of_the_official_example(
    sandbox: SandboxControl, xero: httpx.Client, samples: Path
) -> None:
    (theirs,) = sample(samples, "payment-deleted.openapi", "Payments")
    removed = next(one for one in sandbox.payments() if one.status == "DELETED")
    (ours,) = rows(xero.get(f"/Payments/{removed.payment_id}"), "Payments")
    assert set(ours) == set(theirs)
    assert ours["Status"] == theirs["Status"]
    stub = {"ContactID", "Name", "ContactPersons", "HasValidationErrors"}
    assert set(ours["Invoice"]["Contact"]) == set(theirs["Invoice"]["Contact"]) == stub


def test_a_payment_within_an_invoice_or_a_credit_has_exactly_the_recorded_fields(
    xero: httpx.Client, samples: Path
) -> None:
    recorded = nested(sample(samples, "invoices-page-1.recorded", "Invoices"), "Payments")
    theirs, _ = field_sets(recorded)
    for path, plural in (("/Invoices?page=1", "Invoices"), ("/CreditNotes?page=1", "CreditNotes")):
        embedded = nested(rows(xero.get(path), plural), "Payments")
        assert embedded
        assert all(set(one) == theirs for one in embedded)
        assert unlike(embedded, recorded) == set()


def test_a_credit_note_on_an_invoice_has_exactly_the_recorded_fields(
    xero: httpx.Client, samples: Path
) -> None:
    recorded = nested(sample(samples, "invoices-page-1.recorded", "Invoices"), "CreditNotes")
    theirs, _ = field_sets(recorded)
    applied = nested(rows(xero.get("/Invoices?page=1"), "Invoices"), "CreditNotes")
    assert applied
    assert all(set(one) == theirs for one in applied)


def test_a_tracked_line_has_exactly_the_recorded_fields(xero: httpx.Client, samples: Path) -> None:
    lines = nested(sample(samples, "invoices-page-1.recorded", "Invoices"), "LineItems")
    ours = nested(nested(rows(xero.get("/Invoices?page=1"), "Invoices"), "LineItems"), "Tracking")
    assert ours
    assert field_sets(ours) == field_sets([one for line in lines for one in line["Tracking"]])


@pytest.mark.parametrize(
    ("plural", "name", "newer"),
    [
        # Nothing is allocated in the examples; an allocation stands in getPrepayment of Xero-OpenAPI.
        ("CreditNotes", "credit-note.openapi", ".Allocations"),
        ("Overpayments", "overpayments.openapi", ".Allocations"),
    ],
)
def test_a_credit_has_the_form_of_the_official_example(
    xero: httpx.Client, samples: Path, plural: str, name: str, newer: str
) -> None:
    theirs = sample(samples, name, plural)
    ours = rows(xero.get(f"/{plural}"), plural)
    always, ever = field_sets(theirs)
    mine_always, mine_ever = field_sets(ours)
    # Shown by single reads, and by lists of one in the examples.
    assert always - mine_always <= {"Attachments"}
    assert mine_ever - ever <= {"CurrencyRate"}
    odd = {
        line for line in unlike(ours, theirs) if not line.startswith((newer, ".CurrencyRate", ".Payments"))
    }
    assert odd == set()


def test_a_contact_has_the_form_of_the_official_examples(
    sandbox: SandboxControl, xero: httpx.Client, samples: Path
) -> None:
    theirs = sample(samples, "contact.openapi", "Contacts") + sample(samples, "contacts.openapi", "Contacts")
    whole = [row["Contact"] for row in sample(samples, "invoice.openapi", "Invoices")]
    ours = rows(xero.get("/Contacts?page=1&includeArchived=true"), "Contacts")
    ours += rows(xero.get(f"/Contacts/{contact_id(sandbox, CAFE)}"), "Contacts")
    assert unlike(ours, theirs + whole) == set()
    always, _ = field_sets(sample(samples, "contacts.openapi", "Contacts"))
    misspelt_or_free = {"TaxNumbeType", "TaxNumber", "CompanyNumber"}
    mine_always, _ = field_sets(ours)
    assert always - mine_always - misspelt_or_free <= {"Balances", "Discount"}


def test_a_group_and_the_settings_have_exactly_the_fields_of_the_official_examples(
    sandbox: SandboxControl, xero: httpx.Client, samples: Path
) -> None:
    group = sandbox.groups()[0].group_id
    for path, plural, name in (
        (f"/ContactGroups/{group}", "ContactGroups", "contact-group.openapi"),
        ("/InvoiceReminders/Settings", "InvoiceReminders", "invoice-reminders.openapi"),
        ("/TrackingCategories", "TrackingCategories", "tracking-categories.openapi"),
    ):
        assert field_sets(rows(xero.get(path), plural)) == field_sets(sample(samples, name, plural))
    (theirs,) = sample(samples, "contact-group.openapi", "ContactGroups")
    (ours,) = rows(xero.get(f"/ContactGroups/{group}"), "ContactGroups")
    assert field_sets(ours["Contacts"]) == field_sets(theirs["Contacts"])
