"""What a provider says of an address and of no email: it counts where one of ours went there of late."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import col, func, select

from duebell.email.addresses import folded
from duebell.ledger.engine import reading
from duebell.ledger.refused import remember_email
from duebell.ledger.tables import Attempt
from duebell.ledger.writing import Writing
from duebell.states import MAY_EXIST

WORDS = frozenset({"bounce", "spamreport"})
"""The words that say of an address that it is not to be written to, whichever email they are of."""

WITHIN = timedelta(days=8)
"""How long ago the email may be: SendGrid tries for three days
(sendgrid.com/docs/for-developers/sending-email/smtp-errors-and-troubleshooting), and a server that took it
for up to five more (RFC 5321, 4.5.4.1).
"""


@dataclass(frozen=True, slots=True)
class Stray:
    """A word for an address, and the last email of ours that went there."""

    attempt_id: str
    word: str
    happened_at: datetime | None


@dataclass(frozen=True, slots=True)
class Said:
    """A word for an address, be it of our business or not."""

    address: str = field(repr=False)
    word: str
    happened_at: datetime | None


def of_ours(engine: Engine, said: Sequence[Said], now: datetime) -> list[Stray]:
    """Those about addresses that an email of ours went to of late; all others are somebody else's."""
    wanted = {folded(one.address) for one in said if one.word in WORDS}
    if not wanted:
        return []
    states = [state.value for state in MAY_EXIST]
    with reading(engine) as session:
        rows = session.exec(
            select(Attempt.address, Attempt.attempt_id)
            .where(
                col(Attempt.started_at) >= now - WITHIN,
                col(Attempt.state).in_(states),
                func.lower(Attempt.address).in_(sorted(wanted)),
            )
            .order_by(col(Attempt.started_at), col(Attempt.attempt_id))
        ).all()
    last = {folded(address): attempt_id for address, attempt_id in rows}
    return [
        Stray(last[folded(one.address)], one.word, one.happened_at)
        for one in said
        if one.word in WORDS and folded(one.address) in last
    ]


def heed(book: Writing, strays: Sequence[Stray]) -> None:
    """Remember the addresses, unless they were allowed again since. It may be repeated."""
    for one in strays:
        remember_email(book, one.attempt_id, "", one.word, one.happened_at)
