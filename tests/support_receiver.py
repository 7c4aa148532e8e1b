"""What the tests of the receiver share: senders that sign, a Prefect with state, and a running receiver."""

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode

import httpx
import uvicorn
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlmodel import Session, col, select
from starlette.applications import Starlette

from deployments.receiver.parts import Patience, ReceiverParts
from deployments.receiver.prefect_rest import PrefectPlace
from deployments.receiver.server import uvicorn_config
from duebell.ledger import tables
from duebell.ledger.engine import reading
from duebell.ledger.writing import writing
from duebell.settings import load
from tests.support_prefect import wait_until

KEY = "TEST-ONLY-xero-webhook-key-0001=="
OTHER_KEY = "TEST-ONLY-xero-webhook-key-0002=="
ACCOUNT = "AC" + "0" * 32
TOKEN = "12345"
PUBLIC = "https://hooks.example.com"
TENANT = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
INVOICE = "11111111-2222-4333-8444-555555555555"
NOW = datetime(2026, 11, 20, 1, 16, tzinfo=UTC)
XERO = "/webhooks/xero"
TWILIO = "/webhooks/twilio/status"
AUTH = "admin:only-for-tests"

ENVIRONMENT = {
    "XERO_WEBHOOK_KEYS": f"{KEY},{OTHER_KEY}",
    "TWILIO_ACCOUNT_SID": ACCOUNT,
    "TWILIO_AUTH_TOKEN": TOKEN,
    "DUEBELL_PUBLIC_URL": PUBLIC,
    "DUEBELL_LISTEN": "127.0.0.1:0",
}


class MovableClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Move by a ``timedelta`` of these words."""
        self.now += timedelta(**by)


@dataclass
class FakePrefect:
    """A Prefect server's REST interface, as far as the receiver uses it. Runs are kept by their key."""

    deployments: dict[str, str] = field(default_factory=dict[str, str])
    runs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    away: bool = False
    auth: str = AUTH

    def deploy(self, *names: str) -> None:
        """Deploy, or delete and deploy anew, so that the ids change."""
        self.deployments |= {name: str(uuid.uuid4()) for name in names}

    def place(self) -> PrefectPlace:
        """Where a receiver finds it."""
        return PrefectPlace("http://prefect.test/api", SecretStr(AUTH), httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("away", request=request)
        path = request.url.path.removeprefix("/api")
        if path == "/health":
            return httpx.Response(200, json=True)
        if request.headers.get("authorization") != "Basic " + base64.b64encode(self.auth.encode()).decode():
            return httpx.Response(401)
        if path == "/events":
            self.events += json.loads(request.content)
            return httpx.Response(204)
        if path.startswith("/deployments/name/"):
            known = self.deployments.get(path.removeprefix("/deployments/name/"))
            return httpx.Response(200, json={"id": known}) if known else httpx.Response(404)
        return self._create_run(path.split("/")[2], json.loads(request.content))

    def _create_run(self, deployment_id: str, wanted: dict[str, Any]) -> httpx.Response:
        names = [name for name, known in self.deployments.items() if known == deployment_id]
        if not names:
            return httpx.Response(404)
        key = wanted["idempotency_key"]
        if key in self.runs:
            return httpx.Response(200, json={"id": "known"})
        self.runs[key] = {"deployment": names[0], **wanted}
        return httpx.Response(201, json={"id": "new"})


SLOW_MACHINE = Patience(body_seconds=60, answer_seconds=60)
"""For all tests but those of the limits themselves."""


def parts(
    engine: Engine, prefect: FakePrefect | None = None, patience: Patience | None = None, **variables: str
) -> ReceiverParts:
    """A receiver over this ledger. ``variables`` replace those of the environment."""
    settings = load({**ENVIRONMENT, **variables}, env_file=None)
    place = (prefect or FakePrefect()).place()
    return ReceiverParts(settings, engine, MovableClock(), place, patience or SLOW_MACHINE)


def signed_xero(raw: bytes, key: str = KEY) -> dict[str, str]:
    """The header with which Xero signs a body."""
    digest = hmac.new(key.encode(), raw, hashlib.sha256).digest()
    return {"x-xero-signature": base64.b64encode(digest).decode()}


def xero_event(**changes: object) -> dict[str, object]:
    """One event of a delivery."""
    event: dict[str, object] = {
        "resourceId": INVOICE,
        "tenantId": TENANT,
        "tenantType": "ORGANISATION",
        "eventCategory": "INVOICE",
        "eventType": "UPDATE",
        "eventDateUtc": "2026-11-20T01:15:39.902",
    }
    return event | changes


def delivery(*events: object, entropy: str = "A") -> bytes:
    """The body of a delivery."""
    body = {"events": events, "firstEventSequence": 1, "lastEventSequence": 1, "entropy": entropy}
    return json.dumps(body).encode()


def callback(**changes: str) -> dict[str, str]:
    """The fields of a status callback."""
    sid = "SM" + "0" * 31 + "1"
    return {
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
        "From": "+15005550006",
        "MessageSid": sid,
        "MessageStatus": "delivered",
        "SmsSid": sid,
        "SmsStatus": "delivered",
        "To": "+15551234567",
    } | changes


def signed_twilio(
    fields: Mapping[str, str], query: str = "", token: str = TOKEN, path: str = TWILIO
) -> dict[str, str]:
    """The headers with which Twilio signs a form that goes to our callback address."""
    url = f"{PUBLIC}{path}" + (f"?{query}" if query else "")
    text = url + "".join(key + fields[key] for key in sorted(fields))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return {
        "x-twilio-signature": base64.b64encode(digest).decode(),
        "content-type": "application/x-www-form-urlencoded",
    }


def form(fields: Mapping[str, str]) -> bytes:
    """The body of a form."""
    return urlencode(fields).encode()


Headers = Mapping[str, str] | Sequence[tuple[bytes, bytes]]


def ask(app: Starlette, method: str, path: str, raw: bytes = b"", headers: Headers = ()) -> httpx.Response:
    """One request to the application, without a server between."""
    return ask_at_once(app, [(method, path, raw, headers)])[0]


def ask_at_once(app: Starlette, requests: Sequence[tuple[str, str, bytes, Headers]]) -> list[httpx.Response]:
    """Several requests to the application at the same time."""

    async def all_of_them() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await asyncio.gather(
                *(
                    client.request(method, path, content=raw, headers=cast("Any", headers))
                    for method, path, raw, headers in requests
                )
            )

    return asyncio.run(all_of_them())


def deliver(app: Starlette, raw: bytes, key: str = KEY) -> int:
    """The status that a signed delivery gets."""
    return ask(app, "POST", XERO, raw, signed_xero(raw, key)).status_code


def connect_tenant(engine: Engine, tenant_id: str = TENANT) -> None:
    """A connected organisation whose first sync is done."""
    with writing(engine, NOW) as book:
        book.session.add(
            tables.TokenSet(token_set_id=tenant_id, grant="test", expires_at=NOW, refreshed_at=NOW)
        )
        book.session.flush()
        book.session.add(
            tables.Tenant(tenant_id=tenant_id, token_set_id=tenant_id, connected_at=NOW, synced_at=NOW)
        )


def add_notification(session: Session, key: str, **changes: Any) -> tables.Notification:
    """A notification with one leg, ready to be told."""
    values: dict[str, Any] = {
        "tenant_id": TENANT,
        "kind": "invoice_issued",
        "subject_id": INVOICE,
        "state": "planned",
        "planned_at": NOW,
        "dispatch_at": NOW,
        "updated_at": NOW,
    }
    values |= {"invoice_id": changes.get("subject_id", INVOICE), **changes}
    row = tables.Notification(key=key, **values)
    session.add(row)
    session.flush()
    leg = tables.Leg(
        notification_id=row.notification_id or 0, channel="sms", address="+15551234567", text="t"
    )
    session.add(leg)
    session.flush()
    return row


def add_attempt(session: Session, attempt_id: str, **changes: Any) -> None:
    """A call to Twilio that has begun, for a notification of its own."""
    row = add_notification(session, attempt_id, state="sending", lease_token=1, lease_until=NOW)
    legs = select(tables.Leg.leg_id).where(col(tables.Leg.notification_id) == row.notification_id)
    values: dict[str, Any] = {
        "notification_id": row.notification_id,
        "leg_id": session.exec(legs).one(),
        "lease_token": 1,
        "state": "sending",
        "started_at": NOW,
        "address": "+15551234567",
        "text": "t",
        "read_age_seconds": 1.0,
    }
    session.add(tables.Attempt(attempt_id=attempt_id, **{**values, **changes}))
    session.flush()


def events_in(engine: Engine) -> list[tables.XeroEvent]:
    """The inbox, oldest first."""
    with reading(engine) as session:
        return list(session.exec(select(tables.XeroEvent).order_by(col(tables.XeroEvent.event_id))))


def rejected_in(engine: Engine) -> list[tables.RejectedDelivery]:
    """What was signed and could not be read."""
    with reading(engine) as session:
        return list(session.exec(select(tables.RejectedDelivery)))


def receipts_in(engine: Engine) -> list[tables.Receipt]:
    """The receipts, oldest first."""
    with reading(engine) as session:
        return list(session.exec(select(tables.Receipt).order_by(col(tables.Receipt.receipt_id))))


@contextmanager
def serving(receiver: ReceiverParts) -> Generator[int]:
    """The receiver under a real uvicorn on the loopback; gives its port."""
    server = uvicorn.Server(uvicorn_config(receiver))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), "the receiver listens")
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
