"""Events that a run of their own has to finish: they stay open until it has, and losing it loses nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import col, select

from duebell.ledger.inbox import ClaimedEvent
from duebell.ledger.tables import XeroEvent
from duebell.ledger.writing import Writing

HANDED_OVER = timedelta(minutes=10)
"""How long an event waits for the run that it was handed to, before another is made."""


def hand_over(book: Writing, event: ClaimedEvent, why: str) -> None:
    """Leave an event open for a run of its own, which closes it by :func:`finish_read`."""
    book.session.exec(
        update(XeroEvent)
        .where(
            col(XeroEvent.event_id) == event.event_id,
            col(XeroEvent.claim_token) == event.claim_token,
            col(XeroEvent.state) == "pending",
        )
        .values(outcome=why, retry_at=book.now + HANDED_OVER)
    )


def still_held(book: Writing, events: Sequence[ClaimedEvent]) -> list[ClaimedEvent]:
    """Those of a drain's events that no other has claimed meanwhile: of the others it has nothing to say."""
    rows = book.session.exec(
        select(XeroEvent.event_id, XeroEvent.claim_token).where(
            col(XeroEvent.event_id).in_([event.event_id for event in events]), XeroEvent.state == "pending"
        )
    ).all()
    tokens = dict(rows)
    return [event for event in events if tokens.get(event.event_id) == event.claim_token]


def finish_read(
    book: Writing,
    tenant_id: str,
    category: str,
    resource_id: str,
    read_at: datetime,
    outcome: str,
    *,
    left_as: str = "",
) -> None:
    """Close the open events of a record that came no later than it was read, and of which all is done.

    With ``left_as`` only those that were left open with this word.
    """
    only = (col(XeroEvent.outcome) == left_as,) if left_as else ()
    book.session.exec(
        update(XeroEvent)
        .where(
            col(XeroEvent.tenant_id) == tenant_id,
            col(XeroEvent.category) == category,
            col(XeroEvent.resource_id) == resource_id,
            col(XeroEvent.received_at) <= read_at,
            col(XeroEvent.state) == "pending",
            *only,
        )
        .values(state="handled", outcome=outcome, handled_at=book.now)
    )
