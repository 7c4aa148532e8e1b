"""When a tenant is polled, and when its open invoices are read anew."""

import hashlib
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from duebell.books.calls import CLOCKS_APART
from duebell.ledger.tables import Tenant
from duebell.policy_file.policy import PollingPolicy
from duebell.states import TenantState

EARLY = timedelta(minutes=1)
"""A schedule's run that begins a little early must not put the tenant off to the next one."""

MORNING, MORNING_MINUTES = time(3), 120
"""The hours on the tenant's clock, of which each tenant has its own minute: before anybody works, and before
what is overdue is told."""


def why_not(tenant: Tenant, policy: PollingPolicy, now: datetime, *, by_hand: bool) -> str:
    """Why a tenant is not polled now; empty where it is. A person's wish goes before the policy."""
    if tenant.state != TenantState.CONNECTED:
        return "it is not connected"
    if tenant.synced_at is None:
        return "its first sync is not done"
    if tenant.parked_until is not None and tenant.parked_until > now:
        return "its calls of the day are used up"
    if by_hand:
        return ""
    if not policy.enabled or tenant.tenant_id in policy.not_for:
        return "the policy does not want it"
    every = timedelta(minutes=policy.every_minutes)
    # One further ahead was written by a clock that was wrong, and is right since.
    if tenant.polled_at is not None and -CLOCKS_APART <= now - tenant.polled_at < every - EARLY:
        return "it is not due yet"
    return ""


def open_reading_is_due(tenant: Tenant, now: datetime) -> bool:
    """Whether the tenant's open invoices were not read anew since its latest early morning.

    A machine that slept through the morning makes up for it. The first sync counts as a reading.
    """
    last = tenant.open_read_at or tenant.synced_at
    return last is None or last < _latest_morning(tenant, now)


def _latest_morning(tenant: Tenant, now: datetime) -> datetime:
    zone = _zone(tenant.timezone)
    today = now.astimezone(zone).date()
    moment = datetime.combine(today, MORNING, zone) + _own_minute(tenant.tenant_id)
    if moment.astimezone(UTC) > now:
        moment = datetime.combine(today - timedelta(days=1), MORNING, zone) + _own_minute(tenant.tenant_id)
    return moment.astimezone(UTC)


def _own_minute(tenant_id: str) -> timedelta:
    """So that many tenants do not ask in the same minute."""
    digest = hashlib.sha256(tenant_id.encode()).digest()
    return timedelta(minutes=int.from_bytes(digest[:4], "big") % MORNING_MINUTES)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
