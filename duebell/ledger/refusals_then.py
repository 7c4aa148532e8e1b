"""What stood against writing to an address at a time that is past, as far as the ledger can tell.

Of each address only what stands now is kept, and since when; but what people wrote back is kept word by word.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, select

from duebell.ledger.preferences import OPTED_OUT, as_kept
from duebell.ledger.tables import InboundText, Preference
from duebell.policy.reaching import EMAIL, SMS
from duebell.twilio.inbound import Wish


@dataclass(frozen=True, slots=True)
class Then:
    """``refused``: why an address must not be written to, as of then. ``changed``: when that was changed
    since, by address, where nothing of how it had been before is kept.
    """

    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    changed: Mapping[str, datetime] = field(default_factory=dict[str, datetime])


def refusals_at(session: Session, addresses: Collection[str], at: datetime) -> Then:
    """What stood against these addresses at a time; each is in the answer as it was asked for."""
    refused: dict[str, str] = {}
    changed: dict[str, datetime] = {}
    for address in sorted(addresses):
        channel = EMAIL if "@" in address else SMS
        row = session.get(Preference, (as_kept(address, channel), channel))
        if row is None:
            continue
        if row.changed_at <= at:
            refused |= {address: row.state} if row.state else {}
        elif _had_stopped(session, address, at):
            refused[address] = OPTED_OUT
        else:
            changed[address] = row.changed_at
    return Then(refused, changed)


def _had_stopped(session: Session, number: str, at: datetime) -> bool:
    """Whether the last word from a number by then was STOP."""
    words = select(InboundText.wish).where(
        InboundText.address == number,
        col(InboundText.wish).in_([Wish.STOP.value, Wish.START.value]),
        col(InboundText.received_at) <= at,
    )
    last = words.order_by(col(InboundText.received_at).desc(), col(InboundText.sid).desc()).limit(1)
    return session.exec(last).first() == Wish.STOP.value
