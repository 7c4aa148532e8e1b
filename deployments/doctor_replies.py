"""Doctor's lines on what people wrote back that a person of the business has to read."""

from collections.abc import Sequence

from deployments.findings import Finding
from duebell.books.calls import utc
from duebell.ledger.inbound import Reply, may_start_again, revocations
from duebell.phone import redact
from duebell.resources import Resources

SHOWN = 20
"""How many are named at a time, of each sort. None is left out before it is settled."""

AN_END = "seems to ask for no more messages", "`duebell preference stop` or `duebell preference allow`"
AGAIN = (
    "had stopped, and may have asked to be told again",
    "`duebell preference allow` or `duebell preference stop`",
)


def look(resources: Resources) -> list[Finding]:
    """The messages that seem to ask for something in words of their own: nobody else heeds them."""
    engine = resources.engine
    return _findings(revocations(engine), *AN_END) + _findings(may_start_again(engine), *AGAIN)


def _findings(replies: Sequence[Reply], seems: str, mend: str) -> list[Finding]:
    named = [
        Finding(
            "replies",
            f"{redact(one.address)} {seems} ({utc(one.at)}): read {one.sid} in Twilio's log, and settle it "
            f"with {mend}",
            sound=False,
        )
        for one in replies[:SHOWN]
    ]
    older = len(replies) - len(named)
    if older > 0:
        said = f"{older} older too (somebody {seems}): named here once those above are settled"
        named.append(Finding("replies", said, sound=False))
    return named
