"""Xero's invoices and bills, their online links and their history notes."""

import hashlib

from deployments.sandbox.documents import stamp
from deployments.sandbox.wire import Json, Record, text_of
from deployments.sandbox.xero_endpoint import (
    Answer,
    Asked,
    Endpoint,
    InvalidRecordError,
    Listing,
    UnknownRecordError,
    found_in,
)
from deployments.sandbox.xero_query import chosen, listed, page_of, truth
from deployments.sandbox.xero_views import listed_document, single_invoice, summary_invoice
from deployments.sandbox.xero_where import INVOICE_FIELDS

MAX_NOTE = 2500
_SCOPE = "accounting.invoices"
_QUERY = ("IDs", "InvoiceNumbers", "ContactIDs", "Statuses", "page", "pageSize", "order", "where",
          "includeArchived", "summaryOnly")  # fmt: skip
_LISTING = Listing(
    "Invoices", INVOICE_FIELDS, ("InvoiceID", "UpdatedDateUTC", "Date", "DueDate", "InvoiceNumber")
)


def endpoints() -> list[Endpoint]:
    """Where each answer is found."""
    return [
        Endpoint("/Invoices", _SCOPE, _invoices),
        Endpoint("/Invoices/{record_id}", _SCOPE, _invoice),
        Endpoint("/Invoices/{record_id}/OnlineInvoice", _SCOPE, _online_invoice),
        Endpoint("/Invoices/{record_id}/History", _SCOPE, _history),
        Endpoint("/Invoices/{record_id}/History", _SCOPE, _add_history, "PUT"),
    ]


def _invoices(asked: Asked) -> Answer:
    query, books = asked.query(*_QUERY), asked.books
    truth(query, "includeArchived")
    summary = truth(query, "summaryOnly")
    page = page_of(query, forced=summary or "Statuses" in query)
    rows = chosen(_candidates(asked, query), "InvoiceNumber", listed(query, "InvoiceNumbers"))
    rows = chosen(rows, "Status", listed(query, "Statuses"))
    rows = _LISTING.chosen(asked, query, rows)
    if summary:
        return _LISTING.answer(page, rows, lambda row: summary_invoice(row, books))
    paged = page.number is not None
    return _LISTING.answer(page, rows, lambda row: listed_document(row, books, paged=paged))


def _candidates(asked: Asked, query: dict[str, str]) -> list[Record]:
    """The invoices that ``ContactIDs`` and ``IDs`` leave, found by their keys."""
    books = asked.books
    ids, contact_ids = listed(query, "IDs"), listed(query, "ContactIDs")
    if contact_ids is not None:
        of_contacts = [row for contact_id in contact_ids for row in books.invoices_of(contact_id)]
        return chosen(of_contacts, "InvoiceID", ids)
    if ids is not None:
        return [books.invoices[one] for one in ids if one in books.invoices]
    return list(books.invoices.values())


def _invoice(asked: Asked) -> Answer:
    asked.query()
    books, number = asked.books, str(asked.request.path_params["record_id"])
    record = books.invoices.get(asked.path_id()) or next(
        (row for row in books.invoices.values() if text_of(row, "InvoiceNumber") == number), None
    )
    if record is None:
        raise UnknownRecordError(number)
    return Answer("Invoices", [single_invoice(record, books)])


def _online_invoice(asked: Asked) -> Answer:
    asked.query()
    record = found_in(asked.books.invoices, asked.path_id())
    # Only a sales invoice that was approved has one (XeroAPI/xero-php-oauth2#207).
    approved = text_of(record, "Status") in {"AUTHORISED", "PAID", "VOIDED"}
    if text_of(record, "Type") != "ACCREC" or not approved:
        raise UnknownRecordError(asked.path_id())
    token = hashlib.sha256(asked.path_id().encode()).hexdigest()[:40]
    return Answer("OnlineInvoices", [{"OnlineInvoiceUrl": f"https://in.xero.com/{token}"}])


def _history(asked: Asked) -> Answer:
    asked.query()
    found_in(asked.books.invoices, asked.path_id())
    return Answer("HistoryRecords", list(reversed(asked.books.notes.get(asked.path_id(), []))))


def _add_history(asked: Asked) -> Answer:
    asked.query()
    found_in(asked.books.invoices, asked.path_id())
    details = [text_of(row, "Details") for row in asked.rows("HistoryRecords")]
    if not all(details) or max(map(len, details)) > MAX_NOTE:
        raise InvalidRecordError(f"Details must be given and have at most {MAX_NOTE} characters")
    at: Record = {
        "DateUTCString": asked.now.strftime("%Y-%m-%dT%H:%M:%S"),
        "DateUTC": stamp(asked.now)["UpdatedDateUTC"],
    }
    # Whatever wrote it, Xero names no app as the author of a note.
    author: Record = {"Changes": "Note", "User": "System Generated"}
    kept: list[Record] = [author | at | {"Details": text} for text in details]
    asked.books.notes.setdefault(asked.path_id(), []).extend(kept)
    none: list[Json] = []
    return Answer("HistoryRecords", [at | {"Details": text, "ValidationErrors": none} for text in details])
