"""Facts to test with: frozen records, and a ledger in which they stand."""

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from threading import Barrier
from typing import Any

import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import Engine, update
from sqlmodel import col, select

from duebell.clock import Clock
from duebell.deciding.deciding import Rules
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import attempts, evidence, legs, notifications, present, snapshots
from duebell.ledger.attempts import Intent
from duebell.ledger.engine import reading
from duebell.ledger.evidence import Conclusion
from duebell.ledger.notifications import Claim, Owed
from duebell.ledger.receipts import NewReceipt
from duebell.ledger.tables import (
    Attempt,
    ContactSnapshot,
    InvoiceSnapshot,
    Leg,
    Notification,
    Tenant,
    TokenSet,
)
from duebell.ledger.writing import Writing, writing
from duebell.model import Contact, ContactStatus, Invoice, InvoiceStatus, InvoiceType, Phone, PhoneType
from duebell.policy.verdict import Circumstances, Send, Verdict
from duebell.policy_file.policy import Policy
from duebell.resources import Resources
from duebell.settings import load
from duebell.states import AttemptState, NotificationState, Sending
from duebell.twilio.inbound import Senders
from duebell.vault import Vault
from duebell.xero.parse import parse_contact_body, parse_invoice_body

NOW = datetime(2026, 11, 20, 1, 16, tzinfo=UTC)
"""14:16 in Auckland, well inside the hours in which people are written to."""

TENANT = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
OTHER_TENANT = "bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee"
INVOICE = "11111111-2222-4333-8444-555555555555"
CONTACT = "cccccccc-2222-4333-8444-555555555555"
OTHER_CONTACT = "dddddddd-2222-4333-8444-555555555555"
MOBILE = "+64211234567"
OTHER_MOBILE = "+64219876543"
MINUTE = timedelta(minutes=1)


def numbered(number: int) -> str:
    """The id of the ``number``-th invoice of many."""
    return str(uuid.UUID(int=0x5000_0000_0000_4000_8000_0000_0000_0000 + number))


def sid(number: int = 1) -> str:
    """The SID of the ``number``-th message."""
    return f"SM{number:032x}"


def an_invoice(**changes: Any) -> Invoice:
    """An approved sales invoice of today, unpaid."""
    usual = Invoice(
        invoice_id=INVOICE,
        type=InvoiceType.SALE,
        status=InvoiceStatus.AUTHORISED,
        contact_id=CONTACT,
        number="INV-0001",
        issued_on=date(2026, 11, 20),
        due_on=date(2026, 12, 20),
        currency="NZD",
        total=Decimal("115.00"),
        amount_due=Decimal("115.00"),
    )
    return replace(usual, **changes)


def a_contact(**changes: Any) -> Contact:
    """A customer with a mobile in New Zealand."""
    phone = Phone(PhoneType.MOBILE, "64", "21", "1234567")
    return replace(Contact(CONTACT, "Rimu Test Limited", ContactStatus.ACTIVE, phones=(phone,)), **changes)


ANY_HOUR = {"opens": "00:00", "closes": "00:00"}


def policy(*, payment_received: dict[str, Any] | None = None, **rules: Any) -> Policy:
    """The shipped policy, but open at any hour; ``rules`` are those of an issued invoice, as in the file."""
    return Policy.model_validate(
        {
            "invoice_issued": ANY_HOUR | rules,
            "payment_received": ANY_HOUR | (payment_received or {}),
        }
    )


def circumstances(**changes: Any) -> Circumstances:
    """A live tenant in New Zealand that may write to people at any hour."""
    usual = Circumstances(
        policy(),
        Sending.LIVE,
        "NZ",
        "Pacific/Auckland",
        seen_at=NOW,
        now=NOW,
    )
    return replace(usual, **changes)


RULES = Rules(policy(), Sending.LIVE)


def open_tenant(engine: Engine, tenant_id: str = TENANT, **columns: Any) -> None:
    """A tenant that is connected, synced and live."""
    usual: dict[str, Any] = {
        "tenant_id": tenant_id,
        "token_set_id": "tokens",
        "name": "Kauri Test Limited",
        "country": "NZ",
        "timezone": "Pacific/Auckland",
        "sending": "live",
        "connected_at": NOW - timedelta(days=9),
        "synced_at": NOW - timedelta(days=9),
    }
    with writing(engine, NOW) as book:
        if book.session.get(TokenSet, "tokens") is None:
            tokens = TokenSet(token_set_id="tokens", grant="test", expires_at=NOW, refreshed_at=NOW)
            book.session.add(tokens)
            book.session.flush()
        book.session.add(Tenant(**(usual | columns)))


