"""Invoices of which nobody was told because they were paid, and on which something is owed again.

That they were paid may have been seen by no comparison, only by the last look before a message went out. So
what stands is asked, whatever event or poll comes.
"""

from collections.abc import Iterable

from sqlmodel import Session

from duebell.keys import INVOICE_ISSUED, is_contact, person_of
from duebell.ledger import present
from duebell.model import Invoice
from duebell.reasons import Reason
from duebell.states import NotificationState


def unannounced(session: Session, tenant_id: str, invoices: Iterable[Invoice]) -> list[str]:
    """The ids of those among these invoices; none of which a person has taken over with a re-send."""
    owed = [one.invoice_id for one in invoices if one.is_owed]
    rows = present.of_invoices(session, tenant_id, INVOICE_ISSUED, owed) if owed else []
    customers = [row for row in rows if is_contact(row.recipient) and not person_of(row.recipient)]
    resent = {row.invoice_id for row in customers if row.generation > 0}
    return [
        row.invoice_id
        for row in customers
        if (row.state, row.reason) == (NotificationState.SKIPPED, Reason.ALREADY_PAID)
        and row.invoice_id not in resent
    ]
