"""Books filled from a recorded answer of Xero's."""

from datetime import datetime

from deployments.sandbox.books import Books, Group
from deployments.sandbox.documents import contact_stub, new_contact
from deployments.sandbox.payment_records import payment_row
from deployments.sandbox.wire import Record, record_of, records_of, text_of


def load(books: Books, invoices: list[Record], contacts: list[Record], now: datetime) -> None:
    """Replace a tenant's contacts, invoices, payments and groups by records as Xero sent them.

    A contact that an invoice carries whole is kept and cut down to its stub there, because no list carries it
    whole; a contact that is only named becomes one without phones. The payments that the invoices embed are
    the payments there are.
    """
    books.contacts = {text_of(record, "ContactID"): record for record in contacts}
    books.invoices.clear()
    books.payments.clear()
    books.credits.clear()
    for record in invoices:
        books.keep_invoice(_with_known_contact(books, record, now))
        for payment in records_of(record.get("Payments")):
            row = payment_row(payment, record) | {
                name: record[name] for name in ("UpdatedDateUTC", "UpdatedDateUTCString") if name in record
            }
            books.payments[text_of(payment, "PaymentID")] = row
    books.groups = _groups_of(books)


def _with_known_contact(books: Books, record: Record, now: datetime) -> Record:
    carried = record_of(record.get("Contact"))
    contact_id = text_of(carried, "ContactID")
    whole = "ContactStatus" in carried
    if contact_id and contact_id not in books.contacts:
        named = new_contact(contact_id, text_of(carried, "Name"), now)
        books.contacts[contact_id] = carried if whole else named
    return record | {"Contact": contact_stub(carried)} if whole else record


def _groups_of(books: Books) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    for contact_id, contact in books.contacts.items():
        for row in records_of(contact.get("ContactGroups")):
            group_id = text_of(row, "ContactGroupID")
            found = groups.setdefault(group_id, Group(group_id, text_of(row, "Name")))
            found.members.add(contact_id)
    return groups
