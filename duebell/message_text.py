"""The words of a message, made from what the ledger knows at that moment."""

import hashlib
from collections.abc import Mapping

from duebell.email_text import render_email
from duebell.errors import Permanent
from duebell.known import Known
from duebell.ledger import groups, legs
from duebell.ledger.tables import Leg, Notification
from duebell.ledger.writing import Writing
from duebell.reaching import EMAIL
from duebell.render import Templates
from duebell.wording import values_for


def write_text(book: Writing, templates: Templates, notification_id: int, known: Mapping[str, Known]) -> str:
    """Have the leg that is told by say what is known now; one that says it already is kept.

    Raises ``TemplateProblem``.
    """
    lead = book.session.get_one(Notification, notification_id)
    leg = legs.current(book.session, lead)
    told = [lead, *groups.of_lead(book.session, notification_id)]
    source = _source_of(told, known)
    if leg.rendered_from != source:
        if known[lead.invoice_id].contact is None:
            raise Permanent(f"notification {notification_id} has no contact to write to")
        values = values_for(lead.kind, [(row.subject_id, known[row.invoice_id]) for row in told])
        _say(leg, templates, lead.kind, values)
        leg.rendered_from = source
        book.session.add(leg)
    return leg.text


def forget_text(book: Writing, notification_id: int) -> None:
    """Have the text made anew: one that waited for its hour may be from an older template."""
    row = book.session.get_one(Notification, notification_id)
    legs.current(book.session, row).rendered_from = ""


def _say(leg: Leg, templates: Templates, kind: str, values: Mapping[str, object]) -> None:
    if leg.channel == EMAIL:
        email = render_email(templates, kind, values)
        leg.email_subject, leg.text, leg.html = email.subject, email.text, email.html
    else:
        leg.text = templates.render_sms(kind, values)


def _source_of(told: list[Notification], known: Mapping[str, Known]) -> str:
    """A hash that changes with anything that the text may rest on."""
    parts = [f"{row.subject_id}{known[row.invoice_id].read.body}" for row in told]
    contact = known[told[0].invoice_id].contact
    return hashlib.sha256(f"{parts}{contact}".encode()).hexdigest()
