"""The last look before speaking: is it still true, for each thing that the message would say?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from duebell.deciding import Rules, decide_again
from duebell.keys import INVOICE_OVERDUE
from duebell.known import Known, with_reminders
from duebell.ledger import groups, legs
from duebell.ledger.notifications import Claim
from duebell.ledger.tables import Notification
from duebell.ledger.writing import Writing
from duebell.policy import Hold, Reason, Send, Skip, Verdict
from duebell.states import NotificationState
from duebell.volume import next_hour_if_full

S = NotificationState


@dataclass(frozen=True, slots=True)
class StillTrue:
    """The message may go out, by this channel to this address; ``open_until`` is as in ``Send``."""

    channel: str
    address: str
    open_until: datetime | None


@dataclass(frozen=True, slots=True)
class NotNow:
    """The message must not go out, or not yet; ``later`` is when it may."""

    state: NotificationState
    reason: str
    later: datetime | None


def look_again(book: Writing, claim: Claim, known: Mapping[str, Known], rules: Rules) -> StillTrue | NotNow:
    """Decide anew on a claimed notification and on those told in its message.

    One that must not be said any more leaves the message; where that is the one that leads, the others go
    back and are told without it. Where the hour has no room for it, all of them wait for the next.
    """
    # First of all: what another sender of the tenant has written by then counts for the reminders' distances.
    policy = rules.policy.for_tenant(claim.tenant_id)
    next_hour = next_hour_if_full(book, claim.tenant_id, policy.limits)
    lead = book.session.get_one(Notification, claim.notification_id, populate_existing=True)
    if lead.kind == INVOICE_OVERDUE:
        known = with_reminders(book.session, claim.tenant_id, known, policy, book.now)
    failed = legs.failed_channels(book.session, lead)
    verdict = decide_again(lead, known[lead.invoice_id], rules, book.now, failed)
    for row in groups.of_lead(book.session, claim.notification_id):
        theirs = decide_again(row, known[row.invoice_id], rules, book.now, failed)
        if theirs != verdict:
            way = _way_of(theirs, book.now)
            groups.leave(book, row, way.state, way.reason, not_before=way.later, dispatch_at=way.later)
    if not isinstance(verdict, Send):
        return _way_of(verdict, book.now)
    if next_hour is not None and lead.generation == 0:
        return NotNow(S.HELD, Reason.HOUR_FULL.value, next_hour)
    return StillTrue(verdict.channel, verdict.address, verdict.open_until)


def _way_of(verdict: Verdict, now: datetime) -> NotNow:
    match verdict:
        case Skip(reason=reason, detail=detail):
            return NotNow(S.SKIPPED, f"{reason.value}:{detail}" if detail else reason.value, None)
        case Hold(reason=reason, not_before=later):
            return NotNow(S.HELD, reason.value, later)
        case Send():
            return NotNow(S.PLANNED, "", now)
