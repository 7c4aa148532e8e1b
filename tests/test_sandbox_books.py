"""The sandbox's books keep an accountant's rules, and its company is well formed."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import phonenumbers
import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from deployments.sandbox import addressbook, cashbook, crediting, invoicing
from deployments.sandbox.books import BookkeepingError, Books
from deployments.sandbox.company import CONTACTS, company_books, contact_id_of, invoice_id_of
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.crediting import Given
from deployments.sandbox.loading import load
from deployments.sandbox.wire import (
    Json,
    Record,
    amount_of,
    ms_date,
    read_json,
    read_ms_date,
    record_of,
    records_of,
    text_of,
    write_json,
)

NOW = datetime(2031, 5, 6, 7, 8, 9, 123000, tzinfo=UTC)
TODAY = date(2031, 5, 6)
OPEN = invoice_id_of("INV-0993")
BAD_PHONES = {"Te Aro Tearooms", "Kelburn Kiosk", "Island Bay Dairy", "Manawatu Mills"}


def books() -> Books:
    return company_books(TENANT_ID, NOW)


def status(kept: Books, invoice_id: str) -> str:
    return text_of(kept.invoice(invoice_id), "Status")


def adds_up(kept: Books, invoice_id: str) -> bool:
    record = kept.invoice(invoice_id)
    paid = sum((amount_of(p, "Amount") for p in records_of(record["Payments"])), Decimal(0))
    left = amount_of(record, "Total") - paid - amount_of(record, "AmountCredited")
    return paid == amount_of(record, "AmountPaid") and left == amount_of(record, "AmountDue") >= 0


def test_the_company_has_every_kind_of_invoice_and_its_amounts_add_up() -> None:
    kept = books()
    found = {(text_of(row, "Type"), text_of(row, "Status")) for row in kept.invoices.values()}
    assert found >= {("ACCREC", word) for word in ("DRAFT", "AUTHORISED", "PAID", "VOIDED")}
    assert found >= {("ACCPAY", "AUTHORISED"), ("ACCPAY", "PAID")}
    for invoice_id in kept.invoices:
        assert status(kept, invoice_id) == "VOIDED" or adds_up(kept, invoice_id)
    assert all(read_ms_date(row["UpdatedDateUTC"]) < NOW for row in kept.invoices.values())


def test_the_companys_mobiles_are_valid_except_where_they_are_wrong_on_purpose() -> None:
    for person in CONTACTS:
        if person.name in BAD_PHONES:
            continue
        _, *parts = person.phones[0]
        region = {"New Zealand": "NZ", "Australia": "AU", "United Kingdom": "GB", "United States": "US"}
        typed = parts[2] if not parts[0] else f"+{parts[0]}{parts[1]}{parts[2]}"
        number = phonenumbers.parse(typed, region[person.country])
        assert phonenumbers.is_valid_number(number), person.name


def test_the_books_of_two_mornings_have_the_same_ids() -> None:
    assert books().invoices.keys() == company_books(TENANT_ID, NOW + timedelta(days=1)).invoices.keys()


@over(st.lists(st.decimals("0.01", "60", places=2), max_size=8))
def test_payments_and_their_removal_always_leave_an_invoice_that_adds_up(amounts: list[Decimal]) -> None:
    kept = books()
    for amount in amounts:
        due = amount_of(kept.invoice(OPEN), "AmountDue")
        if 0 < amount <= due:
            cashbook.pay(kept, OPEN, amount, TODAY, NOW)
        else:
            with pytest.raises(BookkeepingError):
                cashbook.pay(kept, OPEN, amount, TODAY, NOW)
        assert adds_up(kept, OPEN)
        assert (status(kept, OPEN) == "PAID") == (not amount_of(kept.invoice(OPEN), "AmountDue"))
    for payment in records_of(kept.invoice(OPEN)["Payments"]):
        cashbook.remove(kept, OPEN, text_of(payment, "PaymentID"), NOW)
        assert adds_up(kept, OPEN)
    assert status(kept, OPEN) == "AUTHORISED"
    assert "FullyPaidOnDate" not in kept.invoice(OPEN)


def test_a_credit_note_pays_an_invoice_without_a_payment() -> None:
    kept = books()
    credit_id = given(kept, amount_of(kept.invoice(OPEN), "AmountDue"))
    crediting.allocate(kept, credit_id, OPEN, None, TODAY, NOW)
    assert status(kept, OPEN) == "PAID"
    assert amount_of(kept.invoice(OPEN), "AmountPaid") == 0
    assert text_of(kept.credit(credit_id), "Status") == "PAID"
    assert adds_up(kept, OPEN)


def given(kept: Books, amount: Decimal, category: str = "CREDITNOTE", to: str = "Petone Pie Cart") -> str:
    return crediting.give(kept, Given(category, contact_id_of(to), amount, TODAY, "NZD"), NOW)[1]


def document_of(row: Record) -> str:
    return text_of(record_of(row["Invoice"]), "InvoiceID")


def refunded_of(kept: Books, credit_id: str) -> Decimal:
    own = [row for row in kept.payments.values() if document_of(row) == credit_id]
    return sum((amount_of(row, "Amount") for row in own), Decimal(0))


@pytest.mark.parametrize("category", ["CREDITNOTE", "PREPAYMENT", "OVERPAYMENT"])
@over(st.lists(st.tuples(st.decimals("0.01", "60", places=2), st.booleans()), max_size=8))
def test_a_credit_is_never_spent_twice_whatever_is_allocated_refunded_and_taken_back(
    category: str, uses: list[tuple[Decimal, bool]]
) -> None:
    kept = books()
    credit_id = given(kept, Decimal(70), category)
    for amount, is_refund in uses:
        left = amount_of(kept.credit(credit_id), "RemainingCredit")
        due = left if is_refund else amount_of(kept.invoice(OPEN), "AmountDue")
        if amount > min(left, due):
            with pytest.raises(BookkeepingError):
                spend(kept, credit_id, amount, is_refund=is_refund)
            assert amount_of(kept.credit(credit_id), "RemainingCredit") == left
        else:
            spend(kept, credit_id, amount, is_refund=is_refund)
            assert amount_of(kept.credit(credit_id), "RemainingCredit") == left - amount
        assert adds_up(kept, OPEN)
    if amount_of(kept.invoice(OPEN), "AmountCredited"):
        crediting.take_back(kept, credit_id, OPEN, NOW)
    assert amount_of(kept.credit(credit_id), "RemainingCredit") == 70 - refunded_of(kept, credit_id)
    assert amount_of(kept.invoice(OPEN), "AmountCredited") == 0


def spend(kept: Books, credit_id: str, amount: Decimal, *, is_refund: bool) -> None:
    if is_refund:
        crediting.refund(kept, credit_id, amount, TODAY, NOW)
    else:
        crediting.allocate(kept, credit_id, OPEN, amount, TODAY, NOW)


def test_what_xeros_screens_do_not_offer_is_refused() -> None:
    kept = books()
    draft, paid, part_paid = (invoice_id_of(f"INV-{n}") for n in ("0997", "0991", "0994"))
    bill, kiosk = invoice_id_of("MM-4519"), contact_id_of("Kelburn Kiosk")
    other = given(kept, Decimal(10), to="Kelburn Kiosk")
    for refused in (
        lambda: invoicing.approve(kept, OPEN, NOW),
        lambda: invoicing.delete(kept, OPEN, NOW),
        lambda: invoicing.mark_sent(kept, draft, NOW),
        lambda: cashbook.pay(kept, draft, None, TODAY, NOW),
        lambda: cashbook.pay(kept, paid, None, TODAY, NOW),
        lambda: cashbook.pay_batch(kept, [(OPEN, None), (OPEN, None)], TODAY, NOW),
        lambda: cashbook.pay_batch(kept, [(OPEN, None), (bill, None)], TODAY, NOW),
        lambda: cashbook.enter_again(kept, next(iter(kept.payments)), NOW),
        lambda: invoicing.void(kept, part_paid, NOW),
        lambda: invoicing.void(kept, draft, NOW),
        lambda: invoicing.edit(kept, paid, NOW, reference="x"),
        lambda: invoicing.edit(kept, part_paid, NOW, amount=Decimal(1)),
        lambda: crediting.give(kept, Given("PAYMENT", "x", Decimal(1), TODAY, "NZD"), NOW),
        lambda: crediting.allocate(kept, other, OPEN, None, TODAY, NOW),
        lambda: crediting.take_back(kept, other, OPEN, NOW),
        lambda: crediting.refund(kept, other, Decimal(11), TODAY, NOW),
        lambda: cashbook.remove(kept, OPEN, "nobody", NOW),
        lambda: addressbook.set_phone(kept, kiosk, "PAGER", ("", "", "1"), NOW),
        lambda: addressbook.edit(kept, kiosk, {"ContactPersons": [{"FirstName": "x"}] * 6}, NOW),
        lambda: addressbook.merge(kept, kiosk, kiosk, NOW),
        lambda: addressbook.set_status(kept, kiosk, "ASLEEP", NOW),
        lambda: addressbook.set_status(kept, "nobody", "ARCHIVED", NOW),
        lambda: addressbook.add_group(kept, ""),
    ):
        with pytest.raises(BookkeepingError):
            refused()


def test_two_changes_in_one_millisecond_bear_different_times() -> None:
    kept = books()
    changes = [invoicing.promise(kept, OPEN, TODAY, NOW) for _ in range(5)]
    assert len({change.at for change in changes}) == 5


def test_a_contact_that_a_loaded_invoice_carries_whole_is_kept_and_cut_to_a_stub_in_lists() -> None:
    kept = books()
    whole: Json = {
        "ContactID": "c-1",
        "Name": "Whole",
        "ContactStatus": "ACTIVE",
        "Phones": [{"PhoneNumber": "1"}],
    }
    load(
        kept,
        [{"InvoiceID": "i-1", "Contact": whole}, {"InvoiceID": "i-2", "Contact": {"ContactID": "c-2"}}],
        [],
        NOW,
    )
    assert record_of(kept.invoice("i-1")["Contact"])["Phones"] == []
    assert records_of(kept.contact("c-1")["Phones"]) == [{"PhoneNumber": "1"}]
    assert text_of(kept.contact("c-2"), "ContactStatus") == "ACTIVE"


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.decimals("-1e9", "1e9", places=2)
    | st.text()
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


@over(VALUES)
def test_what_is_written_reads_back_with_every_digit(value: Json) -> None:
    assert read_json(write_json(value)) == value


@over(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
def test_a_millisecond_date_keeps_its_instant(moment: datetime) -> None:
    assert moment - read_ms_date(ms_date(moment)) < timedelta(milliseconds=1)


def test_only_dates_have_their_slashes_escaped() -> None:
    assert write_json(["/Date(1000+0000)/", "https://in.xero.com/x"]) == (
        b'[\r\n  "\\/Date(1000+0000)\\/",\r\n  "https://in.xero.com/x"\r\n]'
    )
