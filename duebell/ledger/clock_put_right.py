"""What a clock that was ahead put off, put right: nobody waits for an hour that was never meant.

A machine may begin with a clock that is hours ahead, until NTP sets it. What was then to be done at once
would be done when that hour comes. So what waits for longer than it can be meant to has its time now, and
what was learned at a time that has not come yet is dated now. Nothing is sent without being decided on anew,
and a lease is nothing without its token, so that a clock that is behind, which takes honest waits for too
long, does no harm there; of what was learned it may lose the order within the time that it is behind.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, update
from sqlmodel import SQLModel, col

from duebell.audit import Entry
from duebell.books.calls import CLOCKS_APART
from duebell.ledger import consent_lines, group_lines, scheduled, token_sets
from duebell.ledger.awaiting import READING_LEASE
from duebell.ledger.dispatch import is_waiting
from duebell.ledger.inbox import LONGEST_WAIT, ClaimedEvent
from duebell.ledger.notifications import SEND_LEASE
from duebell.ledger.tables import (
    Attempt,
    ConsentLine,
    ConsentWish,
    GroupLine,
    InboundText,
    Notification,
    Preference,
    Tenant,
    TokenSet,
    WriteBack,
    XeroEvent,
)
from duebell.ledger.tenants import DRAIN_LEASE, is_open
from duebell.ledger.verdicts import GATHERED, READ_TOO_OLD, RESTS
from duebell.ledger.writing import Writing
from duebell.states import AttemptState, EventState, NotificationState

AT_ONCE, A_DAY = timedelta(), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Wait:
    """A time of a table, how far ahead it can be meant to lie at most, and for which rows that holds.

    ``until`` is the column; ``with_it`` others that then have their time as well.
    """

    table: type[SQLModel]
    until: Any
    longest: timedelta
    which: tuple[ColumnElement[bool], ...] = ()
    with_it: tuple[str, ...] = ()


LEASES = (
    _Wait(TokenSet, col(TokenSet.lease_until), token_sets.LEASE),
    _Wait(Tenant, col(Tenant.drain_until), DRAIN_LEASE),
    _Wait(Tenant, col(Tenant.reading_until), READING_LEASE),
    _Wait(Notification, col(Notification.lease_until), SEND_LEASE),
    _Wait(ConsentLine, col(ConsentLine.lease_until), consent_lines.LEASE),
    _Wait(WriteBack, col(WriteBack.lease_until), group_lines.LEASE),
)

WISHES = (
    _Wait(ConsentWish, col(ConsentWish.look_at), AT_ONCE),
    _Wait(ConsentWish, col(ConsentWish.groups_look_at), AT_ONCE),
    _Wait(ConsentLine, col(ConsentLine.next_at), A_DAY),
    _Wait(GroupLine, col(GroupLine.next_at), A_DAY),
)

LEARNED = (
    _Wait(ConsentWish, col(ConsentWish.wished_at), AT_ONCE),
    _Wait(ConsentLine, col(ConsentLine.wished_at), AT_ONCE),
    _Wait(ConsentLine, col(ConsentLine.answered_at), AT_ONCE),
    _Wait(GroupLine, col(GroupLine.written_at), AT_ONCE),
    _Wait(GroupLine, col(GroupLine.adding_since), AT_ONCE),
    _Wait(Preference, col(Preference.changed_at), AT_ONCE),
    _Wait(InboundText, col(InboundText.received_at), AT_ONCE),
)
"""When people said something, or we did: what is said from now on comes after it."""


def put_right(book: Writing, first_look: timedelta) -> int:
    """Have all that waits for too long wait no longer; returns how many times that were.

    ``first_look`` is when a send of unknown outcome is looked for first.
    """
    found = Counter[str]()
    for wait in (*LEASES, *WISHES, *LEARNED, *_events(book.now), *_messages(book.now, first_look)):
        found[str(wait.until)] += _put_right(book, wait)
    found["looks at what Twilio holds"] += scheduled.look_where_put_off(book)
    counted = dict(+found)
    if counted:
        book.audit(Entry("net", "clock was ahead", "ledger", "times", details=counted))
    return sum(counted.values())


def _put_right(book: Writing, wait: _Wait) -> int:
    ahead = wait.until > book.now + wait.longest + CLOCKS_APART
    values = dict.fromkeys((wait.until.key, *wait.with_it), book.now)
    return book.session.exec(update(wait.table).where(ahead, *wait.which).values(**values)).rowcount


def _events(now: datetime) -> Iterator[_Wait]:
    pending = (col(XeroEvent.state) == EventState.PENDING.value, is_open(col(XeroEvent.tenant_id), now))
    yield _Wait(XeroEvent, col(XeroEvent.retry_at), AT_ONCE, (*pending, col(XeroEvent.claim_token) == 0))
    yield _Wait(XeroEvent, col(XeroEvent.retry_at), LONGEST_WAIT, pending)
    yield _Wait(Tenant, col(Tenant.webhook_at), AT_ONCE)


def _messages(now: datetime, first_look: timedelta) -> Iterator[_Wait]:
    """Of what is held, the hours say until when: that is decided anew with them, and may be days."""
    until, dispatched = col(Notification.not_before), col(Notification.dispatch_at)
    waits = (*RESTS, READ_TOO_OLD)
    rests = or_(*(col(Notification.reason).startswith(one, autoescape=True) for one in waits))
    planned = col(Notification.state) == NotificationState.PLANNED.value
    at_once = (is_waiting(), planned, ~rests, dispatched > now)
    yield _Wait(Notification, until, AT_ONCE, at_once, with_it=("dispatch_at",))
    # Longer than the net ever leaves it alone, and than what a team is told waits for the sweep.
    left_alone = (is_waiting(), until <= now, is_open(col(Notification.tenant_id), now))
    yield _Wait(Notification, dispatched, GATHERED, left_alone)
    never_looked_for = (col(Attempt.state) == AttemptState.UNKNOWN.value, col(Attempt.settle_tries) == 0)
    yield _Wait(Attempt, col(Attempt.settle_at), first_look, never_looked_for)


def came_by(book: Writing, events: list[ClaimedEvent], moment: datetime) -> None:
    """Have none of these events have come later than that: their records were read since, by the right clock.

    Xero's answers prove that it is right. Else the record would count as unread until the hour at which a
    clock that was ahead kept the event.
    """
    book.session.exec(
        update(XeroEvent)
        .where(
            col(XeroEvent.event_id).in_([event.event_id for event in events]),
            col(XeroEvent.received_at) > moment,
        )
        .values(received_at=moment)
    )
