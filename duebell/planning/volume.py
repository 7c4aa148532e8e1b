"""Too many at once: reminders that a person is asked about, and messages that wait for the next hour."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from duebell.deciding.grouping import marks_of
from duebell.deciding.prospects import Crowd, Prospect
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger import volumes
from duebell.ledger.tables import Notification
from duebell.ledger.volumes import Volume
from duebell.ledger.writing import Writing
from duebell.policy.breaker import breaker, room
from duebell.policy.verdict import Hold, Reason, Send, Verdict
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import LimitsPolicy
from duebell.states import WAITING, NotificationState

HOUR = timedelta(hours=1)

FOR_ITS_HOURS = (Reason.OUTSIDE_WINDOW, Reason.WINDOW_ENDS)
"""The reasons of what waits for nothing but the time of day."""


def would_go(verdict: Verdict | None, row: Notification | None) -> bool:
    """Whether what is decided so goes out now, or once its hours have come."""
    return isinstance(verdict, Send) or (
        isinstance(verdict, Hold) and verdict.reason in FOR_ITS_HOURS and not _is_forced(row)
    )


def messages(prospects: Sequence[Prospect], policy: Policy, now: datetime) -> int:
    """How many messages these make."""
    return len(set(marks_of([(one.subject, one.known) for one in prospects], policy, now)))


def is_unusual(
    prospects: Sequence[Prospect], volume: Volume, policy: Policy, now: datetime, *, whole: bool
) -> bool:
    """Whether a person is to be asked before these go out.

    ``whole``: they are all that waits, so that what waits is not counted beside them.
    """
    own = [
        one
        for one in prospects
        if would_go(one.verdict, one.row) and not is_lifted(one.row, volume.lifted_at)
    ]
    new = own if whole else [one for one in own if one.row is None or not _waits(one.row)]
    planned = volume.gone + (0 if whole else volume.waiting) + messages(new, policy, now)
    return bool(own) and breaker(planned, volume.earlier, policy.limits)


def held_back(prospect: Prospect, volume: Volume, now: datetime, *, unusual: bool) -> Prospect:
    """The prospect, or held where the number of all of them stands against it.

    One that a person is asked about stays so until the person has answered, whatever the number is by then.
    """
    if prospect.subject.kind != INVOICE_OVERDUE:
        return prospect
    crowd = Crowd(unusual, volume.lifted_at)
    verdict = prospect.verdict and among_others(prospect.verdict, prospect.row, crowd, now)
    return replace(prospect, verdict=verdict, crowd=crowd)


def among_others(verdict: Verdict, row: Notification | None, crowd: Crowd, now: datetime) -> Verdict:
    """The verdict as its crowd lets it stand; ``row`` is how the notification stood before."""
    if not isinstance(verdict, Send | Hold) or not would_go(verdict, row) or _is_forced(row):
        return verdict
    waits = row is not None and row.state == NotificationState.HELD
    asked = waits and row is not None and row.reason == Reason.UNUSUAL_VOLUME
    if (crowd.unusual or asked) and not is_lifted(row, crowd.lifted_at):
        return _hold(verdict, Reason.UNUSUAL_VOLUME, None)
    later = row.not_before or now if waits and row is not None and row.reason == Reason.HOUR_FULL else now
    is_full = isinstance(verdict, Send) and later > now
    return _hold(verdict, Reason.HOUR_FULL, later) if is_full else verdict


def is_lifted(row: Notification | None, lifted_at: datetime | None) -> bool:
    """Whether a person has let it go, with all that stood at that moment."""
    return row is not None and lifted_at is not None and row.planned_at <= lifted_at


def next_hour_if_full(book: Writing, tenant_id: str, limits: LimitsPolicy) -> datetime | None:
    """When the next message may go out, where this hour has room for no more of the tenant's."""
    if room(volumes.sent_this_hour(book, tenant_id), limits):
        return None
    return volumes.hour_of(book.now) + HOUR


def until_next_hour(verdict: Send, next_hour: datetime) -> Hold:
    """That it waits for the next hour, because this one has room for no more."""
    return _hold(verdict, Reason.HOUR_FULL, next_hour)


def _hold(verdict: Send | Hold, reason: Reason, not_before: datetime | None) -> Hold:
    return Hold(reason, verdict.address, not_before, verdict.channel, verdict.others)


def _is_forced(row: Notification | None) -> bool:
    return row is not None and row.generation > 0


def _waits(row: Notification) -> bool:
    return NotificationState(row.state) in WAITING
