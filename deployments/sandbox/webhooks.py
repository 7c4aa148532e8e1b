"""Xero's webhooks: posted one after another, retried, held back while the receiver fails, and recorded."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from deployments.sandbox.books import Change
from deployments.sandbox.conditions import Conditions, UnderWay
from deployments.sandbox.control_types import (
    Disorder,
    Event,
    Probe,
    Subscription,
    SubscriptionState,
)
from deployments.sandbox.webhook_bytes import event_of
from deployments.sandbox.webhook_disorder import Bundle, Numbered, arranged
from deployments.sandbox.webhook_post import Parcel, Poster

KEPT = timedelta(days=31)  # how long Xero keeps what it could not deliver


@dataclass
class Webhooks:
    """One queue, one poster, and the subscription that Xero's portal shows.

    What failed its retries is held back and can be replayed in order.
    """

    conditions: Conditions
    poster: Poster
    raised: list[Event] = field(default_factory=list[Event])
    withheld: list[Numbered] = field(default_factory=list[Numbered])
    held: list[Parcel] = field(default_factory=list[Parcel])
    sequence: int = 0
    state: SubscriptionState = "OK"
    failing_since: datetime | None = None
    under_way: UnderWay = field(default_factory=UnderWay)
    _queue: asyncio.Queue[Parcel] = field(default_factory=lambda: asyncio.Queue[Parcel]())
    _gathered: list[Numbered] = field(default_factory=list[Numbered])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _replaying: asyncio.Lock = field(default_factory=asyncio.Lock)
    _disorder: Disorder = field(default_factory=Disorder)
    _chance: Random = field(default_factory=lambda: Random(0))

    def rang(self, changes: Sequence[Change]) -> None:
        """Note what happened in the books, and post it where deliveries are automatic."""
        settings, events = self.conditions.settings, [event_of(change) for change in changes]
        self.raised += events
        if not (settings.webhooks_automatic and settings.webhook_url):
            self.withheld += self._numbered(events)
        elif events and not settings.webhook_gather_seconds:
            self._let_go(self._numbered(events), settings.webhook_disorder)
        elif events:
            self._gather(self._numbered(events))

    def deliver(self, events: Sequence[Event]) -> None:
        """Post these events together, with the next sequence numbers."""
        numbered = self._numbered(events)
        self._enqueue(self._parcel(Bundle(tuple(events), numbered[0].number, self.sequence)))

    def let_out(self, disorder: Disorder) -> int:
        """Post what was withheld, in this disorder; returns how many deliveries that is."""
        events, self.withheld = self.withheld, []
        return self._let_go(events, disorder)

    def redeliver(self) -> bool:
        """Post the last delivery's events again, with fresh entropy; ``False`` where there was none."""
        if self.poster.last is None:
            return False
        self._enqueue(self.poster.last[0].again("redelivery"))
        return True

    def repeat(self) -> bool:
        """Post the very same bytes of the last delivery again; ``False`` where there was none."""
        if self.poster.last is None:
            return False
        parcel, body = self.poster.last
        self._enqueue(parcel.again("repeat", fixed=body))
        return True

    def replay(self) -> int:
        """Post what was held back, in order; returns how many deliveries that is."""
        parcels, self.held = self.held, []
        self.state, self.failing_since = "OK", None
        for parcel in parcels:
            self._enqueue(parcel.again("replay"))
        return len(parcels)

    def subscription(self) -> Subscription:
        """What Xero's portal shows."""
        return Subscription(self.state, len(self.held), self.failing_since)

    async def enable(self) -> Probe:
        """Enable the subscription again, as a person does in the portal: by an intent to receive."""
        probe = await self.poster.probe()
        if probe.passed and self.state != "OK":
            self._begin_failing()
            await self._replay_held()
        return probe

    async def run(self) -> None:
        """Post whatever is queued, for ever. The caller cancels it, and calls ``stop``."""
        while True:
            parcel = await self._queue.get()
            try:
                await self._post_or_hold(parcel)
            finally:
                self.under_way.leave()

    def stop(self) -> None:
        """End what waits for a time."""
        for task in self._tasks:
            task.cancel()

    def _numbered(self, events: Sequence[Event]) -> list[Numbered]:
        first, self.sequence = self.sequence + 1, self.sequence + len(events)
        return [Numbered(number, event) for number, event in enumerate(events, start=first)]

    def _let_go(self, events: Sequence[Numbered], disorder: Disorder) -> int:
        if disorder != self._disorder:
            self._disorder, self._chance = disorder, Random(disorder.seed)
        bundles = arranged(events, disorder, self._chance)
        for bundle in bundles:
            parcel, longest = self._parcel(bundle), self.conditions.settings.webhook_delay_seconds
            self._enqueue(parcel, self._chance.uniform(0, longest) if longest else 0.0)
        return len(bundles)

    def _parcel(self, bundle: Bundle) -> Parcel:
        kind = "redelivery" if bundle.again else "events"
        return Parcel(kind, self.conditions.now(), bundle.events, bundle.first, bundle.last)

    def _gather(self, events: Sequence[Numbered]) -> None:
        first = not self._gathered
        self._gathered += events
        if first:
            self.under_way.enter()
            self._start(self._let_go_of_gathered())

    async def _let_go_of_gathered(self) -> None:
        settings = self.conditions.settings
        try:
            await self._wait(settings.webhook_gather_seconds)
            events, self._gathered = self._gathered, []
            self._let_go(events, settings.webhook_disorder)
        finally:
            self.under_way.leave()

    def _enqueue(self, parcel: Parcel, seconds: float = 0.0) -> None:
        self.under_way.enter()
        if seconds:
            self._start(self._enqueue_later(parcel, seconds))
        else:
            self._queue.put_nowait(parcel)

    async def _enqueue_later(self, parcel: Parcel, seconds: float) -> None:
        await self._wait(seconds)
        self._queue.put_nowait(parcel)

    async def _wait(self, seconds: float) -> None:
        await self.conditions.until(self.conditions.now() + timedelta(seconds=seconds))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post_or_hold(self, parcel: Parcel) -> None:
        if self.state == "OK" and await self.poster.got_through(parcel):
            return
        self.held.append(parcel)
        if self.state == "OK" and self.conditions.settings.webhook_retry_seconds is not None:
            self._begin_failing()

    def _begin_failing(self) -> None:
        self.state, self.failing_since = "RETRY", self.conditions.now()
        self._start(self._retry(self.failing_since))

    async def _retry(self, since: datetime) -> None:
        settings = self.conditions.settings
        while self.failing_since == since and self.state == "RETRY":
            await self._wait(settings.webhook_retry_seconds or settings.webhook_give_up_seconds)
            if self.failing_since != since or await self._replay_held():
                return
            if self.conditions.now() - since >= timedelta(seconds=settings.webhook_give_up_seconds):
                self.state = "DISABLED"

    async def _replay_held(self) -> bool:
        """Post what was held back, oldest first, until one fails; whether all of it went through."""
        self.under_way.enter()
        try:
            async with self._replaying:
                while self.held:
                    parcel = self.held[0]
                    young = self.conditions.now() - parcel.since <= KEPT
                    if young and not await self.poster.got_through(parcel.again("replay")):
                        return False
                    self.held = [one for one in self.held if one is not parcel]
                self.state, self.failing_since = "OK", None
                return True
        finally:
            self.under_way.leave()
