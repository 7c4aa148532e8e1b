"""A webhook's bytes: Xero's irregular spacing, its entropy and its signature."""

import base64
import hashlib
import hmac
import json
import secrets
import string
from collections.abc import Sequence

from deployments.sandbox.books import Change
from deployments.sandbox.control_types import Event

_PLURALS = {
    "INVOICE": "Invoices",
    "CONTACT": "Contacts",
    "CREDITNOTE": "CreditNotes",
    "PREPAYMENT": "Prepayments",
    "OVERPAYMENT": "Overpayments",
}


def signature_of(body: bytes, key: str) -> str:
    """Base64 of HMAC-SHA256 over the raw bytes; the key is text, though it may look like base64."""
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def one_character_off(signature: str) -> str:
    """The signature as the intent to receive spoils it: with one character altered."""
    return ("/" if signature[0] != "/" else "B") + signature[1:]


def event_of(change: Change) -> Event:
    """A change of the books as the event that Xero rings with: ids, a time, and little of the record."""
    date = change.at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return Event(change.tenant_id, change.category, change.type, change.resource_id, date, dict(change.data))


def body_of(events: Sequence[Event], first: int, last: int) -> bytes:
    """A delivery's bytes, with fresh entropy. No JSON library writes these gaps, so neither may a reader."""
    entropy = "".join(secrets.choice(string.ascii_uppercase) for _ in range(20))
    inner = ",".join(_event_text(event) for event in events)
    sequence = f'"firstEventSequence": {first},"lastEventSequence": {last}'
    return f'{{"events":[{inner}],{sequence}, "entropy": "{entropy}"}}'.encode()


def _event_text(event: Event) -> str:
    plural = _PLURALS.get(event.category, event.category.title())
    fields: dict[str, object] = {
        "resourceUrl": f"https://api.xero.com/api.xro/2.0/{plural}/{event.resource_id}",
        "resourceId": event.resource_id,
        "tenantId": event.tenant_id,
        "tenantType": "ORGANISATION",
        "eventCategory": event.category,
        "eventType": event.type,
        "eventDateUtc": event.date,
    }
    if event.data:
        fields["data"] = event.data
    return "{" + ",".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items()) + "}"
