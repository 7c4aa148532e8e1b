"""A Xero whose lists are filtered, ordered and paged as the real ones, on a clock of its own."""

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell import tokens
from duebell.books.access import XeroAccess, unpaced
from duebell.books.calls import Purpose
from duebell.books.polling import Polled, poll
from duebell.ledger.engine import reading
from duebell.ledger.tables import Tenant, XeroEvent
from duebell.xero.asking import Pace
from duebell.xero.identity import TokenAnswer
from duebell.xero.queries import SALES_ONLY
from tests.support_facts import (
    CONTACT,
    INVOICE,
    NOW,
    OTHER_TENANT,
    TENANT,
    Hand,
    connections,
    invoice_body,
    open_tenant,
    resources_over,
)

IDS = {
    "Invoices": "InvoiceID",
    "Contacts": "ContactID",
    "Payments": "PaymentID",
    "CreditNotes": "CreditNoteID",
    "Prepayments": "PrepaymentID",
    "Overpayments": "OverpaymentID",
}
WATCHED_FROM = NOW - timedelta(hours=1)
Answering = Callable[[httpx.Request], httpx.Response | None]


def ms_date(moment: datetime) -> str:
    """A moment as Xero writes it."""
    return f"/Date({int(moment.timestamp() * 1000)}+0000)/"


def moment_of(row: dict[str, Any]) -> datetime:
    """When a record was last changed."""
    milliseconds = int(row["UpdatedDateUTC"].removeprefix("/Date(").removesuffix("+0000)/"))
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


