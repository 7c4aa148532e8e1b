"""Opt-outs that we gave Twilio ourselves, for a contact in a group of Xero of those who want no message.

They are nobody's STOP. What Twilio refuses for one is our own doing, and only its owner's word takes it back.
"""

from dataclasses import dataclass, field, replace
from itertools import groupby

from sqlmodel import Session, col, select

from duebell.ledger.conclusions import Conclusion
from duebell.ledger.tables import Attempt, ConsentLine, ConsentWish, ContactWish, Leg
from duebell.ledger.writing import Writing
from duebell.preferences.mirroring import Consent, Source

EVIDENCE = "xero:contact "
"""How the evidence of such a wish begins; the contact's id follows."""

REASON = "group_at_twilio"
TWILIOS_REASON = "twilio:21610"


@dataclass(frozen=True, slots=True)
class GroupStop:
    """A number that Twilio blocks at these senders for the group of a contact.

    ``is_left``: no contact of this number is in such a group any more.
    """

    address: str = field(repr=False)
    senders: tuple[str, ...]
    contact_id: str
    is_left: bool


MEND = (
    "No change in Xero takes that back: where its owner wants messages, their START does, or "
    "`duebell preference allow`"
)
"""What a person reads of such a block."""


def contact_behind(session: Session, address: str, sender: str) -> str:
    """The id of the contact for whose group we opted a number out at a sender; empty where we did not.

    An empty sender is the installation's own, which is not known here: any will do.
    """
    row = session.get(ConsentWish, address)
    if row is None or (row.status, row.source) != (Consent.OPT_OUT.value, Source.XERO.value):
        return ""
    which = [col(ConsentLine.sender) == sender] if sender else []
    posted = select(ConsentLine.line_id).where(
        ConsentLine.address == address, ConsentLine.posted_status == Consent.OPT_OUT.value, *which
    )
    is_ours = session.exec(posted.limit(1)).first() is not None
    return row.evidence.removeprefix(EVIDENCE) if is_ours else ""


def as_it_is(book: Writing, attempt_id: str, known: Conclusion) -> Conclusion:
    """The conclusion, with a reason of its own where Twilio refuses for an opt-out of ours."""
    if known.reason != TWILIOS_REASON:
        return known
    attempt = book.session.get_one(Attempt, attempt_id)
    sender = book.session.get_one(Leg, attempt.leg_id).sender
    contact_id = contact_behind(book.session, attempt.address, sender)
    return replace(known, reason=f"{REASON}:contact {contact_id}") if contact_id else known


def standing(session: Session, address: str | None = None) -> list[GroupStop]:
    """What Twilio blocks for groups of Xero, of all numbers or of this one, by the numbers."""
    which = [] if address is None else [col(ConsentWish.address) == address]
    rows = session.exec(
        select(ConsentWish, ConsentLine.sender)
        .join(ConsentLine, col(ConsentLine.address) == col(ConsentWish.address))
        .where(
            ConsentWish.status == Consent.OPT_OUT.value,
            ConsentWish.source == Source.XERO.value,
            ConsentLine.posted_status == Consent.OPT_OUT.value,
            *which,
        )
        .order_by(col(ConsentWish.address), col(ConsentLine.sender))
    ).all()
    asked = set(session.exec(select(ContactWish.address)).all())
    return [
        GroupStop(
            address,
            tuple(sender for _, sender in of_number),
            of_number[0][0].evidence.removeprefix(EVIDENCE),
            address not in asked,
        )
        for address, found in groupby(rows, key=lambda row: row[0].address)
        if (of_number := list(found))
    ]
