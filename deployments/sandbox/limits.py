"""Xero's rate limits: fixed windows a tenant and for the whole app, and calls in flight a tenant.

developer.xero.com/documentation/guides/oauth2/limits: 60 calls a minute, 5 at once and a daily cap for each
organisation, 10,000 a minute for the app. Windows do not roll and follow no clock's minute or midnight: each
organisation's begin at moments of its own, here those of its first call, and only ``Retry-After`` tells them.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deployments.sandbox.conditions import SandboxSettings

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass
class Window:
    """Calls counted since the window began; window follows window without a gap."""

    length: timedelta
    began: datetime | None = None
    used: int = 0

    def roll(self, now: datetime) -> None:
        """Go on to the window that ``now`` is in, where the old one is over."""
        if self.began is None:
            self.began = now
        elif over := (now - self.began) // self.length:
            self.began, self.used = self.began + over * self.length, 0

    def seconds_left(self, now: datetime) -> int:
        """Whole seconds until this window ends, at least one."""
        began = self.began or now
        return max(1, math.ceil((began + self.length - now).total_seconds()))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is refused: Xero's own word, and seconds to wait where Xero names them."""

    problem: str
    retry_after: int | None


@dataclass
class TenantUse:
    """One tenant's windows, and its calls that are being answered now."""

    minute: Window = field(default_factory=lambda: Window(MINUTE))
    day: Window = field(default_factory=lambda: Window(DAY))
    in_flight: int = 0


@dataclass
class Limits:
    """Counts calls and says when one is too many."""

    tenants: dict[str, TenantUse] = field(default_factory=dict[str, TenantUse])
    app: Window = field(default_factory=lambda: Window(MINUTE))

    def of(self, tenant_id: str) -> TenantUse:
        """The use of one tenant, made at its first call."""
        return self.tenants.setdefault(tenant_id, TenantUse())

    def take(self, tenant_id: str, settings: SandboxSettings, now: datetime) -> Refusal | None:
        """Count one call, or refuse it and count nothing."""
        use = self.of(tenant_id)
        for window in (use.minute, use.day, self.app):
            window.roll(now)
        if use.in_flight >= settings.concurrent_limit:
            # Xero sends no Retry-After with this one: there is no window to wait for.
            return Refusal("concurrent", None)
        for problem, window, cap in (
            ("day", use.day, settings.day_limit),
            ("minute", use.minute, settings.minute_limit),
        ):
            if window.used >= cap:
                return Refusal(problem, window.seconds_left(now))
        if self.app.used >= settings.app_minute_limit:
            # Xero promises Retry-After for an organisation's windows only: nobody may count on it here.
            return Refusal("appminute", None)
        self.spend(tenant_id, 1, now)
        return None

    def spend(self, tenant_id: str, calls: int, now: datetime) -> None:
        """Count calls, as if another part of the same app had made them."""
        use = self.of(tenant_id)
        for window in (use.minute, use.day, self.app):
            window.roll(now)
            window.used += calls

    def headers(self, tenant_id: str, settings: SandboxSettings) -> dict[str, str]:
        """What is left, as Xero tells it on every accounting answer."""
        use = self.of(tenant_id)
        return {
            "X-MinLimit-Remaining": str(max(0, settings.minute_limit - use.minute.used)),
            "X-DayLimit-Remaining": str(max(0, settings.day_limit - use.day.used)),
            "X-AppMinLimit-Remaining": str(max(0, settings.app_minute_limit - self.app.used)),
        }
