"""The forms that one record takes in Xero's answers: listed, listed without paging, and single."""

from datetime import datetime
from decimal import Decimal

from deployments.sandbox.books import Books, Group
from deployments.sandbox.documents import contact_stub
from deployments.sandbox.payment_records import document_stub
from deployments.sandbox.wire import Json, Record, amount_of, money, read_ms_date, record_of, text_of

_UNPAGED_CONTACT_LACKS = frozenset(
    {"ContactPersons", "ContactGroups", "DefaultCurrency", "PaymentTerms", "Balances", "MergedToContactID"}
)
_SUMMARY_CONTACT_LACKS = frozenset({"IsCustomer", "IsSupplier", "Balances"})
_SUMMARY_INVOICE_LACKS = frozenset({"Payments", "LineItems", "HasAttachments"})
# A single invoice does not say that nothing was credited (getInvoice of Xero-OpenAPI), while a list does.
_UNSAID_WHEN_SINGLE = ("CreditNotes", "AmountCredited")


def with_contact(record: Record, books: Books) -> Record:
    """A document whose contact's stub bears the name that the contact has now."""
    stub = record_of(record.get("Contact"))
    contact = books.contacts.get(text_of(stub, "ContactID"))
    if contact is None or text_of(contact, "Name") == text_of(stub, "Name"):
        return record
    return record | {"Contact": stub | {"Name": contact["Name"]}}


def listed_document(record: Record, books: Books, *, paged: bool) -> Record:
    """A document in a list: lines only where paging was asked for, and no false ``SentToContact``."""
    row = dict(with_contact(record, books))
    if row.get("SentToContact") is False:
        del row["SentToContact"]
    if not paged and "LineItems" in row:
        row["LineItems"] = []
    return row


def summary_invoice(record: Record, books: Books) -> Record:
    """An invoice where only the summary was asked for."""
    row = listed_document(record, books, paged=True)
    return {name: value for name, value in row.items() if name not in _SUMMARY_INVOICE_LACKS}


def single_invoice(record: Record, books: Books) -> Record:
    """An invoice on its own: the contact whole, and ``SentToContact`` always said."""
    said = {name: value for name, value in record.items() if name not in _UNSAID_WHEN_SINGLE or value}
    whole: Record = {"SentToContact": False}
    return whole | single_document(said, books)


def single_document(record: Record, books: Books) -> Record:
    """A document on its own: the contact whole."""
    contact = books.contacts.get(text_of(record_of(record.get("Contact")), "ContactID"))
    return record | ({"Contact": single_contact(contact, books)} if contact else {})


def _document_of(payment: Record, books: Books) -> Record:
    document_id = text_of(record_of(payment["Invoice"]), "InvoiceID")
    return books.invoices.get(document_id) or books.credits[document_id]


def listed_payment(payment: Record, books: Books) -> Record:
    """A payment in a list: its document is a stub, with a stub of the contact."""
    document = with_contact(_document_of(payment, books), books)
    return payment | {"Invoice": document_stub(document, document["Contact"])}


def single_payment(payment: Record, books: Books) -> Record:
    """A payment on its own: an invoice is there whole, but for its contact."""
    document = _document_of(payment, books)
    if "InvoiceID" not in document:
        return listed_payment(payment, books)
    document = with_contact(document, books)
    stub = record_of(document["Contact"])
    names = ("ContactID", "Name", "ContactPersons", "HasValidationErrors")
    kept: Record = {name: stub[name] for name in names if name in stub}
    return payment | {"Invoice": document | {"Contact": kept}}


def single_contact(record: Record, books: Books) -> Record:
    """A contact on its own, with its groups and with what Xero reckons from the invoices."""
    contact_id = text_of(record, "ContactID")
    kinds = {text_of(invoice, "Type") for invoice in books.invoices_of(contact_id)}
    groups: list[Json] = [
        listed_group(group)
        for group in books.groups.values()
        if contact_id in group.members and group.status == "ACTIVE"
    ]
    return record | {
        "ContactGroups": groups,
        "IsSupplier": record.get("IsSupplier") or "ACCPAY" in kinds,
        "IsCustomer": record.get("IsCustomer") or "ACCREC" in kinds,
    }


def listed_contact(record: Record, books: Books, now: datetime, *, paged: bool, summary: bool) -> Record:
    """A contact in a list: with balances where paging was asked for, and with fewer fields where not."""
    row = single_contact(record, books)
    lacks = _SUMMARY_CONTACT_LACKS if summary else frozenset[str]()
    if paged:
        row |= {"Balances": _balances(text_of(record, "ContactID"), books, now)}
    else:
        lacks |= _UNPAGED_CONTACT_LACKS
    return {name: value for name, value in row.items() if name not in lacks}


def _balances(contact_id: str, books: Books, now: datetime) -> Record:
    open_rows = [row for row in books.invoices_of(contact_id) if text_of(row, "Status") == "AUTHORISED"]
    return {
        "AccountsReceivable": _balance([row for row in open_rows if text_of(row, "Type") == "ACCREC"], now),
        "AccountsPayable": _balance([row for row in open_rows if text_of(row, "Type") == "ACCPAY"], now),
    }


def _balance(rows: list[Record], now: datetime) -> Record:
    overdue = [row for row in rows if "DueDate" in row and read_ms_date(row["DueDate"]).date() < now.date()]
    return {
        "Outstanding": money(sum((amount_of(row, "AmountDue") for row in rows), Decimal(0))),
        "Overdue": money(sum((amount_of(row, "AmountDue") for row in overdue), Decimal(0))),
    }


def listed_group(group: Group) -> Record:
    """A contact group in a list, and as a contact names it: without its members."""
    return {
        "ContactGroupID": group.group_id,
        "Name": group.name,
        "Status": group.status,
        "Contacts": [],
        "HasValidationErrors": False,
    }


def single_group(group: Group, books: Books) -> Record:
    """A contact group on its own: with its members' ids and names."""
    members: list[Json] = [contact_stub(books.contact(contact_id)) for contact_id in sorted(group.members)]
    return listed_group(group) | {"Contacts": members}
