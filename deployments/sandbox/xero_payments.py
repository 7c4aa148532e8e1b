"""Xero's payments, credit notes, prepayments and overpayments."""

from deployments.sandbox.crediting import KINDS, CreditKind
from deployments.sandbox.xero_endpoint import Answer, Asked, Endpoint, Listing, UnknownRecordError, found_in
from deployments.sandbox.xero_query import page_of
from deployments.sandbox.xero_views import listed_document, listed_payment, single_document, single_payment
from deployments.sandbox.xero_where import CREDIT_FIELDS, PAYMENT_FIELDS

_PAYMENTS = Listing("Payments", PAYMENT_FIELDS, ("PaymentID", "UpdatedDateUTC", "Date", "Amount"))
# Granular scopes since March 2026: credit notes go with invoices, over- and prepayments with payments.
_SCOPES = {"CREDITNOTE": "accounting.invoices"}
_PAYMENT_SCOPE = "accounting.payments"


def endpoints() -> list[Endpoint]:
    """Where each answer is found."""
    found = [
        Endpoint("/Payments", _PAYMENT_SCOPE, _payments),
        Endpoint("/Payments/{record_id}", _PAYMENT_SCOPE, _payment),
    ]
    for kind in KINDS.values():
        found += _credit_endpoints(kind, _SCOPES.get(kind.category, _PAYMENT_SCOPE))
    return found


def _credit_endpoints(kind: CreditKind, scope: str) -> list[Endpoint]:
    return [
        Endpoint(f"/{kind.plural}", scope, lambda asked: _credits(asked, kind)),
        Endpoint(f"/{kind.plural}/{{record_id}}", scope, lambda asked: _credit(asked, kind)),
    ]


def _payments(asked: Asked) -> Answer:
    # There is no IDs parameter here.
    query = asked.query("where", "order", "page", "pageSize")
    rows = _PAYMENTS.chosen(asked, query, list(asked.books.payments.values()))
    return _PAYMENTS.answer(page_of(query, forced=False), rows, lambda row: listed_payment(row, asked.books))


def _payment(asked: Asked) -> Answer:
    asked.query()
    row = found_in(asked.books.payments, asked.path_id())
    return Answer("Payments", [single_payment(row, asked.books)])


def _credits(asked: Asked, kind: CreditKind) -> Answer:
    query = asked.query("where", "order", "page", "pageSize")
    page = page_of(query, forced=False)
    listing = Listing(kind.plural, CREDIT_FIELDS, (kind.id_name, "UpdatedDateUTC", "Date"))
    own = [row for row in asked.books.credits.values() if kind.id_name in row]
    rows, paged = listing.chosen(asked, query, own), page.number is not None
    return listing.answer(page, rows, lambda row: listed_document(row, asked.books, paged=paged))


def _credit(asked: Asked, kind: CreditKind) -> Answer:
    asked.query()
    record = found_in(asked.books.credits, asked.path_id())
    if kind.id_name not in record:
        raise UnknownRecordError(asked.path_id())
    return Answer(kind.plural, [single_document(record, asked.books)])
