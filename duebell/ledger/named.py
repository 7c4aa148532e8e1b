"""Invoices as a person names them: by their number, or by their id in Xero."""

from collections.abc import Sequence

from sqlmodel import Session, col, or_, select

from duebell.ledger.tables import InvoiceSnapshot
from duebell.model import InvoiceType


def invoices_named(session: Session, wanted: str, tenant_id: str | None = None) -> Sequence[InvoiceSnapshot]:
    """The invoices of this number or id, of one organisation or of all.

    A bill is among them only where there is no sales invoice: a supplier may number as we do, and nobody is
    told of bills.
    """
    of_tenant = [] if tenant_id is None else [InvoiceSnapshot.tenant_id == tenant_id]
    is_it = or_(col(InvoiceSnapshot.number) == wanted, col(InvoiceSnapshot.invoice_id) == wanted.lower())
    found = session.exec(select(InvoiceSnapshot).where(is_it, *of_tenant)).all()
    return [row for row in found if row.type == InvoiceType.SALE.value] or found
