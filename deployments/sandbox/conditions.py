"""What can be turned while the sandbox runs: its settings and its clock."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from deployments.sandbox.control_types import Disorder
from deployments.sandbox.credentials import XERO_WEBHOOK_KEY


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Every knob. Limits are calls; ``*_seconds`` are seconds; a URL of ``None`` sends nothing.

    ``webhook_gather_seconds``: how long events wait for others to go out with. ``webhook_delay_seconds``: the
    longest that a delivery is on its way, so that one may overtake another. ``webhook_retries``: how often a
    failed delivery is tried again at once. Where ``webhook_retry_seconds`` is set (Xero: 900), a failed one
    holds all later ones back until a retry succeeds, and the subscription is disabled after
    ``webhook_give_up_seconds`` of failing; where it is not, each delivery is tried on its own.
    ``queue_seconds``: how long, by the sandbox's clock, a message stands in Twilio's queue before it is sent.
    ``schedule_lead_seconds``: a scheduled message has to come so long before its time;
    ``cancel_until_seconds``: so long before it no cancellation is taken any more; ``ignores_schedules``: it
    is sent at once all the same. ``consents_status``: what Twilio's Consent API answers, where another than
    201; ``consent_errors``: the word with which it refuses the consents of these numbers.
    ``invoices_ring_contacts``: each event of an invoice comes with one of its
    contact.
    """

    token_seconds: int = 1800
    refresh_grace_seconds: float = 1800.0
    opaque_tokens: bool = False
    redirect_uris: tuple[str, ...] = ("http://localhost:8787/xero/callback",)
    minute_limit: int = 60
    day_limit: int = 5000
    app_minute_limit: int = 10_000
    concurrent_limit: int = 5
    webhook_url: str | None = None
    webhook_key: str = XERO_WEBHOOK_KEY
    webhooks_automatic: bool = True
    webhook_retries: int = 1
    webhook_retry_seconds: float | None = None
    webhook_give_up_seconds: float = 86_400.0
    webhook_gather_seconds: float = 0.0
    webhook_delay_seconds: float = 0.0
    webhook_disorder: Disorder = field(default_factory=Disorder)
    invoices_ring_contacts: bool = False
    events_url: str | None = None
    callback_step_seconds: float = 0.3
    queue_seconds: float = 0.0
    schedule_lead_seconds: float = 300.0
    cancel_until_seconds: float = 0.0
    ignores_schedules: bool = False
    list_lag_seconds: float = 0.0
    loopback_callbacks: bool = True
    consents_status: int = 201
    consent_errors: dict[str, str] = field(default_factory=dict[str, str])
    extra_callback_fields: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class Conditions:
    """The present settings, and a clock that runs with the machine's and can be pushed forward."""

    settings: SandboxSettings
    shift: timedelta = timedelta()
    _pushed: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> datetime:
        """The sandbox's present, aware UTC."""
        return datetime.now(UTC) + self.shift

    def push(self, by: timedelta) -> None:
        """Push the clock, and wake whoever waits for a time."""
        self.shift += by
        self._pushed.set()
        self._pushed = asyncio.Event()

    async def until(self, moment: datetime) -> None:
        """Wait until the sandbox's clock reaches ``moment``."""
        while (left := (moment - self.now()).total_seconds()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._pushed.wait()


@dataclass
class UnderWay:
    """Counts what has begun and not ended, and lets one wait until nothing is left."""

    count: int = 0
    _nothing: asyncio.Event = field(default_factory=asyncio.Event)

    def enter(self) -> None:
        """Something begins."""
        self.count += 1
        self._nothing.clear()

    def leave(self) -> None:
        """Something ended."""
        self.count -= 1
        if not self.count:
            self._nothing.set()

    async def nothing(self) -> None:
        """Wait until nothing is under way."""
        if self.count:
            await self._nothing.wait()
