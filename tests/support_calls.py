"""A Xero that counts: fixed windows on a clock moved by hand, and tenants that call it."""

import json
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import Engine

from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.limits import Limits
from duebell import tokens
from duebell.books.access import XeroAccess
from duebell.books.calls import Purpose
from duebell.resources import Resources
from duebell.xero.identity import TokenAnswer
from tests.support_facts import (
    NOW,
    OTHER_TENANT,
    TENANT,
    Hand,
    connections,
    open_tenant,
    resources_over,
)

ORGANISATION = {
    "Name": "Kauri Test Limited",
    "LegalName": "Kauri Test Limited",
    "ShortCode": "!kauri",
    "BaseCurrency": "NZD",
    "CountryCode": "NZ",
    "Timezone": "NEWZEALANDSTANDARDTIME",
}
Refuse = Callable[[str], httpx.Response | None]


@dataclass
class Xero:
    """Answers every call of any tenant as its limits allow. ``refuse`` may answer in its place, by path."""

    clock: Hand
    settings: SandboxSettings = field(default_factory=SandboxSettings)
    limits: Limits = field(default_factory=Limits)
    refuse: Refuse = lambda _path: None
    asked: list[tuple[str, str, datetime]] = field(default_factory=list[tuple[str, str, datetime]])
    refused: int = 0
    connected: set[str] = field(default_factory=lambda: {TENANT, OTHER_TENANT})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """What the transport is given."""
        if request.url.path == "/connections":
            return self.refuse("/connections") or connections(self.connected)
        tenant_id, path = request.headers["xero-tenant-id"], request.url.path
        self.asked.append((tenant_id, path, self.clock.now))
        answer = self.refuse(path) or self._limited(tenant_id) or httpx.Response(200, json=_body(path))
        answer.headers.update(self.limits.headers(tenant_id, self.settings))
        self.refused += answer.status_code == 429
        return answer

    def _limited(self, tenant_id: str) -> httpx.Response | None:
        refusal = self.limits.take(tenant_id, self.settings, self.clock.now)
        return None if refusal is None else too_many(refusal.problem, refusal.retry_after)

    def calls_of(self, tenant_id: str = TENANT) -> list[datetime]:
        """When a tenant called."""
        return [at for asker, _, at in self.asked if asker == tenant_id]

    def paths(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(path for _, path, _ in self.asked)


def too_many(problem: str, retry_after: object = None) -> httpx.Response:
    """A 429 as Xero writes it."""
    told = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return httpx.Response(429, headers={"X-Rate-Limit-Problem": problem, **told})


def _body(path: str) -> dict[str, Any]:
    if path.endswith("/Organisation"):
        return {"Organisations": [ORGANISATION]}
    if path.endswith("/Settings"):
        return {"InvoiceReminders": [{"Enabled": True}]}
    return {path.rsplit("/", 1)[-1]: []}


@dataclass(frozen=True)
class Burst:
    """So many invoices that are approved at once, as the texts that the sandbox serves."""

    invoices: str
    contacts: str
    ids: tuple[str, ...]
    contact_ids: tuple[str, ...]


def burst(count: int, contacts: int, at: datetime) -> Burst:
    """``count`` invoices of ``contacts`` customers, last updated at ``at``; the same ids each time."""
    moment = f"/Date({int(at.timestamp() * 1000)}+0000)/"
    owners = [str(uuid.UUID(int=0xC0 << 120 | number)) for number in range(contacts)]
    ids = [str(uuid.UUID(int=0xB0 << 120 | number)) for number in range(count)]
    today, due = at.date(), at.date() + timedelta(days=20)
    invoices: list[dict[str, Any]] = [
        {
            "Type": "ACCREC", "InvoiceID": one, "InvoiceNumber": f"BURST-{number:04}", "Status": "AUTHORISED",
            "Contact": {"ContactID": owners[number % contacts], "Name": "Burst Customer"},
            "DateString": f"{today}T00:00:00", "DueDateString": f"{due}T00:00:00", "CurrencyCode": "NZD",
            "Total": 115.0, "AmountDue": 115.0, "AmountPaid": 0.0, "AmountCredited": 0.0, "Payments": [],
            "UpdatedDateUTC": moment,
        }
        for number, one in enumerate(ids)
    ]  # fmt: skip
    people = [
        {
            "ContactID": one, "Name": f"Burst Customer {number}", "ContactStatus": "ACTIVE",
            "Phones": [{"PhoneType": "MOBILE", "PhoneCountryCode": "61", "PhoneAreaCode": "491",
                        "PhoneNumber": f"570 {number % 1000:03}"}],
            "UpdatedDateUTC": moment,
        }
        for number, one in enumerate(owners)
    ]  # fmt: skip
    return Burst(json.dumps(invoices), json.dumps(people), tuple(ids), tuple(owners))


class Desk:
    """A ledger with tenants that share a token set, and the ways into them."""

    def __init__(self, engine: Engine, *tenant_ids: str, **settings: Any) -> None:
        self.clock = Hand()
        self.xero = Xero(self.clock, SandboxSettings(**settings))
        self.resources: Resources = resources_over(engine, self.clock, xero=self.xero)
        self.engine = engine
        self.slept: list[float] = []
        for tenant_id in tenant_ids or (TENANT,):
            open_tenant(engine, tenant_id)
        forever = TokenAnswer(SecretStr("a.test.token"), None, 40 * 86_400, ())
        tokens.store(engine, self.resources.vault, "tokens", "client_credentials", forever, now=NOW)

    def sleep(self, seconds: float) -> None:
        """Waiting moves the clock, and takes no time."""
        self.slept.append(seconds)
        self.clock.now += timedelta(seconds=seconds)

    def access(self, tenant_id: str = TENANT, purpose: Purpose = Purpose.EVENTS) -> XeroAccess:
        """A way into a tenant, without any pace: only what the ledger says holds it back."""
        return XeroAccess(self.resources, tenant_id, nullcontext, "a run", purpose, sleep=self.sleep)

    def call(self, tenant_id: str = TENANT, purpose: Purpose = Purpose.EVENTS) -> None:
        """One call."""
        access = self.access(tenant_id, purpose)
        access.ask(lambda: access.client.invoice_page(1))
