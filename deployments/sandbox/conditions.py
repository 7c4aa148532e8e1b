"""What can be turned while the sandbox runs: its settings and its clock."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from deployments.sandbox.credentials import XERO_WEBHOOK_KEY


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Every knob. Limits are calls; ``*_seconds`` are seconds; a webhook URL of ``None`` sends nothing."""

    token_seconds: int = 1800
    minute_limit: int = 60
    day_limit: int = 5000
    app_minute_limit: int = 10_000
    concurrent_limit: int = 5
    webhook_url: str | None = None
    webhook_key: str = XERO_WEBHOOK_KEY
    webhooks_automatic: bool = True
    webhook_retries: int = 1
    callback_step_seconds: float = 0.3
    list_lag_seconds: float = 0.0
    loopback_callbacks: bool = True
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
