"""What a webhook of Xero says once its signature was checked: ids only, so the state must be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import orjson

from duebell.errors import Permanent
from duebell.xero.dates import instant
from duebell.xero.reader import BadField, uuid_of

ORGANISATION = "ORGANISATION"


class UnreadableDelivery(Permanent):
    """A body with a valid signature that is no delivery; sending it again would not help."""


@dataclass(frozen=True, slots=True)
class XeroEvent:
    """One event. ``category`` and ``type`` are Xero's words in capitals, unknown ones kept.

    ``tenant_type`` is ``ORGANISATION``, or ``APPLICATION`` for ``SUBSCRIPTION`` events, whose ``tenant_id``
    is the app's id. The five fields before it stay the same when Xero delivers the event again.
    """

    tenant_id: str
    category: str
    type: str
    resource_id: str
    event_time: datetime
    tenant_type: str = ORGANISATION


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """An event that cannot be used; ``position`` is its place in the delivery, from 0."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST of Xero. No events and sequences of 0: the intent to receive.

    The sequences are Xero's own count; a gap is a hint that something was missed, never a proof.
    """

    events: tuple[XeroEvent, ...]
    rejects: tuple[RejectedEvent, ...]
    first_sequence: int | None
    last_sequence: int | None


def read_delivery(raw: bytes) -> Delivery:
    """The events of a signed body. Raises ``UnreadableDelivery`` where it is no delivery at all."""
    body = _object(raw)
    listed = body.get("events")
    if not isinstance(listed, list):
        raise UnreadableDelivery("the signed body has no list of events")
    events: list[XeroEvent] = []
    rejects: list[RejectedEvent] = []
    for position, item in enumerate(cast("list[object]", listed)):
        try:
            events.append(_event(item))
        except BadField as problem:
            rejects.append(RejectedEvent(position, str(problem)))
    first, last = _sequence(body.get("firstEventSequence")), _sequence(body.get("lastEventSequence"))
    return Delivery(tuple(events), tuple(rejects), first, last)


def _object(raw: bytes) -> Mapping[str, object]:
    try:
        body: object = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    # Raised here, outside the handler: orjson's error carries the whole body as an attribute.
    if not isinstance(body, dict):
        raise UnreadableDelivery("the signed body is no JSON object")
    return cast("dict[str, object]", body)


def _event(item: object) -> XeroEvent:
    if not isinstance(item, dict):
        raise BadField("the event", "an object")
    raw = cast("dict[str, object]", item)
    # resourceUrl is not looked at: whoever could forge it would choose where we call.
    return XeroEvent(
        tenant_id=_uuid(raw, "tenantId"),
        category=_word(raw, "eventCategory"),
        type=_word(raw, "eventType"),
        resource_id=_uuid(raw, "resourceId"),
        event_time=instant("eventDateUtc", raw.get("eventDateUtc")),
        tenant_type=ORGANISATION if raw.get("tenantType") is None else _word(raw, "tenantType"),
    )


def _uuid(raw: Mapping[str, object], key: str) -> str:
    found = uuid_of(raw.get(key))
    if found is None:
        raise BadField(key, "a UUID")
    return found


def _word(raw: Mapping[str, object], key: str) -> str:
    """Xero's documentation prints ``Update`` where the wire has ``UPDATE``."""
    value = raw.get(key)
    if (
        not isinstance(value, str)
        or not value.isascii()
        or not value.isprintable()
        or not 0 < len(value) <= 64
    ):
        raise BadField(key, "a word")
    return value.upper()


def _sequence(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
