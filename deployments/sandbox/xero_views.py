"""The forms that one record takes in Xero's answers: listed, listed without paging, and single."""

from datetime import datetime
from decimal import Decimal

from deployments.sandbox.books import Books
from deployments.sandbox.wire import Record, amount_of, money, read_ms_date, record_of, text_of

_UNPAGED_CONTACT_LACKS = ("ContactPersons", "ContactGroups", "DefaultCurrency", "PaymentTerms", "Balances")


def listed_invoice(record: Record, *, paged: bool) -> Record:
    """An invoice in a list: lines only where paging was asked for, and no false ``SentToContact``."""
    row = dict(record)
    if row.get("SentToContact") is False:
        del row["SentToContact"]
    if not paged:
        row["LineItems"] = []
    return row


def single_invoice(record: Record, books: Books) -> Record:
    """An invoice on its own: the contact whole, and ``SentToContact`` always said."""
    contact_id = text_of(record_of(record.get("Contact")), "ContactID")
    contact = books.contacts.get(contact_id)
    whole: Record = {"SentToContact": False}
    return whole | record | ({"Contact": single_contact(contact, books)} if contact else {})


def single_contact(record: Record, books: Books) -> Record:
    """A contact on its own, with what Xero reckons from the invoices."""
    kinds = {text_of(invoice, "Type") for invoice in _invoices_of(text_of(record, "ContactID"), books)}
    return record | {
        "IsSupplier": record.get("IsSupplier") or "ACCPAY" in kinds,
        "IsCustomer": record.get("IsCustomer") or "ACCREC" in kinds,
    }


def listed_contact(record: Record, books: Books, now: datetime, *, paged: bool) -> Record:
    """A contact in a list: with balances where paging was asked for, and with fewer fields where not."""
    row = single_contact(record, books)
    if not paged:
        return {name: value for name, value in row.items() if name not in _UNPAGED_CONTACT_LACKS}
    open_rows = [
        invoice
        for invoice in _invoices_of(text_of(record, "ContactID"), books)
        if text_of(invoice, "Status") == "AUTHORISED"
    ]
    return row | {
        "Balances": {
            "AccountsReceivable": _balance([i for i in open_rows if text_of(i, "Type") == "ACCREC"], now),
            "AccountsPayable": _balance([i for i in open_rows if text_of(i, "Type") == "ACCPAY"], now),
        }
    }


def _invoices_of(contact_id: str, books: Books) -> list[Record]:
    return [
        row
        for row in books.invoices.values()
        if text_of(record_of(row.get("Contact")), "ContactID") == contact_id
    ]


def _balance(rows: list[Record], now: datetime) -> Record:
    overdue = [row for row in rows if "DueDate" in row and read_ms_date(row["DueDate"]).date() < now.date()]
    return {
        "Outstanding": money(sum((amount_of(row, "AmountDue") for row in rows), Decimal(0))),
        "Overdue": money(sum((amount_of(row, "AmountDue") for row in overdue), Decimal(0))),
    }
