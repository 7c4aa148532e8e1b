"""What providers say of an address: remembered where it can never be reached, or its owner wants no more."""

from dataclasses import replace
from datetime import datetime

from duebell.email.rulings import ruling_of
from duebell.email.twilio_email import is_email_sid
from duebell.ledger import consent_lines, group_stops, inbound, repeats, wishes
from duebell.ledger.preferences import INVALID, OPTED_OUT, allowed_at, refuse_address
from duebell.ledger.tables import Attempt, Leg
from duebell.ledger.writing import Writing
from duebell.policy.reaching import EMAIL
from duebell.preferences.mirroring import OWN, Consent, Source, Wish
from duebell.twilio.codes import Ruling, action_for
from duebell.twilio.outcome import SENDGRID, TWILIO


def remember_number(book: Writing, attempt_id: str, error_code: int, *, from_callback: bool) -> None:
    """Remember an address that opted out, or that can never be reached, by what Twilio said of it."""
    ruling = action_for(error_code, from_callback=from_callback)
    attempt = book.session.get_one(Attempt, attempt_id)
    channel = book.session.get_one(Leg, attempt.leg_id).channel
    if repeats.proves_invalid(book.session, attempt, channel, error_code, ruling):
        ruling = replace(ruling, marks_invalid=True)
    _refuse(book, attempt_id, channel, ruling, f"twilio:{error_code}")


def remember_email(
    book: Writing, attempt_id: str, sid: str, word: str, happened_at: datetime | None = None
) -> None:
    """Remember an email address that cannot be used, by what became of an email to it.

    ``happened_at`` is the provider's time, where it tells one.
    """
    ruling = ruling_of(word, sid)
    if ruling is None:
        return
    attempt = book.session.get_one(Attempt, attempt_id)
    if repeats.proves_invalid(book.session, attempt, EMAIL, word, ruling):
        ruling = replace(ruling, marks_invalid=True)
    provider = TWILIO if is_email_sid(sid) else SENDGRID
    _refuse(book, attempt_id, EMAIL, ruling, f"{provider}:{word}", happened_at)


def _refuse(
    book: Writing,
    attempt_id: str,
    channel: str,
    ruling: Ruling,
    said: str,
    happened_at: datetime | None = None,
) -> None:
    attempt = book.session.get_one(Attempt, attempt_id)
    if not attempt.address:  # taken from the side journal, which holds none: its provider will say so again
        return
    evidence = f"{said} attempt:{attempt_id}"
    if ruling.marks_opted_out and channel == "sms":
        _stopped(book, attempt, evidence, is_a_word=said == "twilio:21610")
    elif ruling.marks_opted_out or ruling.marks_invalid:
        if _is_of_the_past(book, attempt, channel, happened_at):
            return
        refused = OPTED_OUT if ruling.marks_opted_out else INVALID
        refuse_address(book, attempt.address, channel, refused, evidence)


def _is_of_the_past(book: Writing, attempt: Attempt, channel: str, happened_at: datetime | None) -> bool:
    """Whether the address was allowed again since: a provider may tell of what was hours later."""
    allowed = allowed_at(book.session, attempt.address, channel)
    return allowed is not None and (happened_at or _refused_by(attempt, book.now)) <= allowed


def _stopped(book: Writing, attempt: Attempt, evidence: str, *, is_a_word: bool) -> None:
    """Twilio knows of a STOP that we may not have seen, unless it is one that was taken back since.

    What it says may be heard hours later, or be asked for: a START may lie between. And what we told it
    ourselves, for a group of Xero, is no STOP at all.
    """
    sender = book.session.get_one(Leg, attempt.leg_id).sender
    if is_a_word and (
        group_stops.contact_behind(book.session, attempt.address, sender)
        or consent_lines.is_behind(book.session, attempt.address, sender or None, book.now)
        or inbound.is_taken_back(book.session, attempt.address, _refused_by(attempt, book.now))
    ):
        return
    refuse_address(book, attempt.address, "sms", OPTED_OUT, evidence)
    heard_by = frozenset({sender or OWN})
    wishes.said(book, attempt.address, Wish(Consent.OPT_OUT, Source.REFUSAL, book.now, evidence, heard_by))


def _refused_by(attempt: Attempt, now: datetime) -> datetime:
    """The earliest moment at which Twilio can have refused a message: one that it held, at its time."""
    return attempt.started_at if attempt.send_at is None or attempt.send_at > now else attempt.send_at
