"""What a person is told of a channel that a fault of the setup has stopped, and the mend."""

from dataclasses import dataclass

from sqlalchemy import Engine

from duebell.books.calls import utc
from duebell.ledger import channel_stops
from duebell.ledger.engine import reading
from duebell.ledger.tables import Brake
from duebell.sending.stop_scopes import OURS, Closed, closed_by
from duebell.visible import in_markdown

NAMES = {"sms": "SMS", "email": "Email"}
SENDERS = {OURS: "your own sender"}


@dataclass(frozen=True, slots=True)
class StopTold:
    """For the state of a run, and ``page``, in Markdown, for its artifact."""

    name: str
    message: str
    page: str
    sound: bool


def told_of(engine: Engine, scope: str) -> StopTold:
    """How a channel stands, by the scope of its stop."""
    with reading(engine) as session:
        row = session.get(Brake, scope)
        waiting = channel_stops.count_waiting(session, scope)
    if row is None or not row.stopped:
        message = f"{name_of(scope)} goes out again."
        return StopTold("Open again", message, f"# {message}\n", sound=True)
    message = f"{name_of(scope)} is stopped since {utc(row.changed_at)}: {row.why}. {_tried_again(row)}"
    why = in_markdown(row.why)
    page = (
        f"# {name_of(scope)} is stopped\n\n{why}, since {utc(row.changed_at)}. {waiting} messages wait; "
        f"none of them is lost.\n\n## What to do\n\n{MEND} {_tried_again(row)}\n"
    )
    return StopTold("Channel stopped", message, page, sound=False)


MEND = (
    "Mend what the words above name, at Twilio or SendGrid or in Duebell's settings; each code of "
    "Twilio's has a page at twilio.com/docs/api/errors. Then `duebell resume` has all go out that waits "
    "and is still true."
)


def name_of(scope: str) -> str:
    """What is closed as it is said to people: ``SMS``, ``SMS to US``, ``SMS from Kauri``."""
    closed = closed_by(scope)
    return NAMES.get(closed.channel, closed.channel) + _how_much(closed)


def typed(scope: str) -> str:
    """The same as a command answers, with the channel as it is typed: ``sms to US``."""
    closed = closed_by(scope)
    return closed.channel + _how_much(closed)


def _how_much(closed: Closed) -> str:
    to = f" to {closed.country}" if closed.country else ""
    return to + (f" from {SENDERS.get(closed.sender, closed.sender)}" if closed.sender else "")


def _tried_again(row: Brake) -> str:
    return f"One message tries it again after {utc(row.retry_at)}, by itself." if row.retry_at else ""
