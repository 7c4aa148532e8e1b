"""The text of a message, made from what the ledger knows at that moment."""

import hashlib
from collections.abc import Mapping

from sqlmodel import Session, select

from duebell.errors import Permanent
from duebell.known import Known
from duebell.ledger import groups
from duebell.ledger.tables import Leg, Notification
from duebell.ledger.writing import Writing
from duebell.render import Templates
from duebell.wording import values_for


def leg_of(session: Session, notification_id: int) -> Leg:
    """The leg by which a notification is told."""
    wanted = select(Leg).where(Leg.notification_id == notification_id, Leg.position == 0)
    return session.exec(wanted).one()


def write_text(book: Writing, templates: Templates, notification_id: int, known: Mapping[str, Known]) -> str:
    """Have the leg's text say what is known now; one that says it already is kept.

    Raises ``TemplateProblem``.
    """
    leg = leg_of(book.session, notification_id)
    lead = book.session.get_one(Notification, notification_id)
    told = [lead, *groups.of_lead(book.session, notification_id)]
    source = _source_of(told, known)
    if leg.rendered_from != source:
        if known[lead.invoice_id].contact is None:
            raise Permanent(f"notification {notification_id} has no contact to write to")
        values = values_for(lead.kind, [(row.subject_id, known[row.invoice_id]) for row in told])
        leg.text = templates.render_sms(lead.kind, values)
        leg.rendered_from = source
        book.session.add(leg)
    return leg.text


def _source_of(told: list[Notification], known: Mapping[str, Known]) -> str:
    """A hash that changes with anything that the text may rest on."""
    parts = [f"{row.subject_id}{known[row.invoice_id].read.body}" for row in told]
    contact = known[told[0].invoice_id].contact
    return hashlib.sha256(f"{parts}{contact}".encode()).hexdigest()
