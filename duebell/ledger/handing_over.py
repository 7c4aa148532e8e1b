"""Events that a run of their own has to finish: they stay open until it has, and losing it loses nothing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import col, select

from duebell.ledger.inbox import ClaimedEvent, still_claimed
from duebell.ledger.tables import XeroEvent
from duebell.ledger.writing import Writing
from duebell.states import EventState

HANDED_OVER = timedelta(minutes=10)
"""How long an event waits for the run that it was handed to, before another is made."""


def hand_over(book: Writing, event: ClaimedEvent, why: str) -> None:
    """Leave an event open for a run of its own, which closes it by :func:`finish_read`."""
    book.session.exec(still_claimed(event).values(outcome=why, retry_at=book.now + HANDED_OVER))


def come_back(book: Writing, events: Sequence[ClaimedEvent], why: str) -> None:
    """Note why events wait that nobody could look at: their claim brings them back, later each time."""
    for event in events:
        book.session.exec(still_claimed(event).values(outcome=why))


def still_held(book: Writing, events: Sequence[ClaimedEvent]) -> list[ClaimedEvent]:
    """Those of a drain's events that no other has claimed meanwhile: of the others it has nothing to say.

    Each as having come when the ledger says by now, see :func:`clock_put_right.came_by`.
    """
    rows = book.session.exec(
        select(XeroEvent.event_id, XeroEvent.claim_token, XeroEvent.received_at).where(
            col(XeroEvent.event_id).in_([event.event_id for event in events]),
            XeroEvent.state == EventState.PENDING.value,
        )
    ).all()
    held = {(event_id, token): received_at for event_id, token, received_at in rows}
    return [
        replace(event, received_at=held[event.event_id, event.claim_token])
        for event in events
        if (event.event_id, event.claim_token) in held
    ]


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
            col(XeroEvent.state) == EventState.PENDING.value,
            *only,
        )
        .values(state=EventState.HANDLED.value, outcome=outcome, handled_at=book.now)
    )
