"""Which contacts are to be in the group of Xero that shows who stopped, and which of them we put there.

Xero keeps no word of who put a contact into a group, so that only our own book tells a membership of ours
from the bookkeeper's. It is looked at right before it is changed; what a person sets by hand while an answer
of Xero's is missing, or takes out and puts back between two looks, cannot be told from our own.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from duebell.preferences.mirroring import ASK_ANEW, Consent, Source, Wish, retry_after


class Stands(StrEnum):
    """How a line stands: Xero is to be looked at, the group is as it should be, or Xero refuses it."""

    OWED = "owed"
    DONE = "done"
    REFUSED = "refused"


class Step(StrEnum):
    """What is done to the membership of a contact."""

    ADD = "add"
    REMOVE = "remove"


class Outcome(StrEnum):
    """What came of a step."""

    DONE = "done"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


LANDS_WITHIN = timedelta(minutes=10)
"""So long after it was sent, a request without an answer may still change the group."""


@dataclass(frozen=True, slots=True)
class Line:
    """One contact and the group: whether it is to be in it because its owner stopped.

    ``ours``: we put it there, and nobody took it out since. ``adding_since``: when we asked for it without an
    answer yet. ``written_at``: when we last changed the membership. ``version`` counts how often it turned.
    """

    wanted: bool
    stands: Stands
    next_at: datetime | None
    ours: bool = False
    version: int = 1
    adding_since: datetime | None = None
    written_at: datetime | None = None
    tries: int = 0
    answer: str = field(default="", repr=False)

    @property
    def may_be_ours(self) -> bool:
        """Whether the contact's being in the group says nothing of what the bookkeeper wants."""
        return self.ours or self.adding_since is not None


def shows(wish: Wish) -> bool:
    """Whether a wish is shown in Xero: a stop that the person said. A field of Xero is there already."""
    return wish.status is Consent.OPT_OUT and wish.source is not Source.XERO


def laid_out(line: Line | None, now: datetime, *, stopped: bool) -> Line | None:
    """The line as the wish wants it; nothing for who never stopped."""
    if line is None:
        return Line(wanted=True, stands=Stands.OWED, next_at=now) if stopped else None
    if line.wanted is stopped:
        return replace(line, next_at=now) if line.stands is Stands.OWED and line.next_at is None else line
    return replace(line, wanted=stopped, version=line.version + 1, stands=Stands.OWED, tries=0, next_at=now)


def is_out(line: Line, *, is_member: bool) -> bool:
    """Whether a contact that we had put there, and that is to be out, is: perhaps by a request of ours whose
    answer was lost.
    """
    return line.ours and not line.wanted and not is_member


def looked(line: Line, now: datetime, *, is_member: bool) -> tuple[Line, Step | None]:
    """The line by what the group holds now, and what is to be done about it.

    The line that comes with a step is to be kept before the step is made.
    """
    late = may_land(line, now)
    if is_out(line, is_member=is_member):
        line = replace(line, written_at=now)
    if not is_member:
        if line.wanted:
            return replace(line, ours=False, stands=Stands.OWED, adding_since=now), Step.ADD
        if late is not None:
            return replace(line, ours=False, stands=Stands.OWED, next_at=late + LANDS_WITHIN), None
        return _settled(replace(line, ours=False)), None
    if line.wanted:
        return _settled(replace(line, ours=line.may_be_ours)), None
    if line.may_be_ours:
        return replace(line, stands=Stands.OWED, ours=True, adding_since=None), Step.REMOVE
    return _settled(line), None


def _settled(line: Line) -> Line:
    return replace(line, stands=Stands.DONE, adding_since=None, next_at=None, tries=0, answer="")


def may_land(line: Line, now: datetime) -> datetime | None:
    """When a request that was not answered was made, while it may still change the group."""
    since = line.adding_since
    return since if since is not None and now < since + LANDS_WITHIN else None


def answered(
    line: Line,
    version: int,
    step: Step,
    outcome: Outcome,
    answer: str,
    now: datetime,
    *,
    earlier: datetime | None = None,
) -> Line:
    """The line after what came of a step of this ``version``: an older answer settles no newer wish.

    ``earlier``: when a request before this one was made that was not answered, and may still be done.
    """
    is_old = line.version != version
    if outcome is Outcome.DONE:
        after = replace(line, ours=step is Step.ADD, adding_since=None, written_at=now)
        return replace(after, stands=Stands.OWED, next_at=now) if is_old else _settled(after)
    if outcome is Outcome.REFUSED and step is Step.ADD:
        line = replace(line, adding_since=earlier)  # Xero says that it did nothing of this one
    if is_old:
        return replace(line, stands=Stands.OWED, next_at=now, answer=answer)
    refused = outcome is Outcome.REFUSED
    wait = ASK_ANEW if refused else retry_after(line.tries)
    stands = Stands.REFUSED if refused else Stands.OWED
    return replace(line, stands=stands, tries=line.tries + 1, next_at=now + wait, answer=answer)


def put_off(line: Line, why: str, until: datetime) -> Line:
    """The line while the whole group cannot be reached."""
    if line.stands is Stands.DONE:
        return line
    return replace(line, stands=Stands.OWED, tries=line.tries + 1, next_at=until, answer=why)


def said_by_bookkeeper(
    groups: Collection[str], group: str, line: Line | None, read_at: datetime
) -> list[str]:
    """The groups of a contact, as read then, that are the bookkeeper's word: without the one that is ours.

    What was read before our own last change of the membership shows what we had done.
    """
    ours = line is not None and (
        line.may_be_ours or (line.written_at is not None and read_at <= line.written_at)
    )
    if not ours:
        return list(groups)
    return [one for one in groups if one.strip().casefold() != group.strip().casefold()]
