"""What people wrote back, each message once, and what follows from it for writing to them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, exists
from sqlmodel import Session, col, select

from duebell.audit import Entry
from duebell.ledger import wishes
from duebell.ledger.engine import reading
from duebell.ledger.inserting import insert_new
from duebell.ledger.preferences import (
    OPTED_OUT,
    allowed_at,
    is_asked_for,
    is_opted_out,
    lift_opt_out,
    refuse_address,
)
from duebell.ledger.tables import InboundText, Preference
from duebell.ledger.writing import Writing
from duebell.preferences.mirroring import Consent, Source
from duebell.preferences.mirroring import Wish as Word
from duebell.twilio.inbound import InboundMessage, Senders, Wish

SMS = "sms"
ACTOR = "twilio"


@dataclass(frozen=True, slots=True)
class Reply:
    """A message that asks for something, as it seems, in words that a person has to read."""

    sid: str
    at: datetime
    address: str = field(repr=False)


def keep_inbound(book: Writing, message: InboundMessage, address: str, ours: Senders) -> bool:
    """Keep a message and do at once what it asks for; false for one that was kept before.

    The evidence is the message's SID, its word and the time. START lifts what STOP set, and nothing else.
    """
    wish = _heard(book.session, message, address, ours)
    if not _insert(book, message, address, wish):
        return False
    evidence = f"inbound:{wish.value} {message.sid}"
    if wish is Wish.STOP:
        refuse_address(book, address, SMS, OPTED_OUT, evidence)
        wishes.said(book, address, _said(book, message, Consent.OPT_OUT, evidence))
    elif wish is Wish.START and (
        lift_opt_out(book, address, SMS, evidence) or not is_opted_out(book.session, address, SMS)
    ):
        wishes.said(book, address, _said(book, message, Consent.OPT_IN, evidence))
    details = {"wish": wish.value}
    book.audit(Entry(ACTOR, "inbound message", "message", message.sid, details=details))
    return True


def _heard(session: Session, message: InboundMessage, address: str, ours: Senders) -> Wish:
    """What a message asks for, by the sender that it was said to.

    START counts at each of ours: of other numbers of the account somebody else makes use. YES counts as that
    only where Twilio takes it for it as well: at a sender that heard the STOP, or was told of it.
    """
    if message.wish not in {Wish.START, Wish.YES}:
        return message.wish
    stopped = wishes.stopped_at(session, address, ours.own)
    if message.wish is Wish.START:
        return Wish.START if message.heard_by & (stopped | ours.every) else Wish.AGAIN
    counts = bool(message.heard_by & stopped) and not is_asked_for(session, address, SMS)
    return Wish.START if counts else Wish.AGAIN


def _said(book: Writing, message: InboundMessage, status: Consent, evidence: str) -> Word:
    return Word(status, Source.WORD, book.now, evidence, message.heard_by)


def _insert(book: Writing, message: InboundMessage, address: str, wish: Wish) -> bool:
    kept = {
        "sid": message.sid,
        "address": address,
        "wish": wish.value,
        "body": message.body.replace("\x00", ""),
        "received_at": book.now,
    }
    return insert_new(book.session, InboundText, kept) is not None


def is_taken_back(session: Session, address: str, since: datetime) -> bool:
    """Whether a stop of this number from before then was taken back since: by START, or by the business.

    A START to whose STOP nobody listened here is kept as a message alone.
    """
    allowed = allowed_at(session, address, SMS)
    if allowed is not None and allowed > since:
        return True
    started = select(InboundText.sid).where(
        InboundText.address == address,
        InboundText.wish == Wish.START.value,
        col(InboundText.received_at) > since,
    )
    return session.exec(started.limit(1)).first() is not None


def seems_to_ask_for_an_end(session: Session, address: str) -> bool:
    """Whether this number asked for an end in other words, as it seems, and nobody has settled it since."""
    wanted = select(InboundText.sid).where(InboundText.address == address, *_unsettled()).limit(1)
    return session.exec(wanted).first() is not None


def _unsettled() -> tuple[ColumnElement[bool], ...]:
    """Settled is what came of a number that is stopped, or that was allowed after the message.

    Not at the same time: what a clock that was ahead kept is all dated to one moment.
    """
    allowed_since = (col(Preference.state) == "") & (
        col(Preference.changed_at) > col(InboundText.received_at)
    )
    settled = select(Preference.address).where(
        Preference.address == InboundText.address,
        Preference.channel == SMS,
        (col(Preference.state) == OPTED_OUT) | allowed_since,
    )
    return col(InboundText.wish) == Wish.REVOKES.value, ~exists(settled)


def may_start_again(engine: Engine) -> Sequence[Reply]:
    """The messages of those who are stopped, since they are, which may ask to be told again, newest first."""
    stopped = select(Preference.address).where(
        Preference.address == InboundText.address,
        Preference.channel == SMS,
        Preference.state == OPTED_OUT,
        col(Preference.changed_at) <= col(InboundText.received_at),
    )
    with reading(engine) as session:
        return _replies(session, col(InboundText.wish) == Wish.AGAIN.value, exists(stopped))


def revocations(engine: Engine) -> Sequence[Reply]:
    """The messages that seem to ask for an end in other words, unsettled however old, newest first."""
    with reading(engine) as session:
        return _replies(session, *_unsettled())


def _replies(session: Session, *which: ColumnElement[bool]) -> list[Reply]:
    wanted = select(InboundText).where(*which)
    newest = wanted.order_by(col(InboundText.received_at).desc(), col(InboundText.sid))
    return [Reply(row.sid, row.received_at, row.address) for row in session.exec(newest).all()]
