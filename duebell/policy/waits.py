"""Waiting for a day: how long something holds a message back, and when it may go out after that."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from duebell.hours.working_days import Place, next_open_instant
from duebell.policy.ladder import later
from duebell.policy.reasons import Reason
from duebell.policy.verdict import Circumstances, Hold, Send, Verdict
from duebell.policy_file.sections import WindowPolicy

FURTHEST = date.max - timedelta(days=366)
"""A hold until later than this, which is a slip of the pen, is one until then."""


def free_from(moments: Sequence[datetime], most: int, span: int, place: Place, now: datetime) -> datetime:
    """From when on fewer than ``most`` of these moments lie in the ``span`` days before; it may be past.

    Days are those of the clock that the hours go by: the organisation's day may begin amid the hours of
    somebody far away, who would be told before and after it. In a place of several zones it is so in each.
    """
    return max(_free_in(zone, moments, most, span, now) for zone in place.zones)


def _free_in(zone: str, moments: Sequence[datetime], most: int, span: int, now: datetime) -> datetime:
    today = day_in(zone, now)
    days = sorted(day_in(zone, moment) for moment in moments)
    within = [day for day in days if day > later(today, -span)]
    return begin_of(later(within[-most], span) if len(within) >= most else today, zone)


def held_until(
    verdict: Send | Hold,
    waits: Sequence[tuple[datetime, Reason]],
    rules: WindowPolicy,
    about: Circumstances,
    place: Place,
) -> Verdict:
    """The verdict, or a hold until the longest of these waits is over and the hours are open there."""
    over, reason = max(waits, key=lambda wait: wait[0])
    for_a_person = isinstance(verdict, Hold) and verdict.not_before is None
    if for_a_person or over <= about.now:
        return verdict
    return hold_of(verdict, reason, next_open_instant(over, rules, place))


def hold_of(verdict: Send | Hold, reason: Reason, not_before: datetime | None) -> Hold:
    """The same way, later."""
    return Hold(reason, verdict.address, not_before, verdict.channel, verdict.others)


def today_of(about: Circumstances) -> date:
    """The day of the organisation's calendar: by it Xero itself tells what is overdue."""
    return day_in(about.timezone, about.now)


def day_in(zone: str, moment: datetime) -> date:
    """The day on which a moment lies there."""
    return moment.astimezone(ZoneInfo(zone)).date()


def begin_of(day: date, zone: str) -> datetime:
    """The first instant (aware UTC) of a day there."""
    return datetime.combine(min(day, FURTHEST), time(), ZoneInfo(zone)).astimezone(UTC)
