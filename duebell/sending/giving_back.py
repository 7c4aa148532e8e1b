"""Giving a claim back under which nothing was posted, and how the notification then stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from duebell.ledger import dispatch, notifications, present
from duebell.ledger.notifications import Claim
from duebell.ledger.writing import Writing, writing
from duebell.resources import Resources
from duebell.sending.looking_again import read_too_old
from duebell.states import NotificationState


@dataclass(frozen=True, slots=True)
class Said:
    """What became of one claim: the notification's state now, and a code that says why."""

    notification_id: int
    state: str
    reason: str = ""


def let_go(
    book: Writing,
    claim: Claim,
    state: NotificationState,
    reason: str,
    *,
    not_before: datetime | None,
    dispatch_at: datetime | None,
) -> Said:
    """Give the claim back, and say how the notification stands: a lost claim changes nothing."""
    given_back = notifications.let_go(
        book, claim, state, reason, not_before=not_before, dispatch_at=dispatch_at, actor="send"
    )
    if given_back:
        return Said(claim.notification_id, state.value, reason)
    return as_it_stands(book, claim)


def as_it_stands(book: Writing, claim: Claim) -> Said:
    """What another run has made of a claim that was lost to it."""
    row = present.notification(book.session, claim.notification_id)
    return Said(claim.notification_id, row.state, row.reason)


def wait_for_read(book: Writing, claim: Claim, unread: Mapping[str, str]) -> Said:
    """Give a claim back of whose invoices none could be read anew; ``unread`` says why, as far as is known.

    Until its time no run reads them along with its own: what Xero does not serve would cost each of them.
    """
    row = present.notification(book.session, claim.notification_id)
    later = book.now + dispatch.wait_after(row.dispatches)
    state = NotificationState.HELD if all(unread.values()) else NotificationState.PLANNED
    reason = read_too_old(next(iter(unread.values())))
    return let_go(book, claim, state, reason, not_before=later, dispatch_at=later)


def hold_cancelled(resources: Resources, claim: Claim) -> Said:
    """Give a claim back because its run was cancelled: it waits for a person to run it again."""
    now = resources.clock()
    with writing(resources.engine, now) as book:
        return let_go(
            book, claim, NotificationState.HELD, dispatch.RUN_CANCELLED, not_before=now, dispatch_at=None
        )
