"""Xero's webhooks: written with Xero's irregular spacing, signed, posted one after another, and recorded."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from deployments.sandbox.books import Change
from deployments.sandbox.conditions import Conditions, UnderWay
from deployments.sandbox.control_types import Delivery, Event, Probe

ANSWER_SECONDS = 5.0  # developer.xero.com, configuring your server: a slower answer is a failed one
_PLURALS = {
    "INVOICE": "Invoices",
    "CONTACT": "Contacts",
    "CREDITNOTE": "CreditNotes",
    "PREPAYMENT": "Prepayments",
}


def signature_of(body: bytes, key: str) -> str:
    """Base64 of HMAC-SHA256 over the raw bytes; the key is text, though it may look like base64."""
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def one_character_off(signature: str) -> str:
    """The signature as the intent to receive spoils it: with one character altered."""
    return ("/" if signature[0] != "/" else "B") + signature[1:]


def event_of(change: Change) -> Event:
    """A change of the books as the event that Xero rings with: ids and a time, and nothing of the record."""
    date = change.at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return Event(change.tenant_id, change.category, change.type, change.resource_id, date)


def body_of(events: Sequence[Event], first: int, last: int) -> bytes:
    """A delivery's bytes, with fresh entropy. No JSON library writes these gaps, so neither may a reader."""
    entropy = "".join(secrets.choice(string.ascii_uppercase) for _ in range(20))
    inner = ",".join(_event_text(event) for event in events)
    sequence = f'"firstEventSequence": {first},"lastEventSequence": {last}'
    return f'{{"events":[{inner}],{sequence}, "entropy": "{entropy}"}}'.encode()


def _event_text(event: Event) -> str:
    plural = _PLURALS.get(event.category, event.category.title())
    fields = {
        "resourceUrl": f"https://api.xero.com/api.xro/2.0/{plural}/{event.resource_id}",
        "resourceId": event.resource_id,
        "tenantId": event.tenant_id,
        "tenantType": "ORGANISATION",
        "eventCategory": event.category,
        "eventType": event.type,
        "eventDateUtc": event.date,
    }
    return "{" + ",".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items()) + "}"


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something to post: its events and their sequence, or fixed bytes; ``spoilt`` signs it wrongly."""

    kind: str
    events: tuple[Event, ...] = ()
    first: int = 0
    last: int = 0
    fixed: bytes | None = None
    spoilt: bool = False


@dataclass
class Webhooks:
    """One queue, one poster. What failed its retries is held back and can be replayed in order."""

    conditions: Conditions
    client: httpx.AsyncClient
    deliveries: list[Delivery] = field(default_factory=list[Delivery])
    raised: list[Event] = field(default_factory=list[Event])
    held: list[Parcel] = field(default_factory=list[Parcel])
    sequence: int = 0
    _queue: asyncio.Queue[Parcel] = field(default_factory=lambda: asyncio.Queue[Parcel]())
    under_way: UnderWay = field(default_factory=UnderWay)
    _last: tuple[Parcel, bytes] | None = None

    def rang(self, changes: Sequence[Change]) -> None:
        """Note what happened in the books, and post it where deliveries are automatic."""
        events = [event_of(change) for change in changes]
        self.raised += events
        if events and self.conditions.settings.webhooks_automatic and self.conditions.settings.webhook_url:
            self.deliver(events)

    def deliver(self, events: Sequence[Event]) -> None:
        """Post these events together, with the next sequence numbers."""
        first, self.sequence = self.sequence + 1, self.sequence + len(events)
        self._enqueue(Parcel("events", tuple(events), first, self.sequence))

    def redeliver(self) -> bool:
        """Post the last delivery's events again, with fresh entropy; ``False`` where there was none."""
        if self._last is None:
            return False
        parcel = self._last[0]
        self._enqueue(Parcel("redelivery", parcel.events, parcel.first, parcel.last))
        return True

    def repeat(self) -> bool:
        """Post the very same bytes of the last delivery again; ``False`` where there was none."""
        if self._last is None:
            return False
        parcel, body = self._last
        self._enqueue(Parcel("repeat", parcel.events, parcel.first, parcel.last, fixed=body))
        return True

    def replay(self) -> int:
        """Post what was held back, in order; returns how many deliveries that is."""
        parcels, self.held = self.held, []
        for parcel in parcels:
            self._enqueue(Parcel("replay", parcel.events, parcel.first, parcel.last))
        return len(parcels)

    async def probe(self) -> Probe:
        """Ask for the intent to receive: three spoilt signatures and a good one."""
        done: list[Delivery] = []
        for spoilt in (True, False, True, True):
            parcel = Parcel("probe", spoilt=spoilt)
            done.append(await self._post(parcel, body_of((), 0, 0)))
            problem = _problem(done[-1], 401 if spoilt else 200)
            if problem:
                return Probe(passed=False, problem=problem, deliveries=tuple(done))
        return Probe(passed=True, problem="", deliveries=tuple(done))

    async def run(self) -> None:
        """Post whatever is queued, for ever. The caller cancels it."""
        while True:
            parcel = await self._queue.get()
            try:
                await self._post_with_retries(parcel)
            finally:
                self.under_way.leave()

    def _enqueue(self, parcel: Parcel) -> None:
        self.under_way.enter()
        self._queue.put_nowait(parcel)

    async def _post_with_retries(self, parcel: Parcel) -> None:
        for _ in range(1 + self.conditions.settings.webhook_retries):
            body = parcel.fixed or body_of(parcel.events, parcel.first, parcel.last)
            self._last = (parcel, body)
            delivery = await self._post(parcel, body)
            if delivery.status is not None and 200 <= delivery.status < 300:
                return
        self.held.append(parcel)

    async def _post(self, parcel: Parcel, body: bytes) -> Delivery:
        settings = self.conditions.settings
        signature = signature_of(body, settings.webhook_key)
        if parcel.spoilt:
            signature = one_character_off(signature)
        headers = {"Content-Type": "application/json; charset=utf-8", "x-xero-signature": signature}
        began, answer, error = time.monotonic(), None, ""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self.client.post(settings.webhook_url or "", content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as failure:
            error = type(failure).__name__
        delivery = Delivery(
            number=len(self.deliveries) + 1,
            kind=parcel.kind,
            body=body.decode(),
            signature=signature,
            events=len(parcel.events),
            status=answer.status_code if answer is not None else None,
            error=error,
            body_length=len(answer.content) if answer is not None else 0,
            cookies=len(answer.headers.get_list("set-cookie")) if answer is not None else 0,
            ms=(time.monotonic() - began) * 1000,
        )
        self.deliveries.append(delivery)
        return delivery


def _problem(delivery: Delivery, wanted: int) -> str:
    if delivery.status != wanted:
        return "Response to incorrectly signed payload not 401" if wanted == 401 else "Response not 200"
    if delivery.body_length or delivery.cookies:
        return "Response must have no body and no cookies"
    return ""
