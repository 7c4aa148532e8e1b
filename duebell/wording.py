"""The values that a message's templates are given."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED, PAYMENT_RECEIVED
from duebell.known import Known
from duebell.model import Contact, Invoice
from duebell.money import locale_for

NUMBERS_NAMED = 4
"""How many invoices a message names before it only counts them."""

Told = Sequence[tuple[str, Known]]
"""What one message is about: the subject of each notification, with what is known of its invoice."""


def values_for(kind: str, told: Told) -> dict[str, object]:
    """What the templates of this kind may name. Money is of the invoices' own currency.

    ``locale`` is that of the contact's country, or of the organisation's where none is known.
    """
    first = told[0][1]
    contact = first.contact
    if contact is None or kind not in VALUES:
        raise Permanent(f"there is nobody to tell of {kind}, or no such kind")
    return {
        "locale": locale_for(contact.country or first.tenant.country),
        "organisation": first.tenant.name,
        "contact_name": contact.name,
        "contact_first_name": contact.first_name,
        "link": "",
        **VALUES[kind](told, contact),
    }


def _of_invoice(invoice: Invoice) -> dict[str, object]:
    return {
        "number": invoice.number,
        "reference": invoice.reference,
        "currency": invoice.currency,
        "total": invoice.total,
        "amount_due": invoice.amount_due,
        "issued_on": invoice.issued_on,
        "due_on": invoice.due_on,
    }


def _issued(told: Told, _contact: Contact) -> dict[str, object]:
    return {"invoice": _of_invoice(told[0][1].read.invoice)}


def _paid(told: Told, _contact: Contact) -> dict[str, object]:
    """``payment`` is the sum of what one message confirms; ``invoices`` are those that it was for.

    A template cannot compare, so what it has to tell apart is a count that may be 0.
    """
    payments = [known.payment(subject_id) for subject_id, known in told]
    standing = [one for one in payments if one is not None]
    if not standing:
        raise Permanent("there is no payment left to confirm")
    invoices = list({known.read.invoice.invoice_id: known.read.invoice for _, known in told}.values())
    return {
        "invoice": _of_invoice(invoices[0]),
        "invoices": [_of_invoice(one) for one in invoices],
        "invoice_numbers": ", ".join(one.number for one in invoices[:NUMBERS_NAMED]),
        "other_invoices": len(invoices) - 1,
        "unnamed_invoices": max(len(invoices) - NUMBERS_NAMED, 0),
        "payment": {
            "amount": sum((one.amount for one in standing), Decimal(0)),
            "currency": invoices[0].currency,
            "paid_on": standing[0].paid_on,
        },
        "still_owing": sum((one.amount_due or Decimal(0) for one in invoices), Decimal(0)),
    }


VALUES: dict[str, Callable[[Told, Contact], dict[str, object]]] = {
    INVOICE_ISSUED: _issued,
    PAYMENT_RECEIVED: _paid,
}
"""What each kind of message has to say beside who says it to whom."""
