"""When a person may be written to: the next instant inside a daily window of their own time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

DAYS_AHEAD = 3
"""Every day is alike but for the changes of the clocks: what does not open in three days never opens."""

CLOSED_DAYS_AHEAD = (DAYS_AHEAD, 12, 60)
"""The looks ahead where days are left out: past a weekend, past a week, past any run of holidays."""

LEAST_SHARED = timedelta(hours=1)
"""For less of each day than this nobody is made to wait until it is day in every zone."""

DAYS_OF_BOTH_HALVES = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))

CLOSING_LOOK = 2
"""Days ahead in which a closing is looked for: Twilio keeps no message waiting for longer than ten hours."""


def next_open(
    now: datetime,
    zones: tuple[str, ...],
    opens: time,
    closes: time,
    is_open_day: Callable[[date], bool] | None = None,
    *,
    least: timedelta = timedelta(),
) -> datetime:
    """The first instant from ``now`` on (aware UTC) at which every zone's clock is within [opens, closes).

    ``zones`` are IANA names that exist on this machine. The window may cross midnight; equal times mean
    always open. ``is_open_day`` leaves days out: at that instant it must be an open day by every zone's
    calendar. ``least`` is how long the window has to stay open from then on; one that never does is taken
    as it is. Where the zones share no such minute within the looks ahead, the first zone decides alone.
    Raises ``ValueError`` without any zone, and where no day is open.
    """
    if not zones:
        raise ValueError("a window needs at least one zone")
    clocks = [ZoneInfo(zone) for zone in zones]
    window = _Window(opens, closes, is_open_day)
    for room in (least, timedelta()):
        for chosen in (clocks, clocks[:1]):
            found = window.opening(now.astimezone(UTC), chosen, room)
            if found is not None:
                return found
    # a window shorter than a skipped hour may miss its day, but not three in a row
    raise ValueError("a clock that never reads an hour of its own day, or a calendar without an open day")


def open_until(
    now: datetime,
    zones: tuple[str, ...],
    opens: time,
    closes: time,
    is_open_day: Callable[[date], bool] | None = None,
) -> datetime | None:
    """When the window that is open at ``now`` closes: the first instant at which one zone's clock is outside.

    Where the zones are not all open now, the first of them decides alone, as in ``next_open``; where it is
    closed itself, that is ``now``. ``None`` where the window stays open for two days.
    """
    start = now.astimezone(UTC)
    clocks = [ZoneInfo(zone) for zone in zones]
    window = _Window(opens, closes, is_open_day)
    chosen = clocks if window.is_open_by(clocks, start) else clocks[:1]
    return window.closing(start, chosen)


def closed_by(
    now: datetime,
    zones: tuple[str, ...],
    opens: time,
    closes: time,
    is_open_day: Callable[[date], bool] | None = None,
    *,
    least: timedelta = timedelta(),
) -> tuple[str, ...]:
    """The zones by whose clock it is not open at ``now``, or not for ``least`` from then on.

    Of those that read the same the first stands for all.
    """
    window = _Window(opens, closes, is_open_day)
    reading: dict[time, str] = {}
    for zone in zones:
        clock = ZoneInfo(zone)
        if not window.lasts(now.astimezone(UTC), [clock], least):
            reading.setdefault(now.astimezone(clock).time(), zone)
    return tuple(reading.values())


@lru_cache(maxsize=4096)
def within_reach(zones: tuple[str, ...], opens: time, closes: time) -> tuple[str, ...]:
    """The zones without those that leave the window less than ``LEAST_SHARED`` by all their clocks.

    The first is kept, and of the others those nearest to it.
    """
    start, end = (datetime.combine(date.min, clock) for clock in (opens, closes))
    width = (end - start) % timedelta(days=1) or timedelta(days=1)
    kept = zones[:1]
    for zone in sorted(zones[1:], key=lambda zone: spread((zones[0], zone))):
        if width - spread((*kept, zone)) >= LEAST_SHARED:
            kept = (*kept, zone)
    return tuple(zone for zone in zones if zone in kept)


def spread(zones: Sequence[str]) -> timedelta:
    """How far apart the clocks of these zones are at most, on a winter's or on a summer's day."""
    return max(_spread_on(day, zones) for day in DAYS_OF_BOTH_HALVES)


def _spread_on(day: datetime, zones: Sequence[str]) -> timedelta:
    clocks = [day.astimezone(ZoneInfo(zone)).utcoffset() or timedelta() for zone in zones]
    return max(clocks) - min(clocks)


@dataclass(frozen=True, slots=True)
class _Window:
    """The hours of a day, and the days that count."""

    opens: time
    closes: time
    is_open_day: Callable[[date], bool] | None

    def is_open(self, there: datetime) -> bool:
        """Whether it is open by this clock and calendar."""
        clock = there.time()
        if self.opens < self.closes:
            in_hours = self.opens <= clock < self.closes
        else:
            in_hours = self.opens == self.closes or clock >= self.opens or clock < self.closes
        return in_hours and (self.is_open_day is None or self.is_open_day(there.date()))

    def is_open_by(self, clocks: list[ZoneInfo], instant: datetime) -> bool:
        """Whether it is open by each of these clocks and its calendar."""
        return all(self.is_open(instant.astimezone(clock)) for clock in clocks)

    def opening(self, now: datetime, clocks: list[ZoneInfo], least: timedelta) -> datetime | None:
        """The first instant from ``now`` on at which it is open by every clock, for ``least`` at least."""
        for days_ahead in (DAYS_AHEAD,) if self.is_open_day is None else CLOSED_DAYS_AHEAD:
            for instant in self.candidates(now, clocks, days_ahead):
                if self.lasts(instant, clocks, least):
                    return instant
        return None

    def lasts(self, instant: datetime, clocks: list[ZoneInfo], least: timedelta) -> bool:
        """Whether it is open by each of these clocks, and for ``least`` from then on."""
        if not self.is_open_by(clocks, instant):
            return False
        if not least:
            return True
        closing = self.closing(instant, clocks)
        return closing is None or closing - instant >= least

    def closing(self, now: datetime, clocks: list[ZoneInfo]) -> datetime | None:
        """The first instant from ``now`` on at which it is closed by one of the clocks."""
        instants = (now, *self._turns(now, clocks, CLOSING_LOOK, self.closes))
        return next((instant for instant in instants if not self.is_open_by(clocks, instant)), None)

    def candidates(self, now: datetime, clocks: list[ZoneInfo], days_ahead: int) -> Iterator[datetime]:
        """Every instant at which it may open: now, each opening, each midnight, each change of a clock.

        A clock that jumps over ``opens`` begins the window with the jump; one set back may begin it again.
        """
        yield now
        yield from self._turns(now, clocks, days_ahead, self.opens)

    def _turns(
        self, now: datetime, clocks: list[ZoneInfo], days_ahead: int, turn: time
    ) -> Iterator[datetime]:
        found: set[datetime] = set()
        turns = {turn} if self.is_open_day is None else {turn, time()}
        for clock in clocks:
            found.update(_changes(now, clock, days_ahead))
            first = now.astimezone(clock).date()
            for one in turns:
                found.update(_readings(first, clock, one, days_ahead))
        yield from sorted(instant for instant in found if instant > now)


def _readings(first: date, clock: ZoneInfo, reading: time, days_ahead: int) -> Iterator[datetime]:
    for days in range(days_ahead + 1):
        wall = datetime.combine(first + timedelta(days=days), reading, clock)
        yield wall.astimezone(UTC)
        yield wall.replace(fold=1).astimezone(UTC)


def _changes(now: datetime, clock: ZoneInfo, days_ahead: int) -> Iterator[datetime]:
    """The instants, to the second, at which the clock is set forward or back."""
    hours = [
        now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=h)
        for h in range(0, 24 * days_ahead + 25, 6)
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
