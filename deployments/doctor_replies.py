"""Doctor's lines on what people wrote back that a person of the business has to read."""

from datetime import timedelta

from deployments.findings import Finding
from duebell.calls import utc
from duebell.ledger.inbound import revocations
from duebell.phone import redact
from duebell.resources import Resources

SHOWN_FOR = timedelta(days=14)


def look(resources: Resources) -> list[Finding]:
    """The messages that seem to ask for an end in words that are not STOP: nobody else has heeded them."""
    found = revocations(resources.engine, resources.clock() - SHOWN_FOR)
    return [
        Finding(
            "replies",
            f"{redact(one.address)} seems to ask for no more messages ({utc(one.at)}): read {one.sid} in "
            "Twilio's log, and settle it with `duebell preference stop` or `duebell preference allow`",
            sound=False,
        )
        for one in found
    ]
