"""What Twilio is to hold of a person's consent, sender by sender: pure decisions, the latest wish wins.

Twilio keeps consents per sender, takes them as upserts and tells none of them back
(twilio.com/docs/messaging/features/consent-api), so what it holds is known only from what was said to it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum


class Consent(StrEnum):
    """Twilio's own words for what a person wants."""

    OPT_IN = "opt-in"
    OPT_OUT = "opt-out"


class Source(StrEnum):
    """Where a wish was learned: the person's word, Twilio's refusal, somebody's command, a field of Xero."""

    WORD = "word"
    REFUSAL = "refusal"
    COMMAND = "command"
    XERO = "xero"


OF_THE_PERSON = frozenset({Source.WORD, Source.COMMAND})
"""What is evidence that the person wants messages again. A field of Xero never is."""

OWN = "own"
"""In ``said_to``: the installation's own sender, whatever its settings say that it is."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What one person wants, as last learned. ``version`` counts how often it turned.

    ``said_to`` are the senders at which Twilio has heard it already. ``tenants`` are the organisations whose
    senders it is about; none means all of ours.
    """

    status: Consent
    source: Source
    at: datetime
    evidence: str = ""
    said_to: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    version: int = 1

    def __post_init__(self) -> None:
        if self.status is Consent.OPT_IN and self.source not in OF_THE_PERSON:
            raise ValueError("nobody is opted in without the person's own evidence")


def heeded(known: Wish | None, said: Wish) -> Wish | None:
    """What the person wants, now that this was learned too; ``None`` where nothing was ever stopped.

    A word, a refusal and a command are learned in the order in which they happen, whatever two clocks say. A
    field of Xero may have been set long ago: it counts only where it is newer than what is known.
    """
    if known is None:
        return said if said.status is Consent.OPT_OUT else None
    if said.source is Source.XERO and not _is_news(known, said):
        return known
    at = max(said.at, known.at)
    if said.status is known.status:
        everywhere = not known.tenants or not said.tenants
        tenants = frozenset[str]() if everywhere else known.tenants | said.tenants
        return replace(said, at=at, said_to=known.said_to | said.said_to, tenants=tenants,
                       version=known.version)  # fmt: skip
    return replace(said, at=at, version=known.version + 1)


def _is_news(known: Wish, field_of_xero: Wish) -> bool:
    if known.status is Consent.OPT_IN:
        return field_of_xero.at > known.at
    return known.source is Source.XERO and not field_of_xero.tenants <= known.tenants


class Stands(StrEnum):
    """How a consent stands at Twilio: to be told, told by us, heard from the person, or refused."""

    OWED = "owed"
    TOLD = "told"
    HEARD = "heard"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Posted:
    """The last post of a consent: what it said, and when its answer came (``None``: none has)."""

    status: Consent
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Line:
    """One number and one sender of ours: what Twilio is to hold there, and how that stands."""

    status: Consent
    source: Source
    at: datetime
    version: int
    stands: Stands
    posted: Posted | None = None
    tries: int = 0
    next_at: datetime | None = None
    answer: str = field(default="", repr=False)


FIRST_RETRY, LAST_RETRY = timedelta(seconds=20), timedelta(hours=6)
ASK_ANEW = timedelta(hours=20)
"""How long what Twilio refuses, or an account without the Consent API, is left alone."""

CROSSING = timedelta(minutes=2)
"""So long before we hear a word, a post of ours may have reached Twilio after it: webhooks take time."""


def laid_out(wish: Wish, line: Line | None, sender: str, now: datetime) -> Line:
    """The line of a sender that the wish is about, as the wish wants it.

    What was said to the sender itself is not repeated to it, unless a contrary post of ours may have come
    after the word: then only saying it again makes it true.
    """
    heard = sender in wish.said_to and not _may_contradict(wish, line)
    if line is not None and (line.version, line.status) == (wish.version, wish.status):
        return _taken_up(line, now, heard=heard)
    posted = line.posted if line else None
    fresh = Line(wish.status, wish.source, wish.at, wish.version, Stands.HEARD, posted)
    return fresh if heard else replace(fresh, stands=Stands.OWED, next_at=now)


def _taken_up(line: Line, now: datetime, *, heard: bool) -> Line:
    """A line that is as the wish wants it, but may have rested: while mirroring was off, or refused a day."""
    if line.stands is Stands.OWED and heard:
        return replace(line, stands=Stands.HEARD, next_at=None)
    refused_at = line.posted.answered_at if line.posted else None
    is_old = line.stands is Stands.REFUSED and (refused_at is None or refused_at <= now - ASK_ANEW)
    rests = line.stands is Stands.OWED and line.next_at is None
    return replace(line, stands=Stands.OWED, next_at=now) if is_old or rests else line


def left_alone(wish: Wish, line: Line) -> Line:
    """The line of a sender that the wish is not about: what it still owes stays owed."""
    return replace(line, version=wish.version) if line.stands is Stands.OWED else line


def left_out(wish: Wish, line: Line) -> Line | None:
    """The same, but that nothing is owed to a group of Xero that is not to be told: none, if nothing was."""
    if line.stands is not Stands.OWED or line.source is not Source.XERO:
        return left_alone(wish, line)
    return replace(line, next_at=None) if line.posted else None


def _may_contradict(wish: Wish, line: Line | None) -> bool:
    if line is None or line.posted is None or line.posted.status is wish.status:
        return False
    return line.posted.answered_at is None or line.posted.answered_at > wish.at - CROSSING


def begun(line: Line) -> Line:
    """The line while it is being posted: from now on Twilio may hold it, answer or not."""
    return replace(line, posted=Posted(line.status, None))


class Outcome(StrEnum):
    """What came of one consent in a post."""

    TAKEN = "taken"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    NOT_OFFERED = "not_offered"


def answered(line: Line, version: int, outcome: Outcome, answer: str, now: datetime) -> Line:
    """The line after the answer to a post of this ``version``: an older answer settles no newer wish.

    Two may be of one version: an opt-in that is still owed to this sender when an organisation with another
    sender notes an opt-out, and the person's own STOP after that.
    """
    is_old = line.version != version or (line.posted is not None and line.posted.status is not line.status)
    if outcome in {Outcome.UNANSWERED, Outcome.NOT_OFFERED}:
        wait = ASK_ANEW if outcome is Outcome.NOT_OFFERED else retry_after(line.tries)
        if line.stands is not Stands.OWED:
            return replace(line, answer=answer)
        later = now if is_old else now + wait
        return replace(line, tries=line.tries + 1, next_at=later, answer=answer)
    posted = replace(line.posted, answered_at=now) if line.posted else None
    if is_old or line.stands is not Stands.OWED:
        return replace(line, posted=posted)
    stands = Stands.TOLD if outcome is Outcome.TAKEN else Stands.REFUSED
    return replace(line, stands=stands, posted=posted, tries=line.tries + 1, next_at=None, answer=answer)


def retry_after(tries: int) -> timedelta:
    """How long to wait after so many tries came to nothing: 20 s, doubling up to six hours."""
    return min(FIRST_RETRY * 2 ** min(tries, 12), LAST_RETRY)
