"""One POST of a webhook: made, retried at once, and recorded; and the intent to receive."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from deployments.sandbox.conditions import Conditions
from deployments.sandbox.control_types import Delivery, Event, Probe
from deployments.sandbox.webhook_bytes import body_of, one_character_off, signature_of

ANSWER_SECONDS = 5.0  # developer.xero.com, configuring your server: a slower answer is a failed one


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something to post: its events and their sequence, or fixed bytes; ``spoilt`` signs it wrongly."""

    kind: str
    since: datetime
    events: tuple[Event, ...] = ()
    first: int = 0
    last: int = 0
    fixed: bytes | None = None
    spoilt: bool = False

    def again(self, kind: str, fixed: bytes | None = None) -> "Parcel":
        """The same events once more."""
        return Parcel(kind, self.since, self.events, self.first, self.last, fixed)


@dataclass
class Poster:
    """Posts parcels to the present URL; ``last`` is what went out last, as sent."""

    conditions: Conditions
    client: httpx.AsyncClient
    deliveries: list[Delivery] = field(default_factory=list[Delivery])
    last: tuple[Parcel, bytes] | None = None

    async def got_through(self, parcel: Parcel) -> bool:
        """Post a parcel, and again at once where it fails; whether the receiver took it."""
        for _ in range(1 + self.conditions.settings.webhook_retries):
            body = parcel.fixed or body_of(parcel.events, parcel.first, parcel.last)
            self.last = (parcel, body)
            delivery = await self._post(parcel, body)
            if delivery.status is not None and 200 <= delivery.status < 300:
                return True
        return False

    async def probe(self) -> Probe:
        """Ask for the intent to receive: three spoilt signatures and a good one."""
        done: list[Delivery] = []
        for spoilt in (True, False, True, True):
            parcel = Parcel("probe", self.conditions.now(), spoilt=spoilt)
            done.append(await self._post(parcel, body_of((), 0, 0)))
            problem = _problem(done[-1], 401 if spoilt else 200)
            if problem:
                return Probe(passed=False, problem=problem, deliveries=tuple(done))
        return Probe(passed=True, problem="", deliveries=tuple(done))

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
