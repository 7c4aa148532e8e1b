"""Where the time comes from. Everything that depends on it takes a ``Clock``, so that tests can move it."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Returns the present as aware UTC."""


def system_clock() -> datetime:
    """The machine's own time, in UTC."""
    return datetime.now(UTC)


def on_clock(moment: datetime, zone: str) -> datetime:
    """A time as a person gave it: without a zone of its own it is on the clock of that zone."""
    return moment.replace(tzinfo=ZoneInfo(zone)) if moment.tzinfo is None else moment
