"""A connected organisation at the sandbox, with events and waiting messages, read without any pace."""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.credentials import TENANT_ID
from duebell.books.access import XeroAccess
from duebell.books.bursts import BurstReader
from duebell.books.calls import Purpose
from duebell.books.reading import Reading
from duebell.clock import system_clock
from duebell.ledger import freshness, inbox, notifications, snapshots
from duebell.ledger.inbox import NewEvent
from duebell.ledger.notifications import Owed
from duebell.ledger.tables import ContactSnapshot, InvoiceSnapshot, Notification
from duebell.ledger.writing import writing
from duebell.policy.verdict import Send
from duebell.resources import Resources
from tests.support_calls import Burst, burst
from tests.support_receiver import add_attempt

STALE = timedelta(minutes=5)


@dataclass
class Desk:
    """A connected organisation at the sandbox, and its reads without any pace."""

    sandbox: SandboxControl
    resources: Resources
    clock_ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return system_clock() + self.clock_ahead

    def reader(self, purpose: Purpose = Purpose.EVENTS) -> BurstReader:
        resources = replace(self.resources, clock=self.now)
        return BurstReader(XeroAccess(resources, TENANT_ID, nullcontext, "a run", purpose))

    def approve(self, count: int, contacts: int = 1, *, ago: timedelta = timedelta()) -> Burst:
        """So many new invoices in the books, their events in the inbox."""
        books = burst(count, contacts, system_clock() - ago)
        self.sandbox.load_books(books.invoices, books.contacts)
        self.ring(*books.ids)
        return books

    def ring(self, *invoice_ids: str) -> None:
        """Put an event of each into the inbox."""
        now = self.now()
        marks = [NewEvent(TENANT_ID, "INVOICE", one, "UPDATE", now.isoformat(), now) for one in invoice_ids]
        inbox.keep(self.resources.engine, marks, [], now=now)

    def drain(self) -> Reading:
        """What one batch of a drain reads; its events are handled then."""
        engine, now = self.resources.engine, self.now()
        events = inbox.claim(engine, TENANT_ID, now=now, most=200)
        ids = list(dict.fromkeys(event.resource_id for event in events))
        read = self.reader().changed(ids, since=max(event.received_at for event in events))
        with writing(engine, now) as book:
            for event in events:
                inbox.finish(book, event, "handled")
        return read

    def owe(self, books: Burst) -> list[str]:
        """A planned message about each; returns the invoices' ids."""
        with writing(self.resources.engine, self.now()) as book:
            for one in books.ids:
                owed = Owed(f"key:{one}", TENANT_ID, "invoice_issued", one, one, "contact:x", None)
                notifications.plan(book, owed, Send("+64211234567"), actor="test", flow_run_id=None)
        return list(books.ids)

    def owe_of_old(self, count: int) -> tuple[Burst, list[str]]:
        """Messages about so many invoices, of two contacts, that were read hours ago; and their ids."""
        books = self.approve(count, contacts=2, ago=timedelta(days=1))
        ids = self.owe(books)
        self.drain()
        self.age(timedelta(hours=3))
        self.age_contacts(timedelta(hours=3))
        return books, ids

    def hold(self, ids: Sequence[str]) -> None:
        """Twilio holds a message about each, and it is time to decide on it again."""
        now = self.now()
        looks: dict[str, Any] = {"send_at": now + timedelta(minutes=3), "settle_at": now}
        with writing(self.resources.engine, now) as book:
            for number, one in enumerate(ids):
                key, sid = f"attempt {number}", f"SM{number:032}"
                add_attempt(
                    book.session, key, state="accepted", sid=sid, provider_status="scheduled", **looks
                )
                about: dict[str, str] = {"tenant_id": TENANT_ID, "invoice_id": one, "state": "scheduled"}
                book.session.exec(update(Notification).where(col(Notification.key) == key).values(about))

    def age(self, by: timedelta = STALE) -> None:
        """Let every read be that much older."""
        self._age(InvoiceSnapshot, by)

    def age_contacts(self, by: timedelta) -> None:
        """Let every contact have been read that much longer ago."""
        self._age(ContactSnapshot, by)

    def _age(self, kept: type[InvoiceSnapshot | ContactSnapshot], by: timedelta) -> None:
        with writing(self.resources.engine, self.now()) as book:
            for row in book.session.exec(select(kept)).all():
                row.read_at -= by

    def look_again(self, ids: list[str]) -> Reading:
        return self.reader(Purpose.LOOK_AGAIN).look_again(ids, since=self.now() - timedelta(seconds=60))

    def oldest_read(self, ids: list[str]) -> timedelta:
        read = freshness.read_times(self.resources.engine, TENANT_ID, ids)
        return self.now() - min(read.values())

    def oldest_contact(self, books: Burst) -> timedelta:
        read = freshness.contact_read_times(self.resources.engine, TENANT_ID, books.contact_ids)
        return self.now() - min(read.values())

    def kept(self, invoice_id: str) -> snapshots.ReadInvoice:
        return snapshots.invoices(self.resources.engine, TENANT_ID, [invoice_id])[invoice_id]


@dataclass
class Calls:
    """The calls that were made since it began, as the sandbox saw them."""

    desk: Desk
    begun: int = 0

    def __post_init__(self) -> None:
        self.begun = len(self.desk.sandbox.requests())

    def made(self) -> dict[str, int]:
        seen = self.desk.sandbox.requests()[self.begun :]
        assert not [one for one in seen if one.status == 429]
        return dict(Counter(one.path.split("/")[3] for one in seen if one.path.startswith("/api.xro")))
