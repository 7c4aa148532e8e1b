"""When a team of the business is told of what is true: of each piece of news, or of a day's together."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from duebell.hours.working_days import Place
from duebell.policy.ladder import later
from duebell.policy.reaching import Way
from duebell.policy.reasons import Reason
from duebell.policy.verdict import Circumstances, Hold, Skip, Verdict, arrives_at, to_address
from duebell.policy.waits import begin_of, free_from, held_until, hold_of
from duebell.policy_file.sections import Digest, TeamPolicy


def to_team(
    way: Way,
    rules: TeamPolicy,
    about: Circumstances,
    heard_at: Sequence[datetime],
    happened_at: datetime | None = None,
) -> Verdict:
    """Whether this number or address of a team may be told, and when.

    With a daily digest it hears once a day: ``heard_at`` is when it was told something. What happened at
    some time of a day (``happened_at``) is for the first morning after it, and so in one message with the
    rest; without such a time it is for today.
    """
    verdict = to_address(way, rules, about)
    if isinstance(verdict, Skip) or rules.digest is Digest.EACH or about.forced:
        return verdict
    place = arrives_at(verdict, rules, about)
    morning = about.now if happened_at is None else morning_after(happened_at, rules, place)
    free = free_from(heard_at, 1, 1, place, about.now)
    held = held_until(verdict, [(max(morning, free), Reason.DIGEST)], rules, about, place)
    if happened_at is not None and isinstance(held, Hold) and held.reason is Reason.OUTSIDE_WINDOW:
        return hold_of(held, Reason.DIGEST, held.not_before)
    return held


def morning_after(happened_at: datetime, rules: TeamPolicy, place: Place) -> datetime:
    """When the day begins on which the team's hours open next after that, but for days that have none."""
    return max(_morning_in(zone, happened_at, rules) for zone in place.zones)


def _morning_in(zone: str, happened_at: datetime, rules: TeamPolicy) -> datetime:
    then = happened_at.astimezone(ZoneInfo(zone))
    return begin_of(then.date() if then.time() < rules.opens else later(then.date(), 1), zone)
