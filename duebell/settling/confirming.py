"""Asking for the status of messages whose receipts did not come, or of which their provider sends none."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlmodel import Session

from duebell.errors import Permanent, RecordNotFound
from duebell.ledger import receipts, unsettled
from duebell.ledger.unsettled import Unconfirmed
from duebell.ledger.writing import writing
from duebell.policy.reaching import EMAIL
from duebell.resources import Resources
from duebell.settling.rounds import Asked
from duebell.settling.settling import Found, Settled, park, parked_at
from duebell.settling.settling_email import email_of_sid
from duebell.twilio.statuses import MessageStatus

ASK_AFTER, ASK_UNTIL = timedelta(hours=1), timedelta(days=4)
"""Age of a message without a final receipt at which Twilio is asked; past 72 hours nothing more comes."""

ASK_FOR_EMAILS_UNTIL = timedelta(days=6)
"""Twilio's Email API keeps an email for seven days, and is the only one to tell what became of it."""

ASK_AGAIN = timedelta(hours=2, minutes=30)
"""Past this age it is asked by night alone; two runs of an hourly schedule may miss it before."""

NIGHT = 2
"""The hour (UTC) whose run asks for all that is open."""

PORTION = 200
"""How many are asked for before it is seen whether their provider still answers."""

LONGEST = timedelta(minutes=20)
"""How long a run goes on with a further portion. The next run begins with what this one did not come to, and
of such runs few have a place side by side, which the last looks before a message goes out need too.
"""

One = TypeVar("One")


def due(session: Session, now: datetime, *, everything: bool) -> list[Unconfirmed]:
    """The messages without a final receipt that are to be asked for now, all of them, what was asked for
    longest ago first: those of the last hours, and by night or where ``everything`` is wanted those of the
    last days too.
    """
    all_days = everything or now.astimezone(UTC).hour == NIGHT
    return unsettled.unconfirmed(
        session,
        after=now - (ASK_UNTIL if all_days else ASK_AGAIN),
        emails_after=now - (ASK_FOR_EMAILS_UNTIL if all_days else ASK_AGAIN),
        before=now - ASK_AFTER,
    )


def in_portions(
    these: Sequence[One],
    ask: Callable[[Sequence[One]], Sequence[Settled]],
    monotonic: Callable[[], float] = time.monotonic,
) -> Asked:
    """Ask for these one portion after the other; ``ask`` returns what came of those that did not fail.

    It ends early where most of a portion fail, as then the provider is away or has had too much, and after
    ``LONGEST``.
    """
    until = monotonic() + LONGEST.total_seconds()
    settled, asked_for = list[Settled](), 0
    while asked_for < len(these) and monotonic() < until:
        some = these[asked_for : asked_for + PORTION]
        told = ask(some)
        settled += told
        asked_for += len(some)
        if 2 * len(told) < len(some):
            break
    return Asked(tuple(settled), asked_for - len(settled), len(these) - asked_for)


def confirm(resources: Resources, message: Unconfirmed) -> Settled:
    """Ask for the status of a message whose receipts did not come. Raises as reading the provider does.

    What Twilio was to hold and does not know is left to a person once its time is long past: its record may
    have been deleted, or the account be another, and the message have gone out.
    """
    try:
        found = _asked_of(resources, message)
    except Permanent as error:
        with writing(resources.engine, resources.clock()) as book:
            unsettled.note_asked(book, message.attempt_id)
            held = unsettled.held_one(book.session, message.attempt_id)
            if held and isinstance(error, RecordNotFound) and book.now >= parked_at(held, resources.policy):
                return park(book, held, resources.policy, "Twilio held it, and does not know it any more")
        raise
    if found is None and message.batch_id:
        return _by_its_time(resources, message)
    if found is None:
        return Settled(message.attempt_id, "told by events alone")
    with writing(resources.engine, resources.clock()) as book:
        receipts.apply(
            book, message.attempt_id, found.sid, found.raw_status, found.error_code, "twilio's record"
        )
    return Settled(message.attempt_id, "asked", found.raw_status)


def _by_its_time(resources: Resources, message: Unconfirmed) -> Settled:
    """An email that SendGrid was to send by now, and told nothing of: it took it. Where it was asked to
    discard it, and did not say in time that it does, nobody can tell.
    """
    with writing(resources.engine, resources.clock()) as book:
        held = unsettled.held_one(book.session, message.attempt_id)
        if held is None:
            return Settled(message.attempt_id, "known by now")
        if message.cancel_why:
            return park(book, held, resources.policy, "SendGrid did not say in time that it discards it")
        status = MessageStatus.ACCEPTED.value
        receipts.apply(book, message.attempt_id, message.sid, status, None, "its time")
    return Settled(message.attempt_id, "taken for sent", status)


def _asked_of(resources: Resources, message: Unconfirmed) -> Found | None:
    if message.channel == EMAIL:
        email = email_of_sid(resources, message.sid)
        return None if email is None else Found(message.sid, email.raw_status)
    text = resources.twilio().fetch(message.sid)
    return Found(text.sid, text.raw_status, text.error_code)
