"""Addresses that must not be written to, and the evidence.

An email address is kept as ``as_kept`` has it, and found under it by every spelling.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from duebell.email.addresses import folded
from duebell.ledger import scheduled
from duebell.ledger.built_once import built_once
from duebell.ledger.inserting import insert_missing
from duebell.ledger.tables import Preference
from duebell.ledger.writing import Writing
from duebell.policy.reaching import EMAIL

OPTED_OUT, INVALID = "opted_out", "invalid"

ASKED = "asked:"
"""How the evidence begins of what a person of the business settled: its owner asked for it in free words."""

BY_WORD = ("inbound:", "twilio:21610", ASKED)
"""How the evidence begins of what its owner stopped: by a word that we or Twilio saw, or in free words."""


def as_kept(address: str, channel: str) -> str:
    """The address under which all that is known of it stands: that of an email without its capitals."""
    return folded(address) if channel == EMAIL else address


def is_refused(address: str, channel: str) -> ColumnElement[bool]:
    """The same question of one address, as it is kept, for the statement in which it has to hold."""
    return exists(
        select(Preference.address).where(
            Preference.address == address,
            Preference.channel == channel,
            col(Preference.state).in_([OPTED_OUT, INVALID]),
        )
    )


def refusals(session: Session, addresses: Sequence[str], channel: str = "sms") -> dict[str, str]:
    """Which of these addresses must not be written to, and why (``opted_out`` or ``invalid``).

    Each is in the answer as it was asked for.
    """
    kept = {one: as_kept(one, channel) for one in addresses}
    found = dict(_refused(session, sorted(set(kept.values())), channel).all()) if kept else {}
    return {one: found[address] for one, address in kept.items() if address in found}


@built_once
def _refused(addresses: Sequence[str], channel: str) -> Select[str, str]:
    return select(Preference.address, Preference.state).where(
        col(Preference.address).in_(addresses),
        Preference.channel == channel,
        col(Preference.state).in_([OPTED_OUT, INVALID]),
    )


def is_opted_out(session: Session, address: str, channel: str) -> bool:
    """Whether the owner of an address wants no messages there."""
    row = session.get(Preference, (as_kept(address, channel), channel))
    return row is not None and row.state == OPTED_OUT


def is_asked_for(session: Session, address: str, channel: str) -> bool:
    """Whether a person of the business settled that the owner of an address wants no messages there."""
    row = session.get(Preference, (as_kept(address, channel), channel))
    return row is not None and row.state == OPTED_OUT and row.evidence.startswith(ASKED)


def allow(book: Writing, address: str, channel: str, evidence: str) -> str:
    """Let an address be written to again, whatever stood against it: a person of the business knows better.

    Returns what stood against it, empty where nothing did.
    """
    kept = as_kept(address, channel)
    insert_missing(book.session, [Preference(address=kept, channel=channel, state="", changed_at=book.now)])
    row = book.session.get_one(Preference, (kept, channel), with_for_update=True)
    was = row.state
    row.state, row.evidence, row.changed_at = "", evidence, book.now
    return was


def allowed_at(session: Session, address: str, channel: str) -> datetime | None:
    """When what stood against an address was last taken back, by its owner or by the business.

    Nothing where something stands against it, or nothing ever did.
    """
    return session.exec(
        select(Preference.changed_at).where(
            Preference.address == as_kept(address, channel),
            Preference.channel == channel,
            Preference.state == "",
        )
    ).one_or_none()


def of_address(session: Session, address: str) -> Sequence[Preference]:
    """All that is known for or against writing to an address, by channel."""
    kept = col(Preference.address).in_({address, folded(address)})
    return session.exec(select(Preference).where(kept).order_by(col(Preference.channel))).all()


def refuse_address(book: Writing, address: str, channel: str, state: str, evidence: str) -> None:
    """Remember that an address must not be written to.

    What a person asked for outlasts a bad number, and what the business itself set outlasts a word.
    """
    kept = as_kept(address, channel)
    new = Preference(address=kept, channel=channel, state="", changed_at=book.now)
    insert_missing(book.session, [new])
    row = book.session.get_one(Preference, (kept, channel), with_for_update=True)
    if row.state != OPTED_OUT or (state == OPTED_OUT and row.evidence.startswith(BY_WORD)):
        row.state, row.evidence, row.changed_at = state, evidence, book.now
        scheduled.look_soon_at_address(book, address)


def lift_opt_out(book: Writing, address: str, channel: str, evidence: str) -> bool:
    """Let an address be written to again whose owner had stopped it by a word; false where that is not so."""
    row = book.session.get(Preference, (as_kept(address, channel), channel), with_for_update=True)
    if row is None or row.state != OPTED_OUT or not row.evidence.startswith(BY_WORD):
        return False
    row.state, row.evidence, row.changed_at = "", evidence, book.now
    return True
