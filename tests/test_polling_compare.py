"""What polling calls news: a difference that matters, and never the form in which Xero happened to say it."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from duebell.books.polling_compare import contact_is_news, differs, is_news, payment_is_news
from duebell.model import (
    ContactStatus,
    Invoice,
    InvoicePayment,
    InvoiceStatus,
    InvoiceType,
    Payment,
    PaymentStatus,
    PaymentType,
)
from duebell.xero.parse import parse_invoice
from duebell.xero.parse_payments import PAYMENT_STATUSES, PAYMENT_TYPES
from duebell.xero.reader import read_json
from duebell.xero.records import payments_of
from tests.support_facts import CONTACT, INVOICE, OTHER_CONTACT, a_contact, an_invoice

PAYMENT = "eeeeeeee-2222-4333-8444-555555555555"
PAID = InvoicePayment(PAYMENT, Decimal("15.00"), date(2026, 11, 20))


def recorded(samples: Path) -> list[dict[str, Any]]:
    page = read_json((samples / "xero-samples" / "invoices-page-1.recorded.json").read_bytes())
    return cast("dict[str, Any]", page)["Invoices"]


def as_single(listed: dict[str, Any]) -> dict[str, Any]:
    """The same invoice as Xero writes it alone: with the whole contact, and with what lists leave out."""
    contact = listed["Contact"] | {"ContactStatus": "ACTIVE", "EmailAddress": "a@example.com"}
    return {"SentToContact": False, **listed, "Contact": contact, "StatusAttributeString": "OK"}


def test_every_recorded_invoice_is_the_same_alone_and_in_a_list(samples: Path) -> None:
    invoices = recorded(samples)
    for one in invoices:
        listed, single = parse_invoice(one), parse_invoice(as_single(one))
        assert not differs(listed, single)
        assert not differs(single, listed)
    assert len(invoices) == 79


def test_no_two_recorded_invoices_are_the_same(samples: Path) -> None:
    read = [parse_invoice(one) for one in recorded(samples)]
    assert all(differs(one, other) for one in read for other in read if one is not other)


@pytest.mark.parametrize(
    "left_out", ["Payments", "CreditNotes", "BrandingThemeID", "Reference", "CurrencyRate", "LineItems"]
)
def test_what_xero_leaves_out_of_a_recorded_invoice_is_not_told_and_not_changed(
    samples: Path, left_out: str
) -> None:
    unpaid = [one for one in recorded(samples) if not one.get("Payments")]
    assert unpaid
    for one in unpaid:
        rest = {name: value for name, value in one.items() if name != left_out}
        assert not differs(parse_invoice(one), parse_invoice(rest))


CHANGES: list[dict[str, Any]] = [
    {"status": InvoiceStatus.PAID},
    {"status": InvoiceStatus.VOIDED},
    {"contact_id": OTHER_CONTACT},
    {"number": "INV-0002"},
    {"reference": "Order 9"},
    {"due_on": date(2026, 12, 21)},
    {"expected_payment_on": date(2026, 12, 1)},
    {"total": Decimal("116.00")},
    {"amount_due": Decimal("100.00")},
    {"amount_paid": Decimal("15.00")},
    {"amount_credited": Decimal("15.00")},
    {"currency": "AUD"},
    {"sent_to_contact": True},
    {"payments": (PAID,)},
    {"payments": (replace(PAID, payment_id=OTHER_CONTACT),)},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: next(iter(one)))
def test_each_change_that_may_be_told_of_is_news(change: dict[str, Any]) -> None:
    before = an_invoice(
        reference="Order 8",
        amount_paid=Decimal(0),
        amount_credited=Decimal(0),
        expected_payment_on=date(2026, 11, 30),
        payments=(replace(PAID, payment_id=INVOICE),),
    )
    assert differs(before, replace(before, **change))
    assert is_news(before, replace(before, **change))


def test_amounts_are_compared_as_numbers_and_what_nobody_is_told_of_is_no_news() -> None:
    before = an_invoice()
    assert not differs(before, replace(before, total=Decimal("115.0"), contact=a_contact(), contact_name="X"))


def test_a_payment_that_is_gone_is_news_though_nothing_else_says_so() -> None:
    assert differs(an_invoice(payments=(PAID,)), an_invoice())


def test_an_invoice_that_was_never_compared_is_news_and_a_bill_never_is() -> None:
    assert is_news(None, an_invoice(status=InvoiceStatus.DRAFT))
    assert not is_news(None, an_invoice(type=InvoiceType.BILL))
    assert not is_news(an_invoice(type=InvoiceType.BILL), an_invoice(type=InvoiceType.BILL, number="9"))
    assert not is_news(None, an_invoice(type=InvoiceType.OTHER))


def test_a_contact_is_news_where_we_would_write_to_it_otherwise() -> None:
    kept = a_contact()
    assert contact_is_news(None, kept)
    assert not contact_is_news(kept, replace(kept, updated_at=None))
    assert contact_is_news(kept, replace(kept, phones=()))
    assert contact_is_news(kept, replace(kept, status=ContactStatus.ARCHIVED))
    assert contact_is_news(kept, replace(kept, merged_to=CONTACT))


def a_payment(status: PaymentStatus, kind: PaymentType = PaymentType.SALE) -> Payment:
    return Payment(PAYMENT, kind, status, INVOICE, Decimal("15.00"))


UNPAID, LISTED = an_invoice(), an_invoice(payments=(PAID,))


@pytest.mark.parametrize(
    ("status", "compared", "news"),
    [
        (PaymentStatus.AUTHORISED, None, True),
        (PaymentStatus.AUTHORISED, UNPAID, True),
        (PaymentStatus.AUTHORISED, LISTED, False),
        (PaymentStatus.DELETED, None, False),
        (PaymentStatus.DELETED, UNPAID, False),
        (PaymentStatus.DELETED, LISTED, True),
        (PaymentStatus.UNKNOWN, UNPAID, False),
    ],
)
def test_a_payment_is_news_unless_the_invoice_as_compared_reflects_it(
    status: PaymentStatus, compared: Invoice | None, *, news: bool
) -> None:
    assert payment_is_news(a_payment(status), compared) is news


@pytest.mark.parametrize("kind", [kind for kind in PaymentType if kind is not PaymentType.SALE])
def test_only_money_for_a_sales_invoice_is_news(kind: PaymentType) -> None:
    # A refund's stub holds an overpayment's id in the place of the invoice's (calcinai/xero-php#889).
    assert not payment_is_news(a_payment(PaymentStatus.AUTHORISED, kind), UNPAID)


def test_the_published_payments_are_read_a_refund_told_from_a_payment(samples: Path) -> None:
    page = payments_of(read_json((samples / "xero-samples" / "payments.openapi.json").read_bytes()))
    received, refund = [one.value for one in page.good]
    assert received == Payment(
        "99ea7f6b-c513-4066-bc27-b7c65dcd76c2",
        PaymentType.SALE,
        PaymentStatus.AUTHORISED,
        "046d8a6d-1ae1-4b4d-9340-5601bdf41b87",
        Decimal("46.0"),
        date(2018, 11, 29),
        received.updated_at,
    )
    assert refund.type is PaymentType.REFUND_TO_CUSTOMER
    removed = payments_of(read_json((samples / "xero-samples" / "payment-deleted.openapi.json").read_bytes()))
    (one,) = removed.good
    assert (one.value.type, one.value.status) == (
        PaymentType.REFUND_FROM_SUPPLIER,
        PaymentStatus.DELETED,
    )


def test_the_tables_of_payments_hold_each_of_xero_s_words_and_no_unknown_one() -> None:
    assert set(PAYMENT_TYPES.values()) == set(PaymentType) - {PaymentType.UNKNOWN}
    assert set(PAYMENT_STATUSES.values()) == set(PaymentStatus) - {PaymentStatus.UNKNOWN}
    record = {"PaymentID": PAYMENT, "PaymentType": "ARNEWKIND", "Status": "HELD", "Amount": 1}
    (one,) = payments_of(read_json(json.dumps({"Payments": [record]}))).good
    assert (one.value.type, one.value.status) == (PaymentType.UNKNOWN, PaymentStatus.UNKNOWN)
