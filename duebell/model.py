"""The records of Xero as Duebell sees them: frozen, typed, and independent of how Xero spells them.

Ids are lower-case UUID strings. Money is ``Decimal`` in the record's own currency. A ``date`` is a
calendar date as the organisation wrote it and is never converted between zones; a ``datetime`` is aware UTC.
Every field that Xero may leave out is optional: absent means "not told", never "empty" or "zero".
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class InvoiceType(StrEnum):
    """Whose invoice it is."""

    SALE = "sale"
    BILL = "bill"
    OTHER = "other"


class InvoiceStatus(StrEnum):
    """Xero's life cycle of an invoice."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    AUTHORISED = "authorised"
    PAID = "paid"
    VOIDED = "voided"
    DELETED = "deleted"
    UNKNOWN = "unknown"


class ContactStatus(StrEnum):
    """Whether a contact may be written to at all."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    GDPR_REQUEST = "gdpr_request"
    UNKNOWN = "unknown"


class PaymentType(StrEnum):
    """Which way the money went, and for what."""

    SALE = "sale"
    BILL = "bill"
    REFUND_TO_CUSTOMER = "refund_to_customer"
    REFUND_FROM_SUPPLIER = "refund_from_supplier"
    UNKNOWN = "unknown"


class PaymentStatus(StrEnum):
    """Whether a payment stands. Xero never edits one: a change is a removal and a new payment."""

    AUTHORISED = "authorised"
    DELETED = "deleted"
    UNKNOWN = "unknown"


class PhoneType(StrEnum):
    """Which of a contact's phone fields a number was typed into."""

    MOBILE = "mobile"
    DEFAULT = "default"
    DDI = "ddi"
    FAX = "fax"
    OFFICE = "office"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone as typed in Xero: three free-text parts, each possibly empty."""

    type: PhoneType
    country_code: str
    area_code: str
    number: str


@dataclass(frozen=True, slots=True)
class ContactPerson:
    """A further person at a contact; ``included`` is Xero's tick "include in emails"."""

    first_name: str
    last_name: str
    email: str
    included: bool


@dataclass(frozen=True, slots=True)
class Contact:
    """Who an invoice is addressed to. ``name`` is the organisation's or person's display name."""

    contact_id: str
    name: str
    status: ContactStatus
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phones: tuple[Phone, ...] = ()
    persons: tuple[ContactPerson, ...] = ()
    groups: tuple[str, ...] = ()
    country: str = ""
    region: str = ""
    merged_to: str | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InvoicePayment:
    """A payment as an invoice lists it, in the invoice's currency."""

    payment_id: str
    amount: Decimal
    paid_on: date | None
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment of its own, as Xero's list of payments tells it.

    ``invoice_id`` is that of the document which was paid: for a refund that is a credit note's, an over- or a
    prepayment's, so look at ``type`` first.
    """

    payment_id: str
    type: PaymentType
    status: PaymentStatus
    invoice_id: str | None = None
    amount: Decimal | None = None
    paid_on: date | None = None
    updated_at: datetime | None = None


class CreditKind(StrEnum):
    """What leaves a customer credit, in Xero's words for its events."""

    CREDIT_NOTE = "CREDITNOTE"
    PREPAYMENT = "PREPAYMENT"
    OVERPAYMENT = "OVERPAYMENT"


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit note, a prepayment or an overpayment. ``remaining`` is what no invoice and no refund has used.

    ``is_customers`` tells those of customers from those of suppliers.
    """

    credit_id: str
    kind: CreditKind
    is_customers: bool
    contact_id: str | None
    currency: str
    remaining: Decimal
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tracking:
    """One tracking category and the option chosen on a line."""

    category: str
    option: str


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice or a bill. ``contact`` is set only where Xero sent the contact whole, not as a stub."""

    invoice_id: str
    type: InvoiceType
    status: InvoiceStatus
    contact_id: str | None
    contact_name: str = ""
    number: str = ""
    reference: str = ""
    issued_on: date | None = None
    due_on: date | None = None
    expected_payment_on: date | None = None
    fully_paid_on: date | None = None
    currency: str = ""
    total: Decimal | None = None
    amount_due: Decimal | None = None
    amount_paid: Decimal | None = None
    amount_credited: Decimal | None = None
    payments: tuple[InvoicePayment, ...] = ()
    tracking: tuple[Tracking, ...] = ()
    branding_theme_id: str | None = None
    repeating_invoice_id: str | None = None
    sent_to_contact: bool | None = None
    updated_at: datetime | None = None
    contact: Contact | None = None

    @property
    def is_owed(self) -> bool:
        """Whether something is still to pay on it, as far as Xero says: an approved sale."""
        is_open = self.type is InvoiceType.SALE and self.status is InvoiceStatus.AUTHORISED
        return is_open and (self.amount_due is None or self.amount_due > 0)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A Xero organisation. ``timezone`` is an IANA name; ``read_at`` is Xero's own clock at the answer."""

    name: str
    legal_name: str
    short_code: str
    base_currency: str
    country: str
    timezone: str
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """One organisation that a consent opened. ``connection_id`` is not the tenant's id.

    ``auth_event_id`` names the consent that added it, ``""`` where Xero does not say.
    """

    connection_id: str
    tenant_id: str
    tenant_type: str
    tenant_name: str = ""
    auth_event_id: str = ""
