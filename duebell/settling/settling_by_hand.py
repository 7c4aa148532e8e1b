"""A person found in Twilio's log what the search could not tell: which message an attempt came to.

Its SID is evidence like any other; what became of the message is asked of Twilio, not of the person. An email
carries our attempt's id, so that its own id is the proof of both.
"""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from duebell.audit import Entry
from duebell.email.messages import EmailState
from duebell.email.twilio_email import EMAIL_API_IDS
from duebell.errors import Permanent
from duebell.ledger import groups, present, receipts, snapshots
from duebell.ledger.named import sale_named
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import writing
from duebell.policy.reaching import SMS
from duebell.resources import Resources
from duebell.settling.settling import made_since, same_text
from duebell.states import AttemptState
from duebell.twilio.messages import MessageState

LEFT_OPEN = [AttemptState.UNKNOWN.value, AttemptState.PARKED.value]


@dataclass(frozen=True, slots=True)
class Open:
    """An attempt of which nobody knows whether Twilio has a message, and the invoices that it speaks of."""

    attempt: Attempt
    notification: Notification
    invoices: dict[str, str]
    """Their numbers by their ids; the id stands for a number that nobody read."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of the message whose SID a person gave, in Twilio's word and in ours, and whose it is."""

    numbers: str
    status: str
    state: str


def settle_by_hand(resources: Resources, sid: str, *, by: str, why: str, invoice: str = "") -> Settled:
    """Bind a message of Twilio's to the one attempt that it can be, and conclude what Twilio says of it.

    ``sid`` is a message's, or the id of an email or its operation at Twilio's Email API. Without ``invoice``
    (a number or an id) a message has to have our text; with it a person vouches for that, as where Twilio
    keeps no texts, or the ledger lost its own. Raises ``Permanent`` where it belongs to an
    attempt already, and where it can be none or several, and what reading Twilio raises.
    """
    if not why.strip():
        raise Permanent("say why: it stands in the audit trail")
    message = _named(resources, sid.strip())
    with writing(resources.engine, resources.clock()) as book:
        one = _the_one(book.session, message, invoice)
        row, attempt_id = one.notification, one.attempt.attempt_id
        details = {"why": why, "sid": message.sid, "attempt": attempt_id}
        book.audit(Entry(by, "settled by hand", "notification", row.key, row.tenant_id, details=details))
        code = message.error_code if isinstance(message, MessageState) else None
        receipts.apply(book, attempt_id, message.sid, message.raw_status, code, by)
        receipts.bind_earlier(book, attempt_id, message.sid)
        state = present.notification(book.session, one.attempt.notification_id).state
        return Settled(", ".join(one.invoices.values()), message.raw_status, state)


def _named(resources: Resources, sid: str) -> MessageState | EmailState:
    if sid.startswith(EMAIL_API_IDS):
        return resources.twilio_email().tagged(sid)
    return resources.twilio().fetch(sid)


def _the_one(session: Session, message: MessageState | EmailState, invoice: str) -> Open:
    """The attempt that this message is of. Raises ``Permanent`` where that is none, or not certain."""
    bound = session.exec(select(Attempt).where(Attempt.sid == message.sid)).first()
    if bound is not None and bound.state == AttemptState.PARKED.value:  # Twilio had lost it, and has it again
        return _vouched(session, _open(session, bound), message.sid, "message", invoice)
    if bound is not None:
        raise _known_already(session, message.sid, bound)
    if isinstance(message, EmailState):
        return _by_its_tag(session, message, invoice)
    found = _may_be(session, message)
    if invoice:
        wanted = sale_named(session, invoice)
        found = [one for one in found if wanted.invoice_id in one.invoices]
    else:
        found = [one for one in found if one.attempt.text and same_text(message.body, one.attempt.text)]
    if not found:
        hint = "" if invoice else "; where Twilio keeps no texts, name the --invoice"
        raise Permanent(
            f"{message.sid} is no message that is looked for or left to a person: its number, its time or "
            f"its text is another{hint}"
        )
    if len(found) > 1:
        named = ", ".join(number for one in found for number in one.invoices.values())
        hint = "nothing tells them apart" if invoice else "say which with --invoice"
        raise Permanent(f"{message.sid} may be the message about any of these: {named}; {hint}")
    return found[0]


def _known_already(session: Session, sid: str, bound: Attempt) -> Permanent:
    row = session.get_one(Notification, bound.notification_id)
    about = ", ".join(_invoices(session, row).values())
    return Permanent(f"{sid} is known already: the message about {about}, which is {row.state}")


def _by_its_tag(session: Session, email: EmailState, invoice: str) -> Open:
    attempt = session.get(Attempt, email.tag) if email.tag else None
    if attempt is not None and attempt.sid is not None:
        raise _known_already(session, email.sid, attempt)
    if attempt is None or attempt.state not in LEFT_OPEN:
        raise Permanent(f"{email.sid} is no email that is looked for or left to a person: its tag is another")
    return _vouched(session, _open(session, attempt), email.sid, "email", invoice)


def _open(session: Session, attempt: Attempt) -> Open:
    row = session.get_one(Notification, attempt.notification_id)
    return Open(attempt, row, _invoices(session, row))


def _vouched(session: Session, one: Open, sid: str, what: str, invoice: str) -> Open:
    """It, unless the person who names an invoice means another. Raises ``Permanent``."""
    if invoice and sale_named(session, invoice).invoice_id not in one.invoices:
        raise Permanent(f"{sid} is the {what} about {', '.join(one.invoices.values())}")
    return one


def _may_be(session: Session, message: MessageState) -> list[Open]:
    """What it may be the message of, by its number (the side journal knows none) and its time."""
    wanted = (
        select(Attempt, Notification)
        .join(Notification, col(Notification.notification_id) == col(Attempt.notification_id))
        .join(Leg, col(Leg.leg_id) == col(Attempt.leg_id))
        .where(
            col(Attempt.state).in_(LEFT_OPEN),
            col(Attempt.sid).is_(None),
            Leg.channel == SMS,
        )
        .order_by(col(Attempt.started_at), col(Attempt.attempt_id))
    )
    return [
        Open(attempt, row, _invoices(session, row))
        for attempt, row in session.exec(wanted).all()
        if attempt.address in {"", message.to} and made_since(message, attempt.started_at)
    ]


def _invoices(session: Session, row: Notification) -> dict[str, str]:
    ids = [one.invoice_id for one in (row, *groups.of_lead(session, row.notification_id or 0))]
    numbers = snapshots.numbers_by_id(session, row.tenant_id, ids)
    return {one: numbers.get(one) or one for one in ids}
