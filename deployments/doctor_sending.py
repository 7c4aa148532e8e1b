"""Doctor's lines on sending: whether it is stopped and why, and what became of no message for sure."""

from deployments.findings import Finding
from duebell.books.calls import lasting
from duebell.errors import ConfigurationError
from duebell.ledger.channel_stops import stops
from duebell.ledger.engine import reading
from duebell.ledger.outstanding import Outstanding, outstanding, strange_receipts
from duebell.resources import Resources
from duebell.safekeeping import quarantine
from duebell.sending import stopping
from duebell.showing import reporting_channels
from duebell.states import NotificationState


def look(resources: Resources) -> list[Finding]:
    """Compare the side journal with the ledger, and list what waits for evidence or for a person."""
    journal = _journal(resources)
    with reading(resources.engine) as session:
        found = outstanding(session, now=resources.clock())
        strange = strange_receipts(session, now=resources.clock())
    return [journal, *_brakes(resources), *_channels(resources), *_outstanding(found), *_strange(strange)]


def _journal(resources: Resources) -> Finding:
    try:
        compared = quarantine.compare(resources)
    except ConfigurationError as error:
        return Finding("side journal", str(error), sound=False)
    if compared.forgotten:
        said = f"knows of {compared.forgotten} messages that the ledger had lost: sending is stopped"
        return Finding("side journal", said, sound=False)
    if compared.unreadable:
        said = f"has {compared.unreadable} lines that cannot be read: look at the disk that it is on"
        return Finding("side journal", said, sound=False)
    return Finding("side journal", "the ledger knows of all that was posted from this machine")


def _brakes(resources: Resources) -> list[Finding]:
    on = stopping.stopped(resources.engine)
    if not on:
        return [Finding("brake", "off")]
    return [Finding("brake", f"{one.in_full()}: {one.mend} lets it go on", sound=False) for one in on]


def _channels(resources: Resources) -> list[Finding]:
    """The channels that a fault of the setup has stopped, each with the fault and the wait."""
    told = (
        reporting_channels.told_of(resources.engine, one.scope).message for one in stops(resources.engine)
    )
    return [Finding("channel", f"{said} Once mended: `duebell resume`", sound=False) for said in told]


def _outstanding(found: list[Outstanding]) -> list[Finding]:
    parked = [one for one in found if one.state == NotificationState.PARKED]
    looked_for = [one for one in found if one.state != NotificationState.PARKED]
    return [
        Finding("messages whose outcome is still looked for", _counted(looked_for)),
        *_to_customers([one for one in parked if one.again]),
        *_to_teams([one for one in parked if not one.again]),
    ]


def _to_customers(parked: list[Outstanding]) -> list[Finding]:
    if not parked:
        return []
    named = ", ".join(f"`duebell resend {one.again}`" for one in parked[:5])
    said = f"{_counted(parked)}: look in Twilio's log for each, then `duebell settle` with the SID of one "
    said += f"that is there (of an email comms_email_…), and have said again what is not: {named}"
    return [Finding("messages that a person has to decide on", said, sound=False)]


def _to_teams(parked: list[Outstanding]) -> list[Finding]:
    """Nobody has to do anything: what they told of stands in Xero, and each day brings its own."""
    if not parked:
        return []
    said = (
        f"{_counted(parked)}, {', '.join(one.invoice for one in parked[-5:])}: `duebell explain` says of what"
    )
    return [Finding("messages to a team that may not have gone out", said)]


def _counted(found: list[Outstanding]) -> str:
    return f"{len(found)}, the oldest for {lasting(found[0].age)}" if found else "0"


def _strange(sids: list[str]) -> list[Finding]:
    if not sids:
        return []
    said = (
        f"{len(sids)} messages have receipts and nobody here sent them ({', '.join(sids[:3])}): does another "
        "system use this account's callback address, or was the ledger replaced?"
    )
    return [Finding("receipts of strangers", said, sound=False)]
