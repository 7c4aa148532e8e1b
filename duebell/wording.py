"""The values that a message's templates are given."""

from duebell.ledger.tables import Tenant
from duebell.model import Contact, Invoice
from duebell.money import locale_for


def values_for_invoice(tenant: Tenant, invoice: Invoice, contact: Contact) -> dict[str, object]:
    """What every template about an invoice may name. Money is of the invoice's own currency.

    ``locale`` is that of the contact's country, or of the organisation's where none is known.
    """
    return {
        "locale": locale_for(contact.country or tenant.country),
        "organisation": tenant.name,
        "contact_name": contact.name,
        "contact_first_name": contact.first_name,
        "link": "",
        "invoice": {
            "number": invoice.number,
            "reference": invoice.reference,
            "currency": invoice.currency,
            "total": invoice.total,
            "amount_due": invoice.amount_due,
            "issued_on": invoice.issued_on,
            "due_on": invoice.due_on,
        },
    }
