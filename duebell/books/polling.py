"""Polling: asking Xero what changed, for what webhooks do not tell and for those that are lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from duebell.books import unallocated
from duebell.books.access import XeroAccess
from duebell.books.calls import Purpose
from duebell.books.pages import served_page
from duebell.books.parking import NOT_CONNECTED, closed_in_words
from duebell.books.polling_due import open_reading_is_due, why_not
from duebell.books.polling_news import PolledNews
from duebell.books.polling_open import read_open_invoices
from duebell.books.polling_seek import Ask, seek
from duebell.errors import Postponed, ScopeMissing
from duebell.ledger import closings, polls, tenants
from duebell.ledger.polls import Cursor, FoundBy
from duebell.ledger.tables import Tenant
from duebell.model import Contact, Invoice, Payment
from duebell.resources import Resources
from duebell.xero.records import Records, T

AccessFor = Callable[[Purpose], XeroAccess]
"""The way into the tenant, for calls of that purpose."""


@dataclass(frozen=True, slots=True)
class Due:
    """A tenant whose poll was begun at that time, by this run alone."""

    tenant_id: str
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class Chosen:
    """The tenants to poll now, and those of a person's wish that cannot be, with the reason.

    ``closed`` are those that were found disconnected since the last schedule's run, by whatever asked Xero.
    """

    due: tuple[Due, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    closed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Polled:
    """What became of one tenant's poll; ids, counts and reasons only.

    ``found`` are the new events of the inbox, ``put_off`` says why it ended before its end, and ``bad`` are
    the records that could not be read.
    """

    tenant_id: str
    found: int
    put_off: str = ""
    read_open: bool = False
    lacks_payments: bool = False
    bad: tuple[tuple[str, str], ...] = ()


def choose(resources: Resources, tenant_ids: Sequence[str] | None) -> Chosen:
    """Begin the polls that are due, or those that a person asks for, each for this run alone.

    Raises ``ConfigurationError`` for a tenant that was never connected.
    """
    engine, now = resources.engine, resources.clock()
    by_hand = tenant_ids is not None
    asked = [tenants.get(engine, one) for one in dict.fromkeys(tenant_ids or ())]
    candidates = asked if by_hand else tenants.connected(engine)
    policy = resources.policy.polling
    due: list[Due] = []
    left_out: list[tuple[str, str]] = []
    for tenant in candidates:
        why = why_not(tenant, policy, now, by_hand=by_hand)
        if not why and polls.begin(engine, tenant, now=now):
            due.append(Due(tenant.tenant_id, now))
        elif by_hand:
            left_out.append((tenant.tenant_id, why or "another run has just begun"))
    closed = () if by_hand else closings.newly_closed(engine, resources.clock)
    return Chosen(tuple(due), tuple(left_out), closed)


def poll(access_for: AccessFor, begun_at: datetime) -> Polled:
    """Read what changed in one tenant since the last poll, and once a day its open invoices.

    Safe to repeat: what was found is found once. Raises what the client raises, but for calls that are kept
    back: the poll then ends early, and the next one goes on from the same cursors.
    """
    one = _Poll(access_for, begun_at)
    put_off = ""
    try:
        one.read_lists()
        one.read_open()
    except Postponed as why:
        put_off = str(why)
    return one.outcome(put_off)


class _Poll:
    def __init__(self, access_for: AccessFor, begun_at: datetime) -> None:
        self._access_for = access_for
        self._access = access_for(Purpose.POLL)
        self._client = self._access.client
        self._engine = self._access.resources.engine
        self._clock = self._access.resources.clock
        self._tenant: Tenant = self._access.tenant
        self._begun_at = begun_at
        self._asked_at = begun_at
        self._news = PolledNews(self._access, begun_at)
        self._lacks_payments = False
        self._read_open = False

    def read_lists(self) -> None:
        """The lists that Xero tells the changes of, each from where it was left; credits once an hour."""
        self._walk(Cursor.INVOICES, self._client.invoice_page, self._take_invoices)
        self._read_payments()
        self._walk(Cursor.CONTACTS, self._client.contact_page, self._take_contacts)
        unallocated.have(self._access, since=self._begun_at - unallocated.POLLED_EVERY)

    def read_open(self) -> None:
        """Once a day, what Xero tells no change of: see ``read_open_invoices``."""
        if open_reading_is_due(self._tenant, self._begun_at):
            access = self._access_for(Purpose.OPEN_REREAD)
            unallocated.read_open(access)
            read_open_invoices(access, self._news)  # last: with it the day's reading is written down as done
            self._read_open = True

    def outcome(self, put_off: str) -> Polled:
        """What it came to so far."""
        return Polled(
            self._tenant.tenant_id,
            self._news.found,
            put_off,
            self._read_open,
            self._lacks_payments,
            tuple(self._news.bad.items()),
        )

    def _read_payments(self) -> None:
        """Xero moves an invoice's time with its payments too, so without this scope little is missed."""
        tenant_id = self._tenant.tenant_id
        self._lacks_payments = polls.lacks_payments_scope(self._engine, tenant_id)
        if not self._lacks_payments:
            try:
                self._walk(Cursor.PAYMENTS, self._client.payment_page, self._take_payments)
            except ScopeMissing:
                self._lacks_payments = True
        if self._lacks_payments:
            polls.note_missing_scope(self._engine, tenant_id, now=self._clock())

    def _walk(
        self,
        cursor: Cursor,
        page: Callable[..., Records[T]],
        take: Callable[[Records[T]], None],
    ) -> None:
        """Read a list to its end; only then is the cursor moved, and by the server's own times."""
        since: datetime | None = getattr(self._tenant, cursor.value)
        began = since or self._tenant.watched_from or self._tenant.connected_at
        read_to: datetime | None = None
        for records, ended in seek(partial(self._ask, page), began):
            take(records)
            read_to = ended or read_to
        if read_to is not None:
            polls.move_cursor(self._engine, self._tenant.tenant_id, cursor, read_to, now=self._clock())

    def _ask(self, page: Callable[..., Records[T]], ask: Ask, size: int) -> Records[T]:
        self._asked_at = self._clock()
        return served_page(
            lambda number, of: self._access.ask(lambda: page(number, of, modified_since=ask.since)),
            ask.page,
            size,
        )

    def _take_invoices(self, records: Records[Invoice]) -> None:
        self._news.take_invoices(records, self._asked_at, FoundBy.LIST)

    def _take_payments(self, records: Records[Payment]) -> None:
        self._news.take_payments(records, self._asked_at)

    def _take_contacts(self, records: Records[Contact]) -> None:
        self._news.take_contacts(records, self._asked_at)


def ending(polled: Sequence[Polled], failed: int, chosen: Chosen) -> tuple[str, str]:
    """The name and the words of a run's last state."""
    found = sum(one.found for one in polled)
    quiet = "Nothing new" if polled else "Nothing to poll"
    well = NOT_CONNECTED if chosen.closed else f"{found} found" if found else quiet
    name = f"{failed} failed" if failed else well
    said = [f"{len(polled)} polled" if polled else ""]
    said += [f"{one.tenant_id}: {one.found} found" for one in polled if one.found]
    said += [f"{one.tenant_id} ended early: {one.put_off}" for one in polled if one.put_off]
    said += [f"{one.tenant_id}: {len(one.bad)} records could not be read" for one in polled if one.bad]
    said += [f"{tenant_id} is not polled: {why}" for tenant_id, why in chosen.left_out]
    said += [closed_in_words(tenant_id) for tenant_id in chosen.closed]
    said += [f"{failed} failed: see their tasks"] if failed else []
    return name, "; ".join(part for part in said if part) or "no organisation is due"