def invoice_body(invoice_id: str = INVOICE, *, updated_at: datetime = NOW, **fields: Any) -> str:
    """What Xero says of the invoice of ``an_invoice``; ``fields`` are Xero's."""
    usual = {
        "InvoiceID": invoice_id,
        "Type": "ACCREC",
        "Status": "AUTHORISED",
        "InvoiceNumber": f"INV-{int(invoice_id[-4:], 16):04}",
        "Contact": {"ContactID": CONTACT},
        "DateString": "2026-11-20T00:00:00",
        "DueDateString": "2026-12-20T00:00:00",
        "CurrencyCode": "NZD",
        "Total": 115,
        "AmountDue": 115,
        "UpdatedDateUTC": f"/Date({int(updated_at.timestamp() * 1000)}+0000)/",
    }
    return json.dumps(usual | fields)


def keep_invoice(
    engine: Engine,
    body: str | None = None,
    *,
    read_at: datetime = NOW,
    silent_until: datetime | None = None,
) -> str:
    """Put an invoice into the ledger as it was read, with its contact as known; returns its id."""
    text = body or invoice_body()
    invoice = parse_invoice_body(text)
    snapshots.save_invoices(engine, TENANT, [(invoice, text)], read_at=read_at, silent_until=silent_until)
    read_contacts_anew(engine, [invoice.invoice_id], read_at)
    return invoice.invoice_id


def keep_contact(
    engine: Engine, contact_id: str = CONTACT, mobile: str = MOBILE, *, read_at: datetime = NOW, **fields: Any
) -> None:
    """Put a customer into the ledger as it was read."""
    usual = {
        "ContactID": contact_id,
        "Name": "Rimu Test Limited",
        "ContactStatus": "ACTIVE",
        "Phones": [{"PhoneType": "MOBILE", "PhoneNumber": mobile}],
    }
    text = json.dumps(usual | fields)
    snapshots.save_contacts(engine, TENANT, [(parse_contact_body(text), text)], read_at=read_at)


def read_contacts_anew(engine: Engine, invoice_ids: Sequence[str], now: datetime) -> None:
    """Xero shows the contacts of these invoices as they are known."""
    named = select(InvoiceSnapshot.contact_id).where(
        InvoiceSnapshot.tenant_id == TENANT, col(InvoiceSnapshot.invoice_id).in_(invoice_ids)
    )
    of_these = (col(ContactSnapshot.tenant_id) == TENANT, col(ContactSnapshot.contact_id).in_(named))
    with engine.begin() as connection:
        connection.execute(update(ContactSnapshot).where(*of_these).values(read_at=now))


def owed(number: int = 1) -> Owed:
    """What the customer of the ``number``-th invoice is owed."""
    key = f"{TENANT}:{INVOICE_ISSUED}:{numbered(number)}::contact:{CONTACT}"
    return Owed(
        key, TENANT, INVOICE_ISSUED, numbered(number), numbered(number), f"contact:{CONTACT}", CONTACT
    )


def plan(
    engine: Engine, number: int = 1, verdict: Verdict | None = None, *, now: datetime = NOW
) -> Notification:
    """Plan the ``number``-th notification, to be sent at once where no other verdict is given."""
    with writing(engine, now) as book:
        return notifications.plan(book, owed(number), verdict or Send(MOBILE), actor="test", flow_run_id=None)


def claim(engine: Engine, notification_id: int, owner: str = "run 1", *, now: datetime = NOW) -> Claim | None:
    """Claim a notification for a run."""
    with writing(engine, now) as book:
        return notifications.claim(book, notification_id, owner)


def begin(engine: Engine, claimed: Claim, attempt_id: str = "a1", *, now: datetime = NOW) -> Intent | None:
    """Write an attempt down on a claim."""
    with writing(engine, now) as book:
        leg = leg_of(book, claimed)
        return attempts.begin(
            book, claimed, attempt_id, leg=leg, text="a text", read_at=now, flow_run_id=None
        )


def leg_of(book: Writing, claimed: Claim) -> Leg:
    """The leg by which a claimed notification is told now."""
    return legs.current(book.session, present.notification(book.session, claimed.notification_id))


def sent_off(engine: Engine, number: int = 1, attempt_id: str = "a1", *, now: datetime = NOW) -> Claim:
    """A notification whose message is being posted."""
    claimed = claim(engine, plan(engine, number, now=now).notification_id or 0, now=now)
    assert claimed is not None
    assert begin(engine, claimed, attempt_id, now=now) is not None
    return claimed


