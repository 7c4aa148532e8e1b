"""Xero's records as the dataclasses of ``duebell.model``.

Xero's words become ours in one table each; a word that is in none becomes the table's "unknown", and the raw
word stays in the record's body. What cannot be read raises ``BadField``.
"""

from datetime import datetime
from typing import cast

from duebell.hours.zones import iana_zone
from duebell.model import (
    Connection,
    Contact,
    ContactPerson,
    ContactStatus,
    Invoice,
    InvoicePayment,
    InvoiceStatus,
    InvoiceType,
    Organisation,
    Phone,
    PhoneType,
    Tracking,
)
from duebell.xero.fields import Fields
from duebell.xero.reader import BadField, read_json

INVOICE_TYPES = {
    # The other values of Xero's enum (credits, over- and prepayments) appear on stubs within payments only.
    "ACCREC": InvoiceType.SALE,
    "ACCPAY": InvoiceType.BILL,
}

INVOICE_STATUSES = {
    "DRAFT": InvoiceStatus.DRAFT,
    "SUBMITTED": InvoiceStatus.SUBMITTED,
    "AUTHORISED": InvoiceStatus.AUTHORISED,
    "PAID": InvoiceStatus.PAID,
    "VOIDED": InvoiceStatus.VOIDED,
    "DELETED": InvoiceStatus.DELETED,
}

CONTACT_STATUSES = {
    "ACTIVE": ContactStatus.ACTIVE,
    "ARCHIVED": ContactStatus.ARCHIVED,
    "GDPRREQUEST": ContactStatus.GDPR_REQUEST,
}

PHONE_TYPES = {
    "MOBILE": PhoneType.MOBILE,
    "DEFAULT": PhoneType.DEFAULT,
    "DDI": PhoneType.DDI,
    "FAX": PhoneType.FAX,
    "OFFICE": PhoneType.OFFICE,
}

ADDRESSES_BY_WEIGHT = ("STREET", "POBOX")


def parse_invoice_body(body: str) -> Invoice:
    """The invoice of a ``Record.body``. Raises ``BadAnswer``."""
    return parse_invoice(read_json(body))


def parse_contact_body(body: str) -> Contact:
    """The contact of a ``Record.body``. Raises ``BadAnswer``."""
    return parse_contact(read_json(body))


def parse_invoice(value: object) -> Invoice:
    """One element of Xero's ``Invoices``. Amounts are in the invoice's own currency. Raises ``BadField``."""
    fields = Fields.of("Invoice", value)
    addressee = fields.child("Contact")
    return Invoice(
        invoice_id=fields.own_uuid("InvoiceID"),
        type=INVOICE_TYPES.get(fields.text("Type"), InvoiceType.OTHER),
        status=INVOICE_STATUSES.get(fields.text("Status"), InvoiceStatus.UNKNOWN),
        contact_id=addressee.uuid("ContactID") if addressee else None,
        contact_name=addressee.text("Name") if addressee else "",
        number=fields.text("InvoiceNumber"),
        reference=fields.text("Reference"),
        issued_on=fields.day("DateString", "Date"),
        due_on=fields.day("DueDateString", "DueDate"),
        expected_payment_on=fields.day("ExpectedPaymentDate"),
        fully_paid_on=fields.day("FullyPaidOnDate"),
        currency=fields.text("CurrencyCode"),
        total=fields.money("Total"),
        amount_due=fields.money("AmountDue"),
        amount_paid=fields.money("AmountPaid"),
        amount_credited=fields.money("AmountCredited"),
        payments=_payments(fields),
        tracking=_tracking(fields),
        branding_theme_id=fields.uuid("BrandingThemeID"),
        repeating_invoice_id=fields.uuid("RepeatingInvoiceID"),
        sent_to_contact=fields.flag("SentToContact"),
        updated_at=fields.moment("UpdatedDateUTC", "UpdatedDateUTCString"),
        contact=_contact(addressee) if addressee and _is_whole(addressee) else None,
    )


def _is_whole(addressee: Fields) -> bool:
    # A list's invoices carry a stub: id, name and empty lists. Only a whole contact has a status.
    return addressee.has("ContactStatus")


def _payments(fields: Fields) -> tuple[InvoicePayment, ...]:
    return tuple(_payment(payment) for payment in fields.children("Payments") if not _is_deleted(payment))


