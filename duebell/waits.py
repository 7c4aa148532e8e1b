"""Waiting for a day: how long something holds a message back, and when it may go out after that."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from duebell.ladder import later
from duebell.policy import Circumstances, Hold, Send, Verdict
from duebell.policy_sections import WindowPolicy
from duebell.reaching import SMS
from duebell.reasons import Reason
from duebell.working_days import next_open_instant, place_of

FURTHEST = date.max - timedelta(days=366)
"""A hold until later than this, which is a slip of the pen, is one until then."""


def free_again(days: Sequence[date], most: int, span: int, today: date) -> date:
    """The first day from today on by which fewer than ``most`` of these lie in the ``span`` days before."""
    within = sorted(day for day in days if day > later(today, -span))
    return later(within[-most], span) if len(within) >= most else today


def held_until(
    verdict: Send | Hold,
    waits: Sequence[tuple[date, Reason]],
    rules: WindowPolicy,
    about: Circumstances,
    country: str = "",
) -> Verdict:
    """The verdict, or a hold until the longest of these waits is over and the hours are open."""
    day, reason = max(waits, key=lambda wait: wait[0])
    for_a_person = isinstance(verdict, Hold) and verdict.not_before is None
    if for_a_person or day <= today_of(about):
        return verdict
    number = verdict.address if verdict.channel == SMS else ""
    place = place_of(rules, number, country, about.country, about.timezone)
    begins = datetime.combine(min(day, FURTHEST), time(), ZoneInfo(about.timezone)).astimezone(UTC)
    return hold_of(verdict, reason, next_open_instant(max(begins, about.now), rules, place))


def hold_of(verdict: Send | Hold, reason: Reason, not_before: datetime | None) -> Hold:
    """The same way, later."""
    return Hold(reason, verdict.address, not_before, verdict.channel, verdict.others)


def today_of(about: Circumstances) -> date:
    """The day of the organisation's calendar: by it Xero itself tells what is overdue."""
    return about.now.astimezone(ZoneInfo(about.timezone)).date()


def days_of(moments: Sequence[datetime], about: Circumstances) -> list[date]:
    """The days of the organisation's calendar on which these moments lie."""
    return [moment.astimezone(ZoneInfo(about.timezone)).date() for moment in moments]
