"""At which address who was told of what, or may have been: the same address does not hear it twice.

Of a customer it is what went by email, for a number is the contact's alone; of a team it is everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, or_, select
from sqlmodel.sql.expression import Select

from duebell.keys import address_hash, is_contact, person_of
from duebell.ledger.built_once import built_once
from duebell.ledger.reminders import HEARD
from duebell.ledger.tables import Attempt, Notification


@dataclass(frozen=True, slots=True)
class Told:
    """That one piece of news went to an address, known by its ``address_hash``, or may have.

    ``person`` is the hash of the further person for whom it was, empty for the contact. ``team`` is the
    recipient in the key where it was a team's, empty for a customer's.
    """

    kind: str
    subject_id: str
    step: str
    person: str
    address: str
    team: str = ""


def of_invoices(session: Session, tenant_id: str, invoice_ids: Sequence[str]) -> dict[str, tuple[Told, ...]]:
    """What was told of these invoices, by invoice; what was told in another's message, too."""
    found: dict[str, tuple[Told, ...]] = {}
    for address, row in _heard(session, tenant_id, invoice_ids).all():
        team = "" if is_contact(row.recipient) else row.recipient
        if team or "@" in address:
            person = person_of(row.recipient)
            told = Told(row.kind, row.subject_id, row.step, person, address_hash(address), team)
            found[row.invoice_id] = (*found.get(row.invoice_id, ()), told)
    return found


@built_once
def _heard(tenant_id: str, invoice_ids: Sequence[str]) -> Select[str, Notification]:
    of_row = col(Attempt.notification_id) == col(Notification.notification_id)
    of_lead = col(Attempt.notification_id) == col(Notification.lead_id)
    return (
        select(Attempt.address, Notification)
        .join(Notification, or_(of_row, of_lead))
        .where(
            Notification.tenant_id == tenant_id,
            col(Notification.invoice_id).in_(invoice_ids),
            col(Attempt.state).in_(HEARD),
        )
        .order_by(col(Attempt.started_at), col(Notification.notification_id))
    )
