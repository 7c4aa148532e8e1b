"""Whether a provider made two messages of one, which is known only once the second is out."""

from datetime import timedelta

from sqlmodel import col, select

from deployments.findings import Finding
from duebell.ledger import copies
from duebell.ledger.engine import reading
from duebell.ledger.tables import InvoiceSnapshot, Notification
from duebell.resources import Resources

WHAT = "copies"
DAYS = 7
NAMED = 5
"""How many invoices are named: more of them are one fault."""


def look(resources: Resources) -> list[Finding]:
    """One finding, to be mended where a copy of a message went out in the last days."""
    keys = copies.since(resources.engine, resources.clock() - timedelta(days=DAYS))
    if not keys:
        return [Finding(WHAT, f"no message went out twice in the last {DAYS} days")]
    about = select(InvoiceSnapshot.number).join(
        Notification, col(Notification.invoice_id) == col(InvoiceSnapshot.invoice_id)
    )
    with reading(resources.engine) as session:
        numbers = sorted(set(session.exec(about.where(col(Notification.key).in_(keys))).all()))
    said = f"in the last {DAYS} days {len(keys)} went out beside the message that was meant"
    mend = "tell these customers that it is the same news, and Twilio the SID that `duebell explain` names"
    return [Finding(WHAT, f"{said}, about {', '.join(numbers[:NAMED])}: {mend}", sound=False)]
