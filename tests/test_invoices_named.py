"""An invoice as a person names it to a command: by its number, however it is typed, or by its id."""

from typing import Any

import pytest
from prefect import Flow
from sqlalchemy import Engine

from duebell.audit import Entry
from duebell.deciding.known import known_of
from duebell.keys import PAYMENT_RECEIVED
from duebell.ledger import trail
from duebell.ledger.engine import reading
from duebell.ledger.named import invoices_named
from duebell.ledger.writing import writing
from duebell.planning.draining import compare
from duebell.planning.planning import plan_kind
from flows.invoice_issued import invoice_issued
from flows.invoice_overdue import invoice_overdue
from flows.needs_attention import needs_attention
from flows.overdue_sweep import overdue_sweep
from flows.payment_received import payment_received
from flows.poll_xero import poll_xero
from tests.support_facts import INVOICE, NOW, RULES, TENANT, invoice_body, keep_invoice, numbered, open_tenant

NUMBER = "INV-21845"


@pytest.fixture
def books(ledger: Engine) -> Engine:
    """One invoice."""
    open_tenant(ledger)
    keep_invoice(ledger)
    return ledger


def named(engine: Engine, wanted: str) -> list[str]:
    with reading(engine) as session:
        return [row.invoice_id for row in invoices_named(session, wanted)]


@pytest.mark.parametrize("typed", [NUMBER, NUMBER.lower(), f" {NUMBER} ", INVOICE, INVOICE.upper()])
def test_an_invoice_is_found_however_its_number_is_typed(books: Engine, typed: str) -> None:
    assert named(books, typed) == [INVOICE]


def test_of_two_numbers_that_differ_in_their_capitals_the_one_that_was_typed_is_meant(books: Engine) -> None:
    keep_invoice(books, invoice_body(numbered(2), InvoiceNumber=NUMBER.lower()))
    assert named(books, NUMBER) == [INVOICE]
    assert named(books, NUMBER.lower()) == [numbered(2)]


@pytest.mark.parametrize("typed", ["INV%", "", " "])
def test_what_is_no_number_names_nothing(books: Engine, typed: str) -> None:
    keep_invoice(books, invoice_body(numbered(2), InvoiceNumber=""))
    assert named(books, typed) == []


def test_the_trail_of_an_invoice_is_found_as_the_invoice_is(books: Engine) -> None:
    with writing(books, NOW) as book:
        book.audit(Entry("test", "looked at", "notification", f"{TENANT}:invoice_issued:{INVOICE}", TENANT))
    assert [one.action for one in trail.entries(books, NUMBER.lower(), 9)] == ["looked at"]


def test_the_trail_of_an_invoice_has_its_payments_and_none_of_another_that_bears_its_number(
    books: Engine,
) -> None:
    payment = "99999999-2222-4333-8444-555555555555"
    listed = [{"PaymentID": payment, "Date": "2026-11-20", "Amount": 100}]
    paid: dict[str, Any] = {"AmountDue": 15, "Payments": listed}
    keep_invoice(books, invoice_body(INVOICE, InvoiceNumber="42", **paid))
    with writing(books, NOW) as book:
        compare(book, TENANT, known_of(book.session, TENANT, [INVOICE])[INVOICE])
        plan_kind(book, TENANT, PAYMENT_RECEIVED, [INVOICE], RULES, actor="test", flow_run_id=None)
        book.audit(Entry("test", "looked at", "invoice", numbered(0x42)[:-2] + "42", TENANT))
    found = trail.entries(books, "42", 9)

    assert [one.action for one in found] == ["payment received", "notification skipped"]
    assert all(payment in one.subject for one in found)


@pytest.mark.parametrize(
    "flow", [invoice_issued, payment_received, invoice_overdue, needs_attention], ids=lambda one: one.name
)
def test_ids_are_known_in_a_run_by_hand_however_they_were_copied(flow: Flow[..., Any]) -> None:
    """Else nobody is told, and the run says that Xero knows no such invoice."""
    typed = {"tenant_id": f" {TENANT.upper()}", "invoice_ids": [INVOICE.upper(), f"{INVOICE} "]}
    assert flow.validate_parameters(typed) == {"tenant_id": TENANT, "invoice_ids": [INVOICE, INVOICE]}


@pytest.mark.parametrize("flow", [poll_xero, overdue_sweep], ids=lambda one: one.name)
def test_organisations_are_too(flow: Flow[..., Any]) -> None:
    assert flow.validate_parameters({"tenant_ids": [TENANT.upper()]}) == {"tenant_ids": [TENANT]}
    assert flow.validate_parameters({"tenant_ids": None}) == {"tenant_ids": None}