def _is_deleted(fields: Fields) -> bool:
    return fields.text("Status") == "DELETED"


def _payment(payment: Fields) -> InvoicePayment:
    amount = payment.money("Amount")
    if amount is None:
        raise BadField(f"{payment.name}.Amount", "present")
    return InvoicePayment(
        payment_id=payment.own_uuid("PaymentID"),
        amount=amount,
        paid_on=payment.day("Date"),
        reference=payment.text("Reference"),
    )


def _tracking(fields: Fields) -> tuple[Tracking, ...]:
    """What the lines are tracked by, each pair once, in the order of the lines."""
    pairs = (
        Tracking(tracking.text("Name"), tracking.text("Option"))
        for line in fields.children("LineItems")
        for tracking in line.children("Tracking")
    )
    return tuple(dict.fromkeys(pairs))


def parse_contact(value: object) -> Contact:
    """One element of Xero's ``Contacts``. Raises ``BadField``."""
    return _contact(Fields.of("Contact", value))


def _contact(fields: Fields) -> Contact:
    return Contact(
        contact_id=fields.own_uuid("ContactID"),
        name=fields.text("Name"),
        status=CONTACT_STATUSES.get(fields.text("ContactStatus"), ContactStatus.UNKNOWN),
        first_name=fields.text("FirstName"),
        last_name=fields.text("LastName"),
        email=fields.text("EmailAddress").strip(),
        phones=_phones(fields),
        persons=tuple(_person(person) for person in fields.children("ContactPersons")),
        groups=tuple(
            group.text("Name") for group in fields.children("ContactGroups") if not _is_deleted(group)
        ),
        country=_of_addresses(fields, "Country"),
        region=_of_addresses(fields, "Region"),
        merged_to=fields.uuid("MergedToContactID"),
        updated_at=fields.moment("UpdatedDateUTC"),
    )


def _phones(fields: Fields) -> tuple[Phone, ...]:
    """Xero always sends four entries, most of them empty; those are no phones."""
    phones = (
        Phone(
            type=PHONE_TYPES.get(phone.text("PhoneType"), PhoneType.UNKNOWN),
            country_code=phone.text("PhoneCountryCode"),
            area_code=phone.text("PhoneAreaCode"),
            number=phone.text("PhoneNumber"),
        )
        for phone in fields.children("Phones")
    )
    return tuple(phone for phone in phones if (phone.country_code + phone.area_code + phone.number).strip())


def _person(person: Fields) -> ContactPerson:
    return ContactPerson(
        first_name=person.text("FirstName"),
        last_name=person.text("LastName"),
        email=person.text("EmailAddress").strip(),
        included=person.flag("IncludeInEmails") is True,
    )


def _of_addresses(fields: Fields, name: str) -> str:
    found = {address.text("AddressType"): address.text(name) for address in fields.children("Addresses")}
    return next((found[kind] for kind in ADDRESSES_BY_WEIGHT if found.get(kind, "").strip()), "")


def parse_organisation(value: object, read_at: datetime | None) -> Organisation:
    """One element of Xero's ``Organisations``; ``read_at`` is the envelope's time. Raises ``BadField``."""
    fields = Fields.of("Organisation", value)
    country = fields.text("CountryCode")
    return Organisation(
        name=fields.text("Name"),
        legal_name=fields.text("LegalName"),
        short_code=fields.text("ShortCode"),
        base_currency=fields.text("BaseCurrency"),
        country=country,
        timezone=iana_zone(fields.text("Timezone"), country),
        read_at=read_at,
    )


def parse_connections(value: object) -> tuple[Connection, ...]:
    """The list that ``GET /connections`` answers. Raises ``BadField``."""
    if not isinstance(value, list):
        raise BadField("the answer", "a list of connections")
    return tuple(_connection(Fields.of("Connection", item)) for item in cast("list[object]", value))


def _connection(fields: Fields) -> Connection:
    return Connection(
        connection_id=fields.own_uuid("id"),
        tenant_id=fields.own_uuid("tenantId"),
        tenant_type=fields.text("tenantType"),
        tenant_name=fields.text("tenantName"),
        auth_event_id=fields.text("authEventId").lower(),
    )
