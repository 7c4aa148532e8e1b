"""Further copies of messages that Twilio holds, which nobody asked for: they are found, and taken back."""

import logging
from collections.abc import Sequence

from duebell.errors import DuebellError
from duebell.ledger import copies, scheduled, unsettled
from duebell.ledger.engine import reading
from duebell.ledger.scheduled import Held
from duebell.ledger.unsettled import Unsettled
from duebell.ledger.writing import writing
from duebell.resources import Resources
from duebell.settling.once_more import once_more
from duebell.settling.settling import BEFORE, Found, bind, candidates
from duebell.twilio.messages import MessageState

log = logging.getLogger("duebell.watching")


def looked_for(resources: Resources, held: Sequence[Held]) -> set[Held]:
    """Take back further copies of what is doubtful; returns those messages whose copies Twilio could not be
    asked for.
    """
    unsearched = set[Held]()
    for one in held:
        try:
            if one.doubtful:
                once_more()(_look_for_copies, resources, one)
        except DuebellError as error:
            log.warning("copies of attempt %s are looked for again soon: %s", one.attempt_id, error)
            unsearched.add(one)
    return unsearched


def _look_for_copies(resources: Resources, one: Held) -> None:
    """Further copies of a message whose POST was not answered. One that may be an attempt's own is bound to
    it, and decided on from then on; the others are taken back before anything else happens, for nothing but
    the list knows of them.
    """
    with reading(resources.engine) as session:
        held = unsettled.held_of(session, one.notification_id)
        attempts = [attempt for attempt in held if attempt.text]  # to lost words anything would answer
    for address in dict.fromkeys(attempt.address for attempt in attempts):
        of_address = [attempt for attempt in attempts if attempt.address == address]
        first = min(attempt.started_at for attempt in of_address)
        listed = resources.twilio().find(address, first - BEFORE)
        for attempt in sorted(of_address, key=_has_its_own):
            seen = _look_among(resources, attempt, listed)
            listed = [message for message in listed if message.sid not in seen]


def _has_its_own(attempt: Unsettled) -> bool:
    """Whether its message is known: what else is listed is a copy of it, unless it is another attempt's."""
    return attempt.sid is not None


def _look_among(resources: Resources, attempt: Unsettled, listed: Sequence[MessageState]) -> set[str]:
    """Bind or take back what is listed of an attempt; returns the SIDs of what was seen to."""
    with reading(resources.engine) as session:
        bound = unsettled.bound_sids(session, [message.sid for message in listed])
        if unsettled.others_say_it(session, attempt):
            return set()
    found = candidates(attempt, listed, bound)
    seen = {message.sid for message in found}
    if attempt.sid is None and found:
        own = found.pop(0)
        with writing(resources.engine, resources.clock()) as book:
            bind(book, attempt, Found(own.sid, own.raw_status, own.error_code))
    for copy in found:
        _see_to(resources, attempt.attempt_id, copy)
    return seen


def _see_to(resources: Resources, attempt_id: str, copy: MessageState) -> None:
    """Take a copy back, or say of it that it went out: that one nobody can take back."""
    if copy.raw_status == "scheduled":
        copy = resources.twilio().cancel(copy.sid)
        log.warning("Twilio made %s of attempt %s too: it is %s", copy.sid, attempt_id, copy.raw_status)
    with writing(resources.engine, resources.clock()) as book:
        copies.notice(book, attempt_id, copy.sid, copy.raw_status, actor=scheduled.BY_LIST)
