"""Where the side journal is ahead of the ledger, that was set back: nothing is sent until a person looks.

A restored backup, a machine that was rolled back or a lost write-ahead log leaves a ledger that does not
know whom it told. What the journal knows is written into it, as told where the provider's SID is known and
to be looked for where not, and the brake goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlmodel import Session

from duebell.books.calls import utc
from duebell.errors import ConfigurationError
from duebell.failpoints import fail_point
from duebell.ledger import forgotten, tenants, trail
from duebell.ledger.braking import EVERYTHING
from duebell.ledger.engine import reading
from duebell.ledger.writing import writing
from duebell.resources import Resources
from duebell.safekeeping.journal import Journal, Posted, Read

ACTOR = "journal"
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison came to: the attempts that the ledger had forgotten, and the SIDs that it lacked."""

    forgotten: int = 0
    bound: int = 0
    unreadable: int = 0


def compare_once(resources: Resources) -> None:
    """Compare before the first message of a process; later ones go by what that came to."""
    journal = resources.journal
    if journal is None or journal.compared:
        return
    with journal.comparing:
        if not journal.compared:
            compare(resources)


def compare(resources: Resources) -> Compared:
    """Compare the journal with the ledger, and stop all sending where the ledger was set back.

    Raises ``ConfigurationError`` where the journal cannot be read.
    """
    journal = resources.journal
    if journal is None:
        return Compared()
    now = resources.clock()
    try:
        with reading(resources.engine) as session:
            read = _read_back(session, journal, trail.origin(session), now)
    except OSError as error:
        raise ConfigurationError(
            f"the side journal in {journal.folder} cannot be read ({error.strerror}): give its files to the "
            "user that runs Duebell, for without it nobody knows whether the ledger was set back"
        ) from error
    compared = _take_back(resources, read)
    journal.compared[:] = [now]
    return compared


def _read_back(session: Session, journal: Journal, origin: str, now: datetime) -> Read:
    """What was posted on the latest days, back to one that shows that the ledger knows all before it.

    It shows that where the ledger knows of all its messages, and one of them is from before the last
    comparison: under a process that went on at work, a ledger that was set back knows of what came after.
    """
    posted: list[Posted] = []
    unreadable = 0
    for day in journal.days():
        read = journal.read(origin, day)
        posted += read.posted
        unreadable += read.unreadable
        messages = [one for one in read.posted if not one.made_nothing]
        if (
            messages
            and messages[0].at < _compared(posted, now)
            and not forgotten.difference(session, messages).forgotten
        ):
            break
    return Read(tuple(sorted(posted, key=lambda one: one.at)), unreadable)


def _compared(posted: Sequence[Posted], now: datetime) -> datetime:
    """When any process had last compared, as far as these say; a time to come is a wrong clock's."""
    times = [one.compared_at for one in posted if one.compared_at is not None and one.compared_at <= now]
    return max(times, default=NEVER)


def _take_back(resources: Resources, read: Read) -> Compared:
    with writing(resources.engine, resources.clock()) as book:
        forgotten.one_at_a_time(book)
        differs = forgotten.difference(book.session, read.posted)
        for one in differs.forgotten:
            forgotten.take_back(book, one)
        for one in differs.held_otherwise:
            forgotten.hold_as_posted(book, one)
        for one in differs.bound:
            forgotten.bind(book, one)
        if differs.forgotten:
            why = why_stopped(differs.forgotten)
            tenants.brake(book, stopped=True, by=ACTOR, why=why, scope=EVERYTHING)
        if differs.forgotten or differs.bound:
            fail_point("before-taking-back-commits")
    return Compared(len(differs.forgotten), len(differs.bound), read.unreadable)


def why_stopped(found: Sequence[Posted]) -> str:
    """The reason of the brake, for whoever has to lift it."""
    first, last = found[0].at, found[-1].at
    when = f"at {utc(first)}" if len(found) == 1 else f"between {utc(first)} and {utc(last)}"
    return (
        f"the ledger was set back: it did not know of {len(found)} messages posted {when}. They stand in it "
        "again, as told or to be looked for, and are not told twice; what else it lost is read from Xero"
    )
