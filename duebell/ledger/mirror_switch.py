"""The switch that says whether Twilio's Consent API answers for our account: said once, not at each post."""

from sqlmodel import Session

from duebell.audit import Entry
from duebell.ledger import hold_switch
from duebell.ledger.braking import brake_to_set
from duebell.ledger.tables import Brake
from duebell.ledger.writing import Writing

SCOPE = "consents"

NOT_SENDING = (hold_switch.SCOPE, SCOPE)
"""Brakes that stop something else than sending."""

ACTOR = "mirror_preferences"


def why_off(session: Session) -> str:
    """Why Twilio is told nothing; empty where it is."""
    row = session.get(Brake, SCOPE)
    return row.why if row is not None and row.stopped else ""


def found(book: Writing, why: str) -> bool:
    """Remember that the API refused us (``why``), or that it answers (empty); true where that is news."""
    row = brake_to_set(book, SCOPE)
    if row.stopped is bool(why):
        return False
    row.stopped, row.by, row.why, row.changed_at = bool(why), ACTOR, why, book.now
    action = "consents cannot be told" if why else "consents are told again"
    book.audit(Entry(ACTOR, action, "brake", SCOPE, details={"why": why}))
    return True
