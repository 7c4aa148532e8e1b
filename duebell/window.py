"""When a person may be written to: the next instant inside a daily window of their own time."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers.timezone import time_zones_for_number

DAYS_AHEAD = 3
WIDEST_SPREAD = timedelta(hours=8)
"""A number whose owner may be in zones further apart says too little of the hour there."""


def next_open(now: datetime, zones: tuple[str, ...], opens: time, closes: time) -> datetime:
    """The first instant from ``now`` on (aware UTC) at which every zone's clock is within [opens, closes).

    ``zones`` are IANA names that exist on this machine. The window may cross midnight; equal times mean
    always open. Where the zones share no open minute within three days, the first zone decides alone.
    Raises ``ValueError`` without any zone.
    """
    if not zones:
        raise ValueError("a window needs at least one zone")
    if opens == closes:
        return now.astimezone(UTC)
    clocks = [ZoneInfo(zone) for zone in zones]
    for chosen in (clocks, clocks[:1]):
        for instant in _candidates(now.astimezone(UTC), chosen, opens):
            if all(_is_open(instant.astimezone(clock).time(), opens, closes) for clock in chosen):
                return instant
    # a window shorter than a skipped hour may miss its day, but not three in a row
    raise ValueError("a clock that never reads an hour of its own day")


def zones_of_number(e164: str, fallback_zone: str) -> tuple[str, ...]:
    """The zones in which a number's owner may be, or the fallback where the number does not tell."""
    try:
        found = time_zones_for_number(phonenumbers.parse(e164))
    except phonenumbers.NumberParseException:
        return (fallback_zone,)
    if not found or not all(_exists(zone) for zone in found) or _spread(found) > WIDEST_SPREAD:
        return (fallback_zone,)
    return tuple(found)


def _spread(zones: Sequence[str]) -> timedelta:
    """How far apart the clocks of these zones are at most, over a winter's and a summer's day."""
    days = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    clocks = [day.astimezone(ZoneInfo(zone)).utcoffset() or timedelta() for zone in zones for day in days]
    return max(clocks) - min(clocks)


def _exists(zone: str) -> bool:
    """phonenumbers says "not known" by a zone that no machine has; its list may also be the newer one."""
    try:
        ZoneInfo(zone)
    except ZoneInfoNotFoundError:
        return False
    return True


def _is_open(clock: time, opens: time, closes: time) -> bool:
    if opens < closes:
        return opens <= clock < closes
    return clock >= opens or clock < closes


def _candidates(now: datetime, clocks: list[ZoneInfo], opens: time) -> list[datetime]:
    """Every instant at which a window may begin: now, each opening, and each change of a clock.

    A clock that jumps over ``opens`` begins the window with the jump; one set back may begin it again.
    """
    found = {now}
    for clock in clocks:
        found.update(_changes(now, clock))
        first = now.astimezone(clock).date()
        found.update(_openings(first, clock, opens))
    return sorted(instant for instant in found if instant >= now)


def _openings(first: date, clock: ZoneInfo, opens: time) -> Iterator[datetime]:
    for days in range(DAYS_AHEAD + 1):
        wall = datetime.combine(first + timedelta(days=days), opens, clock)
        yield wall.astimezone(UTC)
        yield wall.replace(fold=1).astimezone(UTC)


def _changes(now: datetime, clock: ZoneInfo) -> Iterator[datetime]:
    """The instants, to the second, at which the clock is set forward or back."""
    hours = [
        now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=h)
        for h in range(0, 24 * DAYS_AHEAD + 25, 6)
    ]
    for before, after in pairwise(hours):
        if before.astimezone(clock).utcoffset() != after.astimezone(clock).utcoffset():
            yield _change(before, after, clock)


def _change(before: datetime, after: datetime, clock: ZoneInfo) -> datetime:
    offset = before.astimezone(clock).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(clock).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