def conclude(
    engine: Engine, known: Conclusion, attempt_id: str = "a1", *, now: datetime = NOW
) -> NotificationState:
    """Write down what is known of an attempt."""
    with writing(engine, now) as book:
        return evidence.conclude(book, attempt_id, known)


def accepted(number: int = 1) -> Conclusion:
    """Twilio took the message."""
    state = NotificationState.ACCEPTED
    return Conclusion(AttemptState.ACCEPTED, state, sid=sid(number), provider_status="queued")


NOT_PROCESSED = Conclusion(
    AttemptState.NOT_PROCESSED, NotificationState.PLANNED, reason="tried_again_later", not_before=NOW
)
UNKNOWN = Conclusion(
    AttemptState.UNKNOWN, NotificationState.UNKNOWN, reason="outcome_unknown", settle_at=NOW + MINUTE
)
PARKED = Conclusion(AttemptState.PARKED, NotificationState.PARKED, reason="no_evidence", settled_by="settle")


def receipt(
    status: str, number: int = 1, *, attempt_id: str | None = None, code: int | None = None
) -> NewReceipt:
    """A status callback of the ``number``-th message."""
    return NewReceipt(sid(number), status, code, attempt_id, "{}")


def listed(number: int = 1, **fields: Any) -> dict[str, Any]:
    """The ``number``-th message as Twilio lists it; ``fields`` are Twilio's."""
    usual = {
        "sid": sid(number),
        "account_sid": ACCOUNT,
        "status": "delivered",
        "direction": "outbound-api",
        "to": MOBILE,
        "body": "a text",
        "error_code": None,
        "date_created": format_datetime(NOW),
    }
    return json.loads(json.dumps(usual | fields))


def the_notification(engine: Engine, number: int = 1) -> Notification:
    """The ``number``-th notification as it stands."""
    with reading(engine) as session:
        return session.exec(select(Notification).where(Notification.key == owed(number).key)).one()


def the_attempt(engine: Engine, attempt_id: str = "a1") -> Attempt:
    """An attempt as it stands."""
    with reading(engine) as session:
        return session.get_one(Attempt, attempt_id)


def counted(engine: Engine, table: type[Any]) -> int:
    """How many rows a table has."""
    with reading(engine) as session:
        return len(session.exec(select(table)).all())


def at_once(jobs: int, work: Callable[[int], Any]) -> list[Any]:
    """Run ``work(0)`` to ``work(jobs - 1)`` in threads that start together; their results in that order."""
    ready = Barrier(jobs)

    def started(number: int) -> Any:
        ready.wait()
        return work(number)

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(started, range(jobs)))


class Hand:
    """A clock that is moved by hand."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


Answering = Callable[[httpx.Request], httpx.Response]


def nobody_answers(request: httpx.Request) -> httpx.Response:
    """A provider that must not be asked."""
    raise AssertionError(f"{request.method} {request.url.path} was not to be asked")


def resources_over(
    engine: Engine,
    clock: Clock | None = None,
    *,
    xero: Answering = nobody_answers,
    twilio: Answering = nobody_answers,
    **variables: str,
) -> Resources:
    """What a run works with, over this ledger and these providers."""
    return Resources(
        load(ENVIRONMENT | variables, env_file=None),
        engine,
        Vault([SecretStr(Fernet.generate_key().decode())]),
        httpx.Client(transport=httpx.MockTransport(xero)),
        httpx.Client(transport=httpx.MockTransport(twilio)),
        clock or Hand(),
    )


def connections(tenant_ids: Iterable[str]) -> httpx.Response:
    """What Xero lists for a consent that opens these organisations."""
    return httpx.Response(
        200, json=[{"id": one, "tenantId": one, "tenantType": "ORGANISATION"} for one in tenant_ids]
    )


ACCOUNT = "AC" + "0" * 32
ENVIRONMENT = {
    "XERO_CLIENT_ID": "TEST-ONLY-CLIENT",
    "XERO_CLIENT_SECRET": "test-only-secret",
    "TWILIO_ACCOUNT_SID": ACCOUNT,
    "TWILIO_AUTH_TOKEN": "0" * 32,
    "TWILIO_FROM": "+64210000000",
    "DUEBELL_PUBLIC_URL": "https://hooks.example.com",
}
OURS = Senders(ENVIRONMENT["TWILIO_FROM"], frozenset({ENVIRONMENT["TWILIO_FROM"]}))
