"""What happened to an invoice is told from two states of it, not from what an event was called."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.changes import (
    Change,
    DueDateMoved,
    InvoiceIssued,
    InvoiceReopened,
    InvoiceWithdrawn,
    NothingToTell,
    PaymentReceived,
    PaymentReversed,
    changes_of_invoice,
    in_words,
)
from duebell.model import Invoice, InvoicePayment, InvoiceStatus, InvoiceType
from tests.support_facts import INVOICE, an_invoice

ISSUED = (InvoiceIssued(INVOICE),)
WITHDRAWN = (InvoiceWithdrawn(INVOICE),)
REOPENED = (InvoiceReopened(INVOICE),)
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
        ("paid", "authorised", REOPENED),
        (None, "draft", nothing(InvoiceStatus.DRAFT)),
        (None, "submitted", nothing(InvoiceStatus.SUBMITTED)),
        ("draft", "submitted", nothing(InvoiceStatus.SUBMITTED)),
        ("draft", "deleted", nothing(InvoiceStatus.DELETED)),
        ("authorised", "voided", WITHDRAWN),
        ("paid", "deleted", WITHDRAWN),
        ("voided", "voided", nothing(InvoiceStatus.VOIDED)),
        (None, "voided", nothing(InvoiceStatus.VOIDED)),
        (None, "unknown", nothing(InvoiceStatus.UNKNOWN)),
    ],
)
def test_an_invoice_is_issued_when_it_is_first_seen_approved(
    compared: str | None, current: str, expected: tuple[Change, ...]
) -> None:
    before = None if compared is None else an_invoice(status=InvoiceStatus(compared))
    assert changes_of_invoice(before, an_invoice(status=InvoiceStatus(current))) == expected


@pytest.mark.parametrize("kind", [InvoiceType.BILL, InvoiceType.OTHER])
@pytest.mark.parametrize("status", list(InvoiceStatus))
def test_what_is_not_a_sale_is_never_told_of(kind: InvoiceType, status: InvoiceStatus) -> None:
    bill = an_invoice(type=kind, status=status)
    assert changes_of_invoice(None, bill) == (NothingToTell("not a sales invoice"),)


def a_payment(number: int, amount: str = "20.00") -> InvoicePayment:
    return InvoicePayment(f"p{number}", Decimal(amount), date(2026, 11, 20))


def paid(*payments: InvoicePayment, status: InvoiceStatus = InvoiceStatus.AUTHORISED) -> Invoice:
    total = sum((one.amount for one in payments), Decimal(0))
    return an_invoice(payments=payments, amount_paid=total, amount_due=115 - total, status=status)


def received(number: int) -> PaymentReceived:
    return PaymentReceived(INVOICE, a_payment(number))


def test_a_payment_is_received_when_the_invoice_first_lists_it() -> None:
    assert changes_of_invoice(paid(), paid(a_payment(1))) == (received(1),)
    assert changes_of_invoice(paid(a_payment(1)), paid(a_payment(1), a_payment(2))) == (received(2),)
    assert changes_of_invoice(paid(a_payment(1)), paid(a_payment(1))) == BEFORE


def test_an_invoice_that_was_never_seen_before_brings_its_payments_along() -> None:
    current = paid(a_payment(1, "115"), status=InvoiceStatus.PAID)
    assert changes_of_invoice(None, current) == (
        InvoiceIssued(INVOICE),
        PaymentReceived(INVOICE, a_payment(1, "115")),
    )


def test_a_removed_payment_is_reversed_before_the_one_that_replaces_it_is_received() -> None:
    found = changes_of_invoice(paid(a_payment(1)), paid(a_payment(2)))
    assert found == (PaymentReversed(INVOICE, a_payment(1)), received(2))
    assert in_words(found) == "payment reversed, payment received"


def test_a_record_that_leaves_its_payments_out_says_nothing_of_them() -> None:
    """A summary has an amount paid and no list: no payment was removed, and none is new."""
    summary = an_invoice(amount_paid=Decimal("20.00"))
    assert changes_of_invoice(paid(a_payment(1)), summary) == BEFORE
    assert changes_of_invoice(paid(a_payment(1)), an_invoice(amount_paid=None)) == BEFORE


def test_a_credit_note_is_no_payment() -> None:
    """Paid by a credit alone: the status says paid, and nobody paid anything."""
    credited = an_invoice(
        status=InvoiceStatus.PAID, amount_paid=Decimal(0), amount_credited=Decimal(115), amount_due=Decimal(0)
    )
    assert changes_of_invoice(paid(), credited) == BEFORE


def test_an_invoice_is_owed_on_again_once_what_settled_it_is_taken_off() -> None:
    settled = paid(a_payment(1, "115"), status=InvoiceStatus.PAID)
    assert changes_of_invoice(settled, paid()) == (*REOPENED, PaymentReversed(INVOICE, a_payment(1, "115")))
    credited = an_invoice(status=InvoiceStatus.PAID, amount_paid=Decimal(0), amount_due=Decimal(0))
    assert changes_of_invoice(credited, paid()) == REOPENED
    for_nothing = an_invoice(amount_paid=Decimal(0), amount_due=Decimal(0))
    assert changes_of_invoice(for_nothing, paid()) == REOPENED
    assert changes_of_invoice(paid(), for_nothing) == BEFORE
    assert changes_of_invoice(paid(a_payment(1)), paid()) == (PaymentReversed(INVOICE, a_payment(1)),)


def test_a_due_date_moves_only_between_two_dates_of_an_issued_invoice() -> None:
    moved = an_invoice(due_on=date(2027, 1, 5), amount_paid=Decimal(0))
    assert changes_of_invoice(paid(), moved) == (DueDateMoved(INVOICE),)
    assert changes_of_invoice(paid(), an_invoice(due_on=None, amount_paid=Decimal(0))) == BEFORE
    draft = an_invoice(status=InvoiceStatus.DRAFT)
    assert changes_of_invoice(draft, moved) == ISSUED


@given(st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=8))
def test_whatever_an_accountant_does_each_payment_comes_as_often_as_it_goes_or_once_more(
    history: list[set[int]],
) -> None:
    """Over any history of payments entered and removed, what is told adds up to what stands at the end."""
    standing: dict[str, int] = {}
    compared: Invoice | None = None
    for listed in history:
        current = paid(*(a_payment(number, "1") for number in sorted(listed)))
        for change in changes_of_invoice(compared, current):
            if isinstance(change, PaymentReceived):
                standing[change.payment.payment_id] = standing.get(change.payment.payment_id, 0) + 1
            elif isinstance(change, PaymentReversed):
                standing[change.payment.payment_id] -= 1
        compared = current
    assert {key for key, count in standing.items() if count} == {f"p{number}" for number in history[-1]}
    assert set(standing.values()) <= {0, 1}
