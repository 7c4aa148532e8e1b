"""What happened to an invoice is told from two states of it, not from what an event was called."""

import pytest

from duebell.changes import InvoiceIssued, NothingToTell, changes_of_invoice
from duebell.model import InvoiceStatus, InvoiceType
from tests.support_facts import INVOICE, an_invoice

ISSUED = (InvoiceIssued(INVOICE),)
BEFORE = (NothingToTell("issued before"),)


def nothing(status: InvoiceStatus) -> tuple[NothingToTell]:
    return (NothingToTell(f"the invoice is {status.value}"),)


@pytest.mark.parametrize(
    ("compared", "current", "expected"),
    [
        (None, "authorised", ISSUED),
        (None, "paid", ISSUED),
        ("draft", "authorised", ISSUED),
        ("submitted", "authorised", ISSUED),
        ("submitted", "paid", ISSUED),
        ("unknown", "authorised", ISSUED),
        ("authorised", "authorised", BEFORE),
        ("authorised", "paid", BEFORE),
        ("paid", "authorised", BEFORE),
        (None, "draft", nothing(InvoiceStatus.DRAFT)),
        (None, "submitted", nothing(InvoiceStatus.SUBMITTED)),
        ("draft", "submitted", nothing(InvoiceStatus.SUBMITTED)),
        ("draft", "deleted", nothing(InvoiceStatus.DELETED)),
        ("authorised", "voided", nothing(InvoiceStatus.VOIDED)),
        (None, "voided", nothing(InvoiceStatus.VOIDED)),
        (None, "unknown", nothing(InvoiceStatus.UNKNOWN)),
    ],
)
def test_an_invoice_is_issued_when_it_is_first_seen_approved(
    compared: str | None, current: str, expected: tuple[InvoiceIssued | NothingToTell, ...]
) -> None:
    before = None if compared is None else an_invoice(status=InvoiceStatus(compared))
    assert changes_of_invoice(before, an_invoice(status=InvoiceStatus(current))) == expected


@pytest.mark.parametrize("kind", [InvoiceType.BILL, InvoiceType.OTHER])
@pytest.mark.parametrize("status", list(InvoiceStatus))
def test_what_is_not_a_sale_is_never_told_of(kind: InvoiceType, status: InvoiceStatus) -> None:
    bill = an_invoice(type=kind, status=status)
    assert changes_of_invoice(None, bill) == (NothingToTell("not a sales invoice"),)
