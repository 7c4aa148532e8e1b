"""The sandbox's books keep an accountant's rules, and its company is well formed."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox.books import BookkeepingError, Books, load
from deployments.sandbox.company import CONTACTS, company_books, contact_id_of, invoice_id_of
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.wire import (
    Json,
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


@given(st.lists(st.decimals("0.01", "60", places=2), max_size=8))
def test_payments_and_their_removal_always_leave_an_invoice_that_adds_up(amounts: list[Decimal]) -> None:
    kept = books()
    for amount in amounts:
        due = amount_of(kept.invoice(OPEN), "AmountDue")
        if 0 < amount <= due:
            kept.pay(OPEN, amount, TODAY, NOW)
        else:
            with pytest.raises(BookkeepingError):
                kept.pay(OPEN, amount, TODAY, NOW)
        assert adds_up(kept, OPEN)
        assert (status(kept, OPEN) == "PAID") == (not amount_of(kept.invoice(OPEN), "AmountDue"))
    for payment in records_of(kept.invoice(OPEN)["Payments"]):
        kept.remove_payment(OPEN, text_of(payment, "PaymentID"), NOW)
        assert adds_up(kept, OPEN)
    assert status(kept, OPEN) == "AUTHORISED"
    assert "FullyPaidOnDate" not in kept.invoice(OPEN)


def test_a_credit_note_pays_an_invoice_without_a_payment() -> None:
    kept = books()
    kept.credit(OPEN, amount_of(kept.invoice(OPEN), "AmountDue"), NOW)
    assert status(kept, OPEN) == "PAID"
    assert amount_of(kept.invoice(OPEN), "AmountPaid") == 0
    assert adds_up(kept, OPEN)


def test_what_xeros_screens_do_not_offer_is_refused() -> None:
    kept = books()
    draft, paid, part_paid = (invoice_id_of(f"INV-{n}") for n in ("0997", "0991", "0994"))
    for refused in (
        lambda: kept.approve(OPEN, NOW),
        lambda: kept.pay(draft, None, TODAY, NOW),
        lambda: kept.pay(paid, None, TODAY, NOW),
        lambda: kept.void(part_paid, NOW),
        lambda: kept.void(draft, NOW),
        lambda: kept.edit(paid, NOW, reference="x"),
        lambda: kept.credit(OPEN, Decimal(10_000), NOW),
        lambda: kept.remove_payment(OPEN, "nobody", NOW),
        lambda: kept.set_phone(contact_id_of("Kelburn Kiosk"), "PAGER", ("", "", "1"), NOW),
        lambda: kept.archive("nobody", NOW),
    ):
        with pytest.raises(BookkeepingError):
            refused()


def test_two_changes_in_one_millisecond_bear_different_times() -> None:
    kept = books()
    changes = [kept.promise(OPEN, TODAY, NOW) for _ in range(5)]
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


@given(VALUES)
def test_what_is_written_reads_back_with_every_digit(value: Json) -> None:
    assert read_json(write_json(value)) == value


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
def test_a_millisecond_date_keeps_its_instant(moment: datetime) -> None:
    assert moment - read_ms_date(ms_date(moment)) < timedelta(milliseconds=1)


def test_only_dates_have_their_slashes_escaped() -> None:
    assert write_json(["/Date(1000+0000)/", "https://in.xero.com/x"]) == (
        b'[\r\n  "\\/Date(1000+0000)\\/",\r\n  "https://in.xero.com/x"\r\n]'
    )
