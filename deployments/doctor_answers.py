"""What Twilio answered of late that somebody should look at, although nothing waits for that."""

from datetime import UTC, timedelta

from deployments.findings import Finding
from duebell.ledger.answered import Coded, codes_since
from duebell.resources import Resources
from duebell.twilio.codes import Ruling, Stops, action_for

WHAT = "Twilio's answers"
DAYS = 3
"""So long a code is shown: what was mended shows no more, and nobody has to tick it off."""


def look(resources: Resources) -> list[Finding]:
    """One finding a code, to be mended; a fault that stops a channel is told with that."""
    coded = codes_since(resources.engine, resources.clock() - timedelta(days=DAYS))
    ruled = [(one, action_for(one.code, from_callback=True)) for one in coded]
    found = [_told(one, rule) for one, rule in ruled if rule.alert and rule.stops is Stops.NOTHING]
    return found or [Finding(WHAT, f"none of the last {DAYS} days has to be looked at")]


def _told(one: Coded, ruling: Ruling) -> Finding:
    times = "once" if one.times == 1 else f"{one.times} times"
    latest = f"{one.latest.astimezone(UTC):%d %b %H:%M} UTC"
    said = f"code {one.code} came {times} in the last {DAYS} days, at last {latest}: {ruling.meaning}"
    shown = f"; `duebell explain {one.number}` shows one" if one.number else ""
    return Finding(WHAT, f"{said} (twilio.com/docs/api/errors/{one.code}){shown}", sound=False)
