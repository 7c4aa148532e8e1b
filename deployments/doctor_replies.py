"""Doctor's lines on what people wrote back that a person of the business has to read."""

from collections.abc import Sequence
from datetime import timedelta

from deployments.findings import Finding
from duebell.calls import utc
from duebell.ledger.inbound import Reply, may_start_again, revocations
from duebell.phone import redact
from duebell.resources import Resources

SHOWN_FOR = timedelta(days=14)

AN_END = "seems to ask for no more messages", "`duebell preference stop` or `duebell preference allow`"
AGAIN = (
    "had stopped, and may have asked to be told again",
    "`duebell preference allow` or `duebell preference stop`",
)


def look(resources: Resources) -> list[Finding]:
    """The messages that seem to ask for something in words of their own: nobody else heeds them."""
    engine = resources.engine
    ends = revocations(engine, resources.clock() - SHOWN_FOR)
    return _findings(ends, *AN_END) + _findings(may_start_again(engine), *AGAIN)


def _findings(replies: Sequence[Reply], seems: str, mend: str) -> list[Finding]:
    return [
        Finding(
            "replies",
            f"{redact(one.address)} {seems} ({utc(one.at)}): read {one.sid} in Twilio's log, and settle it "
            f"with {mend}",
            sound=False,
        )
        for one in replies
    ]
