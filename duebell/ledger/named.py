"""Invoices as a person names them: by their number, or by their id in Xero."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from duebell.errors import Permanent
from duebell.ledger.tables import InvoiceSnapshot
from duebell.model import InvoiceType


def invoices_named(session: Session, wanted: str, tenant_id: str | None = None) -> Sequence[InvoiceSnapshot]:
    """The invoices of this number or id, of one organisation or of all.

    Capitals are as whoever types it likes, but where two numbers differ in nothing else. A bill is among them
    only where there is no sales invoice: a supplier may number as we do, and nobody is told of bills.
    """
    named, number = wanted.strip(), col(InvoiceSnapshot.number)
    if not named:
        return []
    found = _found(session, tenant_id, (number == named) | (col(InvoiceSnapshot.invoice_id) == named.lower()))
    found = found or _found(session, tenant_id, func.lower(number) == named.lower())
    return [row for row in found if row.type == InvoiceType.SALE.value] or found


def sale_named(session: Session, wanted: str) -> InvoiceSnapshot:
    """The one sales invoice of this number or id. Raises ``Permanent`` where there is none, or several."""
    found = [row for row in invoices_named(session, wanted) if row.type == InvoiceType.SALE.value]
    if not found:
        raise Permanent(f"no sales invoice {wanted} is known: check the number, or give its id")
    if len(found) > 1:
        raise several(wanted, found)
    return found[0]


def several(wanted: str, found: Sequence[InvoiceSnapshot]) -> Permanent:
    """What to tell who names several invoices where one is meant: their ids."""
    ids = ", ".join(row.invoice_id for row in found)
    return Permanent(f"several invoices are known as {wanted.strip()}: give the id of one ({ids})")


def _found(session: Session, tenant_id: str | None, is_it: ColumnElement[bool]) -> Sequence[InvoiceSnapshot]:
    of_tenant = [] if tenant_id is None else [InvoiceSnapshot.tenant_id == tenant_id]
    return session.exec(select(InvoiceSnapshot).where(is_it, *of_tenant)).all()