@dataclass
class Lists:
    """``instead`` may answer in its place; ``ahead`` is how far Xero's clock is before ours.

    A page is never larger than ``largest``, whatever was asked for.
    """

    clock: Hand
    ahead: timedelta = timedelta()
    largest: int = 1_000
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {plural: {} for plural in IDS})
    instead: Answering = lambda _request: None
    asked: list[httpx.Request] = field(default_factory=list[httpx.Request])
    connected: set[str] = field(default_factory=lambda: {TENANT, OTHER_TENANT})

    def put(self, plural: str, **fields: Any) -> dict[str, Any]:
        """Make a record, or change it now; ``updated`` for another time, ``None`` to leave its time."""
        key = fields[IDS[plural]]
        updated = fields.pop("updated", self.clock.now + self.ahead)
        row = self.rows[plural].get(key, {}) | fields
        self.rows[plural][key] = row | ({"UpdatedDateUTC": ms_date(updated)} if updated else {})
        return self.rows[plural][key]

    def invoice(self, invoice_id: str = INVOICE, **fields: Any) -> None:
        """An approved invoice, or a change of it."""
        known = invoice_id in self.rows["Invoices"]
        usual: dict[str, Any] = {} if known else json.loads(invoice_body(invoice_id))
        self.put("Invoices", **(usual | {"InvoiceID": invoice_id} | fields))

    def contact(self, contact_id: str = CONTACT, **fields: Any) -> None:
        """A customer, or a change of one."""
        usual = {"ContactID": contact_id, "Name": "Rimu Test Limited", "ContactStatus": "ACTIVE"}
        self.put("Contacts", **(usual | fields))

    def payment(self, payment_id: str, invoice_id: str = INVOICE, **fields: Any) -> None:
        """A payment for a sales invoice, or a change of one."""
        usual: dict[str, Any] = {"PaymentType": "ACCRECPAYMENT", "Status": "AUTHORISED", "Amount": 15}
        paid = {"PaymentID": payment_id, "Invoice": {"InvoiceID": invoice_id}}
        self.put("Payments", **(usual | paid | fields))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """What the transport is given."""
        if request.url.path == "/connections":
            return connections(self.connected)
        self.asked.append(request)
        return self.instead(request) or self.answer(request)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What Xero itself would say."""
        plural, _, single = request.url.path.removeprefix("/api.xro/2.0/").partition("/")
        rows = list(self.rows[plural].values())
        if single:
            rows = [row for row in rows if row[IDS[plural]] == single]
            return self._told({plural: rows}) if rows else httpx.Response(404, html="<p>not found</p>")
        rows = self._chosen(request, plural, rows)
        rows = sorted(rows, key=lambda row: str(row[IDS[plural]]))
        if request.url.params.get("order") == "UpdatedDateUTC":
            rows = sorted(rows, key=moment_of)
        page, size = int(request.url.params["page"]), int(request.url.params.get("pageSize", "100"))
        size = min(size, self.largest)
        pages = {"page": page, "pageCount": -(-len(rows) // size), "itemCount": len(rows)}
        return self._told({plural: rows[(page - 1) * size : page * size], "pagination": pages})

    def _chosen(
        self, request: httpx.Request, plural: str, rows: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        if since := request.headers.get("if-modified-since"):
            first = datetime.fromisoformat(since).replace(tzinfo=UTC)
            rows = [row for row in rows if moment_of(row) >= first]
        if ids := request.url.params.get("IDs"):
            rows = [row for row in rows if row[IDS[plural]] in ids.split(",")]
        if statuses := request.url.params.get("Statuses"):
            rows = [row for row in rows if row["Status"] in statuses.split(",")]
        if SALES_ONLY.encode() in request.url.query:
            rows = [row for row in rows if row["Type"] == "ACCREC"]
        for name, word in re.findall(r'(Status|Type)=="([^"]+)"', request.url.params.get("where", "")):
            rows = [row for row in rows if row[name] == word]
        return rows

    def _told(self, body: dict[str, Any]) -> httpx.Response:
        now = self.clock.now + self.ahead
        date = format_datetime(now, usegmt=True)
        return httpx.Response(200, json={"DateTimeUTC": ms_date(now), **body}, headers={"Date": date})

    def calls(self, plural: str, since: int = 0) -> list[httpx.Request]:
        """What was asked of a list, from the ``since``-th request on."""
        return [one for one in self.asked[since:] if one.url.path == f"/api.xro/2.0/{plural}"]


def no_pace(_tenant_id: str) -> Pace:
    """The pace of a tenant for runs: none."""
    return unpaced


SCOPES = ("accounting.invoices.read", "accounting.contacts.read", "accounting.payments.read")


class Polling:
    """A ledger with a tenant, and the Xero that is polled for it."""

    def __init__(self, engine: Engine, scopes: tuple[str, ...] = SCOPES, **columns: Any) -> None:
        self.engine = engine
        self.clock = Hand()
        self.xero = Lists(self.clock)
        self.resources = resources_over(engine, self.clock, xero=self.xero)
        open_tenant(engine, TENANT, watched_from=WATCHED_FROM, open_read_at=NOW, **columns)
        forever = TokenAnswer(SecretStr("a.test.token"), None, 40 * 86_400, scopes)
        tokens.store(engine, self.resources.vault, "tokens", "client_credentials", forever, now=NOW)

    def access(self, tenant_id: str, purpose: Purpose) -> XeroAccess:
        """A way into a tenant, without any pace."""
        return XeroAccess(self.resources, tenant_id, nullcontext, "a run", purpose, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)

    def poll(self, *, minutes: int = 0) -> Polled:
        """Poll the tenant now, or so many minutes later."""
        self.clock.now += timedelta(minutes=minutes)
        return poll(partial(self.access, TENANT), self.clock.now)

    def tenant(self) -> Tenant:
        """The tenant as the ledger has it."""
        with reading(self.engine) as session:
            return session.get_one(Tenant, TENANT)

    def inbox(self) -> list[tuple[str, str, str]]:
        """What is in the inbox: category, id and what found it; oldest first."""
        with reading(self.engine) as session:
            rows = session.exec(select(XeroEvent).order_by(col(XeroEvent.event_id))).all()
        return [(row.category, row.resource_id, row.found_by) for row in rows]
