"""Whether what polling read is news: whether it differs from what was known in anything that matters.

Compared field by field and not as text: the same invoice carries other fields in a list than alone, and what
Xero leaves out is not told, not changed. A difference is only a reason to look; what happened is derived by
those who look.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from duebell.model import Contact, Invoice, InvoiceType, Payment, PaymentStatus, PaymentType

TELLING = (
    "type",
    "status",
    "contact_id",
    "number",
    "reference",
    "issued_on",
    "due_on",
    "expected_payment_on",
    "currency",
    "total",
    "amount_due",
    "amount_paid",
    "amount_credited",
    "tracking",
    "branding_theme_id",
)
"""The fields that what we say, to whom and when may depend on."""

CONTACT_TELLING = (
    "status",
    "name",
    "first_name",
    "last_name",
    "email",
    "phones",
    "persons",
    "groups",
    "country",
    "merged_to",
)


def is_news(compared: Invoice | None, current: Invoice) -> bool:
    """Whether a sales invoice is other than when its changes were last derived (``None``: never)."""
    if current.type is not InvoiceType.SALE:
        return False
    return compared is None or differs(compared, current)


def differs(one: Invoice, other: Invoice) -> bool:
    """Whether two readings of an invoice tell different things; what either leaves out does not count."""
    told = ((getattr(one, name), getattr(other, name)) for name in TELLING)
    if any(_is_told(before) and _is_told(after) and before != after for before, after in told):
        return True
    # Lists print SentToContact only where it is true, a single invoice always; and a payment that is gone is
    # left out of the list of payments.
    return bool(one.sent_to_contact) != bool(other.sent_to_contact) or _payments(one) != _payments(other)


def _is_told(value: object) -> bool:
    return value not in (None, "", ())


def _payments(invoice: Invoice) -> set[tuple[str, Decimal]]:
    return {(payment.payment_id, payment.amount) for payment in invoice.payments}


SAME_CHANGE = timedelta(minutes=5)
"""How far the time of an event may lie before that of the change which it told of."""


def is_told(event_time: datetime | None, changed_at: datetime | None) -> bool:
    """Whether an event of that time, if there is one, told of a change of that time."""
    if event_time is None or changed_at is None:
        return changed_at is None
    return event_time >= changed_at - SAME_CHANGE


def contact_is_news(kept: Contact | None, current: Contact) -> bool:
    """Whether a contact is other than it was kept, in anything that we write to or about."""
    if kept is None:
        return True
    return any(getattr(kept, name) != getattr(current, name) for name in CONTACT_TELLING)


def payment_is_news(payment: Payment, compared: Invoice | None) -> bool:
    """Whether a payment for a sales invoice is one that the invoice, as last compared, does not reflect.

    Refunds are none: the id in their place of the invoice may be an overpayment's (calcinai/xero-php#889).
    """
    if payment.type is not PaymentType.SALE or payment.invoice_id is None:
        return False
    listed = compared is not None and any(one.payment_id == payment.payment_id for one in compared.payments)
    match payment.status:
        case PaymentStatus.AUTHORISED:
            return not listed
        case PaymentStatus.DELETED:
            return listed
        case PaymentStatus.UNKNOWN:
            return False
