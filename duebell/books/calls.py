"""Calls to Xero as the currency that they are: what each is for, when one may be made, what a refusal means.

Xero counts in fixed windows that begin at a moment of its own for each tenant; only an answer tells what is
left (developer.xero.com/documentation/guides/oauth2/limits).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from duebell.errors import ConfigurationError, Postponed, RateLimited, ReservedForMessages, TenantParked


class Purpose(StrEnum):
    """What a call is made for."""

    EVENTS = "events"
    LOOK_AGAIN = "look_again"
    RESEND = "resend"
    CONNECT = "connect"
    FIRST_SYNC = "first_sync"
    POLL = "poll"
    OPEN_REREAD = "open_reread"
    ORGANISATION = "organisation"
    DOCTOR = "doctor"
    LINKS = "links"
    PREFERENCES = "preferences"


LEADS_TO_A_MESSAGE = frozenset({Purpose.EVENTS, Purpose.LOOK_AGAIN, Purpose.RESEND})
"""What the last fifth of a day's calls is kept for."""

MINUTE = timedelta(minutes=1)

DAY_LIMITS = (1_000, 5_000)
"""Calls a day and organisation, by the tier of the app. No header names the limit itself."""

ASK_AGAIN = timedelta(hours=1)
"""How long the last word on the day's calls is believed: its window may have begun anew since."""

FEW_LEFT = 5
"""Calls of a minute from which on they are spread out: as many as may be under way at once."""

LONGEST_PAUSE = timedelta(seconds=65)
"""A minute's window is over by then, whatever Retry-After says."""

SHORTEST_PARK, UNTOLD_PARK, LONGEST_PARK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
"""For a used-up day: no busy loop at its end, an hour where Xero does not say, never beyond its window."""

CLOCKS_APART = timedelta(minutes=15)
"""How far our clock may be from Xero's: no window and no day is decided by less."""


def are_apart(theirs: datetime | None, now: datetime) -> bool:
    """Whether our clock is far from Xero's, as far as Xero told its own."""
    return theirs is not None and abs(now - theirs) > CLOCKS_APART


def require_right_clock(theirs: datetime | None, now: datetime) -> None:
    """Raises ``ConfigurationError`` where our clock is far from Xero's: all would be said at a wrong hour."""
    if theirs is None or not are_apart(theirs, now):
        return
    off = timedelta(minutes=round(abs(now - theirs) / MINUTE))
    raise ConfigurationError(
        f"the clock of this machine is {off} {'ahead of' if now > theirs else 'behind'} Xero's: set it, and "
        "keep it set (NTP); until then nothing is read and nobody is told"
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How a tenant stands with Xero's limits, as the ledger has it; ``None`` where nobody knows."""

    parked_until: datetime | None = None
    paused_until: datetime | None = None
    minute_remaining: int | None = None
    day_remaining: int | None = None
    day_began_with: int | None = None
    limits_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Park:
    """The tenant is left alone until then."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Pause:
    """No call of the tenant until then."""

    until: datetime


def day_limit(began_with: int) -> int:
    """The day's limit, told from the most that was ever left of it: the smallest known one that it fits."""
    return next((limit for limit in DAY_LIMITS if began_with <= limit), began_with)


def is_reserved(standing: Standing, now: datetime) -> bool:
    """Whether less than a fifth of the day's calls is left, as far as anybody knows.

    A word that is older than an hour is no longer believed, so that one call finds out whether the day has
    begun anew: at most 24 calls of the reserve a day.
    """
    left, told = standing.day_remaining, standing.limits_at
    if left is None or told is None or abs(now - told) > ASK_AGAIN:
        return False
    return left * 5 < day_limit(max(left, standing.day_began_with or 0))


def postponed(tenant_id: str, standing: Standing, purpose: Purpose, now: datetime) -> Postponed | None:
    """Why a call must not be made at all now, if so."""
    until = standing.parked_until
    if until is not None and until > now:
        return TenantParked(
            f"the day's calls to Xero are used up: tenant {tenant_id} is parked until {utc(until)}", until
        )
    if purpose not in LEADS_TO_A_MESSAGE and is_reserved(standing, now):
        return ReservedForMessages(
            f"{standing.day_remaining} of the day's calls to Xero are left to tenant {tenant_id}: they are "
            f"kept for what leads to a message, and not spent on {purpose.value.replace('_', ' ')}"
        )
    return None


def waits_until(standing: Standing, now: datetime) -> datetime | None:
    """Until when a call has to wait that may be made; ``None`` where it may go."""
    pause = standing.paused_until
    # One further ahead can only come from a clock that was set back since.
    if pause is not None and now < pause <= now + LONGEST_PAUSE:
        return pause
    turn = next_turn(standing, now)
    return turn if turn is not None and turn > now else None


def next_turn(standing: Standing, now: datetime) -> datetime | None:
    """When the next of a minute's last few calls has its turn; ``None`` while there are plenty.

    What is left is spread over the minute that its window may still last, so that none is refused: 10 s
    between calls with five left, 30 s with one, and with none the whole minute.
    """
    left, told = standing.minute_remaining, standing.limits_at
    if left is None or told is None or left > FEW_LEFT or not told <= now < told + MINUTE:
        return None
    return told + MINUTE / (left + 1)


def after_refusal(refused: RateLimited, in_a_row: int, now: datetime) -> Park | Pause:
    """What a 429 means for the tenant, the ``in_a_row``-th one (from 1) that a caller met.

    Without a Retry-After that can be read the waits grow: 5 to 60 s, or 1 to 8 s where only too many calls
    were under way at once.
    """
    told = timedelta(seconds=refused.retry_after) if refused.retry_after is not None else None
    if refused.problem == "day" or (refused.problem == "" and told is not None and told > LONGEST_PAUSE):
        wait = UNTOLD_PARK if told is None else min(max(told, SHORTEST_PARK), LONGEST_PARK)
        return Park(now + wait, str(refused))
    first, most = (1.0, 8.0) if refused.problem == "concurrent" else (5.0, 60.0)
    growing = timedelta(seconds=min(first * 2 ** min(in_a_row - 1, 10), most))
    return Pause(now + min(told or growing, LONGEST_PAUSE))


def endpoint_of(path: str) -> str:
    """``/api.xro/2.0/Invoices/<id>/OnlineInvoice`` as it is counted: ``Invoices/one/OnlineInvoice``."""
    words = path.removeprefix("/api.xro/2.0").strip("/").split("/")
    return "/".join("one" if re.fullmatch(r"[0-9a-fA-F-]{36}", word) else word for word in words)


def utc(moment: datetime) -> str:
    """A time as a person reads it: to the minute, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def lasting(age: timedelta) -> str:
    """How long something lasts, as a person says it: in its largest unit alone."""
    for seconds, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        count = int(age.total_seconds()) // seconds
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"
