"""Xero's records become ours: exact money, our words, stubs told from whole contacts."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from duebell.model import ContactPerson, ContactStatus, InvoiceStatus, InvoiceType, Phone, PhoneType, Tracking
from duebell.xero.parse import (
    parse_connections,
    parse_contact,
    parse_contact_body,
    parse_invoice,
    parse_organisation,
)
from duebell.xero.reader import BadField, compact_json

INVOICE_ID = "11111111-2222-4333-8444-555555555555"
CONTACT_ID = "22222222-2222-4333-8444-555555555555"
PAYMENT_ID = "33333333-2222-4333-8444-555555555555"
STUB: dict[str, object] = {
    "ContactID": CONTACT_ID,
    "Name": "Harbour Books",
    "ContactNumber": "",
    "Phones": [],
    "Addresses": [],
    "ContactGroups": [],
    "ContactPersons": [],
    "HasValidationErrors": False,
}


def invoice(**fields: object) -> dict[str, object]:
    return {"InvoiceID": INVOICE_ID, **fields}


def contact(**fields: object) -> dict[str, object]:
    return {"ContactID": CONTACT_ID, **fields}


def test_an_invoice_that_is_nothing_but_an_id_has_every_field_untold() -> None:
    bare = parse_invoice(invoice(Total=None, Payments=None, Contact=None, DueDate=None))
    assert (bare.type, bare.status) == (InvoiceType.OTHER, InvoiceStatus.UNKNOWN)
    assert (bare.total, bare.due_on, bare.contact_id, bare.contact, bare.sent_to_contact) == (None,) * 5
    assert (bare.payments, bare.tracking, bare.number) == ((), (), "")


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("ACCREC", InvoiceType.SALE),
        ("ACCPAY", InvoiceType.BILL),
        ("ACCRECCREDIT", InvoiceType.OTHER),
        ("", InvoiceType.OTHER),
    ],
)
def test_an_invoice_type_is_ours_or_other(word: str, ours: InvoiceType) -> None:
    assert parse_invoice(invoice(Type=word)).type is ours


@pytest.mark.parametrize(
    "status", [status for status in InvoiceStatus if status is not InvoiceStatus.UNKNOWN]
)
def test_every_status_of_an_invoice_is_known(status: InvoiceStatus) -> None:
    assert parse_invoice(invoice(Status=status.value.upper())).status is status
    assert parse_invoice(invoice(Status="REBORN")).status is InvoiceStatus.UNKNOWN


def test_the_date_string_wins_over_the_ms_date() -> None:
    both = invoice(DueDateString="2026-11-22T00:00:00", DueDate="/Date(1764000000000+1300)/")
    assert parse_invoice(both).due_on == date(2026, 11, 22)
    assert parse_invoice(invoice(DueDate="/Date(1539993600000+0000)/")).due_on == date(2018, 10, 20)


def test_the_exact_instant_wins_over_its_rounded_string() -> None:
    both = invoice(UpdatedDateUTC="/Date(1541176592690+0000)/", UpdatedDateUTCString="2018-11-02T16:36:32Z")
    assert parse_invoice(both).updated_at == datetime(2018, 11, 2, 16, 36, 32, 690000, UTC)


def test_a_stub_is_not_taken_for_a_contact_without_phones() -> None:
    stubbed = parse_invoice(invoice(Contact=STUB))
    assert (stubbed.contact_id, stubbed.contact_name, stubbed.contact) == (CONTACT_ID, "Harbour Books", None)
    whole = parse_invoice(invoice(Contact=STUB | {"ContactStatus": "ACTIVE"})).contact
    assert whole is not None
    assert whole.status is ContactStatus.ACTIVE


def test_a_deleted_payment_is_no_payment_and_a_payment_needs_id_and_amount() -> None:
    paid = {"PaymentID": PAYMENT_ID, "Amount": Decimal("10.50"), "Date": "/Date(1552953600000+0000)/"}
    payments = parse_invoice(invoice(Payments=[paid, paid | {"Status": "DELETED"}])).payments
    assert [(payment.payment_id, payment.amount, payment.paid_on) for payment in payments] == [
        (PAYMENT_ID, Decimal("10.50"), date(2019, 3, 19))
    ]
    for missing in ("PaymentID", "Amount"):
        with pytest.raises(BadField, match=rf"^Invoice\.Payments\.{missing} is not present$"):
            parse_invoice(invoice(Payments=[{key: value for key, value in paid.items() if key != missing}]))


def test_tracking_of_the_lines_is_gathered_once() -> None:
    north = {"Tracking": [{"Name": "Region", "Option": "North"}]}
    assert parse_invoice(invoice(LineItems=[north, {}, north])).tracking == (Tracking("Region", "North"),)


def test_phones_keep_their_parts_and_empty_ones_are_dropped() -> None:
    phones = [
        {"PhoneType": "MOBILE", "PhoneNumber": "489-44493", "PhoneAreaCode": "345", "PhoneCountryCode": "4"},
        {"PhoneType": "DDI", "PhoneNumber": "", "PhoneAreaCode": " ", "PhoneCountryCode": ""},
        {"PhoneType": "FAX"},
        {"PhoneType": "PIGEON", "PhoneNumber": "#507"},
    ]
    assert parse_contact(contact(Phones=phones)).phones == (
        Phone(PhoneType.MOBILE, "4", "345", "489-44493"),
        Phone(PhoneType.UNKNOWN, "", "", "#507"),
    )


@pytest.mark.parametrize(
    ("countries", "found"),
    [
        ({"STREET": "NZ", "POBOX": "AU"}, "NZ"),
        ({"STREET": "", "POBOX": "AU"}, "AU"),
        ({"STREET": " "}, ""),
        ({"DELIVERY": "FJ"}, ""),
        ({}, ""),
    ],
)
def test_the_country_is_of_the_street_address_else_of_the_post_box(
    countries: dict[str, str], found: str
) -> None:
    addresses = [{"AddressType": kind, "Country": country} for kind, country in reversed(countries.items())]
    assert parse_contact(contact(Addresses=addresses)).country == found


def test_the_region_is_found_as_the_country_is() -> None:
    addresses = [{"AddressType": "POBOX", "Region": "Otago"}, {"AddressType": "STREET", "Region": "Waikato"}]
    assert parse_contact(contact(Addresses=addresses)).region == "Waikato"
    assert parse_contact(contact(Addresses=addresses[:1])).region == "Otago"
    assert parse_contact(contact(Addresses=[])).region == ""


def test_a_contacts_words_persons_groups_and_merge_are_read() -> None:
    person = {"FirstName": "Sue", "EmailAddress": "sue@example.com", "IncludeInEmails": True}
    groups = [{"Name": "Key accounts", "Status": "ACTIVE"}, {"Name": "Gone", "Status": "DELETED"}]
    merged = contact(
        ContactStatus="GDPRREQUEST",
        ContactPersons=[person, {}],
        ContactGroups=groups,
        MergedToContactID=INVOICE_ID,
    )
    found = parse_contact(merged)
    assert (found.status, found.groups, found.merged_to) == (
        ContactStatus.GDPR_REQUEST,
        ("Key accounts",),
        INVOICE_ID,
    )
    assert found.persons == (
        ContactPerson("Sue", "", "sue@example.com", included=True),
        ContactPerson("", "", "", included=False),
    )
    assert parse_contact(contact(ContactStatus="NEW")).status is ContactStatus.UNKNOWN


def test_a_blank_beside_an_address_of_email_is_no_part_of_it() -> None:
    person = {"FirstName": "Sue", "EmailAddress": "sue@example.com\n", "IncludeInEmails": True}
    found = parse_contact(contact(EmailAddress=" ana@example.com ", ContactPersons=[person]))
    assert (found.email, found.persons[0].email) == ("ana@example.com", "sue@example.com")


def test_ids_are_lower_case_and_an_empty_one_is_untold() -> None:
    found = parse_invoice({"InvoiceID": INVOICE_ID.upper(), "BrandingThemeID": ""})
    assert (found.invoice_id, found.branding_theme_id) == (INVOICE_ID, None)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"InvoiceID": None}, "Invoice.InvoiceID is not present"),
        ({"InvoiceID": "INV-1"}, "Invoice.InvoiceID is not a UUID"),
        ({"Total": "10.00"}, "Invoice.Total is not an amount"),
        ({"Total": True}, "Invoice.Total is not an amount"),
        ({"Total": Decimal("1E+13")}, "Invoice.Total is not an amount"),
        ({"Total": Decimal("1E+999999999")}, "Invoice.Total is not an amount"),
        ({"Total": Decimal("1E-999999999")}, "Invoice.Total is not an amount"),
        ({"Total": Decimal("NaN")}, "Invoice.Total is not an amount"),
        ({"Reference": 5}, "Invoice.Reference is not a text"),
        ({"Reference": "a\x00b"}, "Invoice.Reference is not a text"),
        ({"Reference": "\ud800"}, "Invoice.Reference is not a text"),
        ({"SentToContact": "yes"}, "Invoice.SentToContact is not true or false"),
        ({"Payments": {}}, "Invoice.Payments is not a list"),
        ({"Contact": []}, "Invoice.Contact is not an object"),
        ({"LineItems": [None]}, "Invoice.LineItems is not an object"),
        ({"DueDateString": "tomorrow"}, "Invoice.DueDateString is not a calendar date"),
        (
            {"Contact": STUB | {"ContactStatus": "ACTIVE", "EmailAddress": 1}},
            "Invoice.Contact.EmailAddress is not a text",
        ),
    ],
)
def test_f034_a_field_of_the_wrong_kind_is_named_and_its_value_stays_out(
    fields: dict[str, object], text: str
) -> None:
    with pytest.raises(BadField) as problem:
        parse_invoice(invoice(**fields))
    assert str(problem.value) == text


def test_a_contact_body_is_read_by_the_same_parser() -> None:
    body = compact_json(contact(Name="Ngā Pukapuka", EmailAddress="a@example.com"))
    assert parse_contact_body(body) == parse_contact(
        contact(Name="Ngā Pukapuka", EmailAddress="a@example.com")
    )


def test_an_organisation_and_a_connection_tolerate_what_is_left_out() -> None:
    assert parse_organisation({"CountryCode": "NZ"}, None).timezone == "Pacific/Auckland"
    (found,) = parse_connections([{"id": CONTACT_ID, "tenantId": INVOICE_ID, "tenantType": "ORGANISATION"}])
    assert (found.connection_id, found.tenant_id, found.tenant_name) == (CONTACT_ID, INVOICE_ID, "")
    with pytest.raises(BadField, match=r"^Connection\.tenantId is not present$"):
        parse_connections([{"id": CONTACT_ID}])
