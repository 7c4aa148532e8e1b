"""Real answers of Xero, read by the same code that reads them in production."""

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from duebell.errors import BadAnswer
from duebell.model import Connection, Invoice, InvoiceStatus, InvoiceType, Phone, PhoneType
from duebell.xero.fields import Fields
from duebell.xero.parse import parse_connections, parse_contact_body, parse_invoice_body, parse_organisation
from duebell.xero.reader import compact_json, read_json
from duebell.xero.records import Records, contacts_of, invoices_of, listed


def body(samples: Path, name: str) -> object:
    return read_json((samples / "xero-samples" / f"{name}.json").read_bytes())


@pytest.fixture
def recorded(samples: Path) -> Records[Invoice]:
    return invoices_of(body(samples, "invoices-page-1.recorded"))


def test_all_79_recorded_invoices_are_read(recorded: Records[Invoice]) -> None:
    counts = Counter((record.value.type, record.value.status) for record in recorded.good)
    assert counts == {
        (InvoiceType.SALE, InvoiceStatus.PAID): 27,
        (InvoiceType.SALE, InvoiceStatus.AUTHORISED): 9,
        (InvoiceType.SALE, InvoiceStatus.DRAFT): 2,
        (InvoiceType.BILL, InvoiceStatus.PAID): 28,
        (InvoiceType.BILL, InvoiceStatus.AUTHORISED): 12,
        (InvoiceType.BILL, InvoiceStatus.VOIDED): 1,
    }
    assert (recorded.bad, recorded.page_count) == ((), None)
    assert recorded.read_at == datetime(2020, 5, 4, 23, 3, 17, 422000, UTC)


def test_what_is_due_is_the_total_less_payments_and_credits_unless_voided(recorded: Records[Invoice]) -> None:
    def due(invoice: Invoice) -> Decimal:
        amounts = (invoice.total, invoice.amount_paid, invoice.amount_credited)
        total, paid, credited = (amount for amount in amounts if amount is not None)
        return total - paid - credited

    odd = [record.value for record in recorded.good if record.value.amount_due != due(record.value)]
    assert [invoice.status for invoice in odd] == [InvoiceStatus.VOIDED]
    payments_differ = [
        record.value.number
        for record in recorded.good
        if record.value.amount_paid != sum((payment.amount for payment in record.value.payments), Decimal())
    ]
    assert payments_differ == []


def test_recorded_invoices_carry_stubs_dates_and_a_body_that_reads_the_same(
    recorded: Records[Invoice],
) -> None:
    for record in recorded.good:
        assert record.value.contact is None
        assert record.value.contact_id
        assert record.value.issued_on
        assert record.value.updated_at
        assert parse_invoice_body(record.body) == record.value
        assert compact_json(read_json(record.body)) == record.body
    assert sum(record.value.sent_to_contact is True for record in recorded.good) == 23
    assert sum(record.value.branding_theme_id is not None for record in recorded.good) == 38
    assert any(record.value.tracking for record in recorded.good)


def test_a_part_paid_invoice_keeps_its_cents(recorded: Records[Invoice]) -> None:
    (found,) = [record.value for record in recorded.good if record.value.number == "INV-0027"]
    assert (str(found.total), str(found.amount_due), str(found.amount_paid)) == ("850.00", "270.63", "579.37")


def test_a_single_invoice_brings_its_contact_whole(samples: Path) -> None:
    (record,) = invoices_of(body(samples, "invoice.openapi")).good
    contact = record.value.contact
    assert contact is not None
    assert record.value.fully_paid_on == date(2019, 3, 19)
    assert contact.phones == (
        Phone(PhoneType.DEFAULT, "", "212", "222-2222"),
        Phone(PhoneType.FAX, "", "212", "333-2233"),
        Phone(PhoneType.MOBILE, "", "212", "444-3433"),
    )
    assert (contact.groups, contact.country, contact.persons[0].included) == (("Oasis",), "USA", False)
    assert parse_invoice_body(record.body) == record.value


def test_contacts_are_read_with_phones_persons_and_country(samples: Path) -> None:
    page = contacts_of(body(samples, "contacts.openapi"))
    assert (page.page_count, page.item_count, page.bad) == (1, 2, ())
    assert [record.value.phones for record in page.good] == [
        (Phone(PhoneType.DEFAULT, "", "(626)", "847-1294"),),
        (Phone(PhoneType.DEFAULT, "", "(510)", "266-3583"),),
    ]
    assert {record.value.country for record in page.good} == {"United States"}
    (single,) = contacts_of(body(samples, "contact.openapi")).good
    assert [phone.country_code for phone in single.value.phones] == ["4", "1", "2", "3"]
    assert single.value.persons[0].included
    assert parse_contact_body(single.body) == single.value


def test_the_organisation_and_the_connections_are_read(samples: Path) -> None:
    envelope = Fields.of("the answer", body(samples, "organisation.recorded"))
    (item,) = listed(envelope, "Organisations")
    organisation = parse_organisation(item, envelope.moment("DateTimeUTC"))
    assert (organisation.short_code, organisation.base_currency, organisation.country) == (
        "!1lqVQ",
        "NZD",
        "NZ",
    )
    assert organisation.timezone == "Pacific/Auckland"
    assert organisation.read_at == datetime(2020, 3, 19, 2, 44, 11, 967000, UTC)
    assert parse_connections(body(samples, "connections.recorded")) == (
        Connection(
            "f4a87932-0878-4884-abcf-73191dd810ba", "a46fcb6f-2773-40c4-a119-8aa08bca1e8e", "ORGANISATION"
        ),
    )


def test_no_other_answer_passes_for_a_list_of_invoices(samples: Path) -> None:
    names = [path.stem for path in (samples / "xero-samples").glob("*.json") if "invoice" not in path.stem]
    assert len(names) >= 10
    for name in names:
        with pytest.raises(BadAnswer):
            invoices_of(body(samples, name))
