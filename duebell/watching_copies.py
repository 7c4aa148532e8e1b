"""Further copies of messages that Twilio holds, which nobody asked for: they are found, and taken back."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from duebell.errors import Transient
from duebell.ledger import copies as copies_of
from duebell.ledger import receipts, scheduled, unsettled
from duebell.ledger.engine import reading
from duebell.ledger.scheduled import Held
from duebell.ledger.writing import writing
from duebell.resources import Resources
from duebell.settling import BEFORE, candidates
from duebell.twilio.messages import MessageState

log = logging.getLogger("duebell.watching")

SURPLUS = "surplus"
"""Why a copy is taken back."""


@dataclass(frozen=True, slots=True)
class TakeBack:
    """A message that Twilio is to cancel, and why. Without an attempt it is a copy that nobody asked for."""

    attempt_id: str
    sid: str
    why: str


def looked_for(resources: Resources, held: Sequence[Held]) -> tuple[list[TakeBack], set[Held]]:
    """Further copies of what is doubtful, and those messages whose copies Twilio could not be asked for."""
    copies, unsearched = list[TakeBack](), set[Held]()
    for one in held:
        try:
            copies += _copies(resources, one) if one.doubtful else []
        except Transient as error:
            log.warning("copies of attempt %s are looked for again soon: %s", one.attempt_id, error)
            unsearched.add(one)
    return copies, unsearched


def _copies(resources: Resources, one: Held) -> list[TakeBack]:
    """Further copies of a message whose POST was not answered. One that belongs to an attempt is bound to it,
    and decided on from then on.
    """
    with reading(resources.engine) as session:
        held = unsettled.held_of(session, one.notification_id)
        attempts = [attempt for attempt in held if attempt.text]  # to lost words anything would answer
    twilio, copies = resources.twilio(), list[TakeBack]()
    for attempt in attempts:
        listed = twilio.find(attempt.address, attempt.started_at - BEFORE)
        with reading(resources.engine) as session:
            bound = unsettled.bound_sids(session, [message.sid for message in listed])
            if unsettled.others_say_it(session, attempt):
                continue
        found = candidates(attempt, listed, bound)
        if attempt.sid is None and found:
            _bind(resources, attempt.attempt_id, found.pop(0))
        copies += [TakeBack("", it.sid, SURPLUS) for it in found if it.raw_status == "scheduled"]
        if gone_out := [it for it in found if it.raw_status not in {"scheduled", "canceled"}]:
            _notice(resources, attempt.attempt_id, gone_out)
    return copies


def _notice(resources: Resources, attempt_id: str, gone_out: Sequence[MessageState]) -> None:
    """Say of copies that they went out: nobody can take them back."""
    with writing(resources.engine, resources.clock()) as book:
        for message in gone_out:
            copies_of.notice(book, attempt_id, message.sid, message.raw_status, actor=scheduled.BY_LIST)


def _bind(resources: Resources, attempt_id: str, message: MessageState) -> None:
    with writing(resources.engine, resources.clock()) as book:
        status, code = message.raw_status, message.error_code
        receipts.apply(book, attempt_id, message.sid, status, code, scheduled.BY_LIST)
        receipts.bind_earlier(book, attempt_id, message.sid)
