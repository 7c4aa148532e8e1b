"""SendGrid's event webhook: what one signed batch says, in events that come unordered and repeated.

twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import orjson

from duebell.email.addresses import address_fault
from duebell.email.messages import TAG
from duebell.errors import Permanent
from duebell.twilio.statuses import MessageStatus, message_status

EVENTS_PATH = "/webhooks/sendgrid"

# What an id or a word can look like: PostgreSQL, for one, keeps no NUL in a text.
_ID = re.compile(r"[A-Za-z0-9._=-]{1,100}")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Where and when the email was worked on, behind the id of the answer to the POST
# (github.com/sendgrid/docs/issues/3784). An id may have dots of its own.
_WORKED_ON = re.compile(r"\.(?:filter|recvd)")
_LATEST_SECOND = 253_402_300_799  # the last one of the year 9999

DROPPED = {
    "bounced address": "dropped_bounced",
    "invalid": "dropped_invalid",
    "spam reporting address": "dropped_spam_report",
    "unsubscribed address": "dropped_unsubscribed",
}
"""SendGrid's reasons for not sending an email, as words of one piece; any other is ``dropped``."""


class UnreadableEvents(Permanent):
    """A body with a valid signature that is no list of events; sending it again would not help."""


@dataclass(frozen=True, slots=True)
class EmailEvent:
    """One event. ``sid`` is the message id of the answer to the POST, or the event's own id where that is
    missing, as in a bounce after the delivery (github.com/sendgrid/docs/issues/5177).

    ``word`` is SendGrid's, unknown ones kept: only ``bounce`` is told apart from ``blocked`` by its type, and
    ``dropped`` by its reason. ``tag`` is the attempt's id that travelled with the email, empty where it is
    none of ours. ``stray`` is the address that it is about, where nothing else says of which email it is, and
    empty otherwise. ``event_id`` stays the same when an event comes again; empty where SendGrid gave none.
    ``event_json`` is the whole event, for the ledger alone: it holds the address.
    """

    sid: str
    word: str
    status: MessageStatus
    tag: str
    event_id: str
    occurred_at: datetime | None
    event_json: str = field(repr=False)
    stray: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """The events of one POST in their order, each once, and how many entries cannot be used."""

    events: tuple[EmailEvent, ...]
    unreadable: int


def read_events(raw: bytes) -> EventBatch:
    """The events of a signed body. Raises ``UnreadableEvents`` where it is no list at all."""
    try:
        body: object = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    # Raised here, outside the handler: orjson's error carries the whole body as an attribute.
    if not isinstance(body, list):
        raise UnreadableEvents("the signed body is no list of events")
    events: dict[str, EmailEvent] = {}
    unreadable = 0
    for item in cast("list[object]", body):
        event = _event(cast("dict[str, object]", item)) if isinstance(item, dict) else None
        if event is None:
            unreadable += 1
        else:
            events.setdefault(event.event_id or event.event_json, event)
    return EventBatch(tuple(events.values()), unreadable)


def _event(raw: Mapping[str, object]) -> EmailEvent | None:
    named, event_id, word = _message_id(raw), _text(raw, "sg_event_id"), event_word(raw)
    is_named = _ID.fullmatch(named) is not None
    sid = named if is_named else event_id
    if not _ID.fullmatch(sid) or not _WORD.fullmatch(word):
        return None
    tag = _text(raw, TAG) if _WORD.fullmatch(_text(raw, TAG)) else ""
    return EmailEvent(
        sid=sid,
        word=word,
        status=message_status(word),
        tag=tag,
        event_id=event_id,
        occurred_at=_moment(raw.get("timestamp")),
        event_json=orjson.dumps(raw, option=orjson.OPT_SORT_KEYS).decode(),
        stray="" if is_named or tag else _address(raw),
    )


def event_word(raw: Mapping[str, object]) -> str:
    """The word of an event: its kind, made more exact where what follows depends on it."""
    kind = _text(raw, "event").strip().lower()
    if kind == "bounce" and _text(raw, "type").lower() == "blocked":
        return "blocked"
    if kind == "dropped":
        return DROPPED.get(_text(raw, "reason").strip().lower(), kind)
    return kind


def _message_id(raw: Mapping[str, object]) -> str:
    """The id of the answer to the POST; ``smtp-id`` has it too, where the other is not given."""
    whole = _text(raw, "sg_message_id")
    if not whole:
        return _text(raw, "smtp-id").strip("<>").partition("@")[0]
    found = _WORKED_ON.search(whole)
    return whole[: found.start()] if found else whole.partition(".")[0]


def _address(raw: Mapping[str, object]) -> str:
    address = _text(raw, "email")
    return "" if address_fault(address) else address


def _text(raw: Mapping[str, object], name: str) -> str:
    value = raw.get(name)
    return value if isinstance(value, str) else ""


def occurred_at(event_json: str) -> datetime | None:
    """When an event happened that was kept; ``None`` where what was kept is none, or does not tell."""
    try:
        raw: object = orjson.loads(event_json)
    except orjson.JSONDecodeError:
        return None
    return _moment(cast("dict[str, object]", raw).get("timestamp")) if isinstance(raw, dict) else None


def _moment(raw: object) -> datetime | None:
    if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= _LATEST_SECOND:
        return None
    return datetime.fromtimestamp(raw, UTC)
