"""Where the time comes from. Everything that depends on it takes a ``Clock``, so that tests can move it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Returns the present as aware UTC."""


AHEAD = timedelta(minutes=1)
"""How far another machine's clock may be ahead of ours. A time that lies further ahead was written by one
that was wrong and is right since: it says nothing.
"""


def system_clock() -> datetime:
    """The machine's own time, in UTC."""
    return datetime.now(UTC)


def on_clock(moment: datetime, zone: str) -> datetime:
    """A time as a person gave it: without a zone of its own it is on the clock of that zone."""
    return moment.replace(tzinfo=ZoneInfo(zone)) if moment.tzinfo is None else moment
