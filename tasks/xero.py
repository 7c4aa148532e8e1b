"""Xero, as steps of a flow. A step leaves what it read in the ledger and returns ids and counts."""

from datetime import datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from duebell.books import allocations, online_links, unallocated
from duebell.books.bursts import BurstReader
from duebell.books.calls import Purpose
from duebell.books.read_in_time import FRESH
from duebell.books.reading import Reading, XeroReader
from duebell.errors import DuebellError, Postponed, TenantDisconnected
from duebell.ledger import clock_put_right, handing_over, inbox
from duebell.ledger.inbox import ClaimedEvent
from duebell.ledger.writing import writing
from duebell.resources import resources
from tasks._prefect import RETRYING, access_to


@task(**RETRYING, cache_policy=NO_CACHE)
def refresh_token(tenant_id: str) -> datetime:
    """Leave the tenant's token set valid for a while; returns when it expires (UTC), never the token."""
    return access_to(tenant_id, Purpose.EVENTS).refresh()  # costs no call


@task(**RETRYING, cache_policy=NO_CACHE)
def fetch_invoices(tenant_id: str, invoice_ids: list[str]) -> Reading:
    """Have these invoices and their contacts in the ledger, read at most a minute ago.

    The ledger is the cache: a snapshot that is fresh enough costs no call, in this run or in any other, and
    one that is not is read together with those that other runs wait for.
    """
    since = resources().clock() - FRESH
    reading = BurstReader(access_to(tenant_id, Purpose.LOOK_AGAIN)).look_again(invoice_ids, since=since)
    get_run_logger().info("%d invoices read from Xero, %d fresh in the ledger", reading.read, reading.fresh)
    _name_unread(reading)
    return reading


def _name_unread(reading: Reading) -> None:
    for record_id, why in reading.unread.items():
        get_run_logger().error("record %s could not be read: %s", record_id, why)


@task(**RETRYING, cache_policy=NO_CACHE)
def fetch_credit(tenant_id: str) -> int:
    """Have the customers' unallocated credit in the ledger, read at most a minute ago.

    Returns how many lists had to be read.
    """
    since = resources().clock() - FRESH
    read = unallocated.have(access_to(tenant_id, Purpose.LOOK_AGAIN), since=since)
    get_run_logger().info("%d lists of credit read from Xero", read)
    return read


@task(cache_policy=NO_CACHE)
def fetch_links(tenant_id: str, kind: str, invoice_ids: list[str]) -> int:
    """Have the online links that these messages will say, one call an invoice in its life; returns the calls.

    It is no reason to fail or to wait: a message whose link cannot be had now goes out without it.
    """
    asked = online_links.fetch(access_to(tenant_id, Purpose.LINKS), kind, invoice_ids)
    get_run_logger().info("%d online links asked for", asked)
    return asked


@task(**RETRYING, cache_policy=NO_CACHE)
def fetch_contacts(tenant_id: str, contact_ids: list[str]) -> Reading:
    """Have these contacts in the ledger, read at most a minute ago."""
    since = resources().clock() - FRESH
    reading = XeroReader(access_to(tenant_id, Purpose.EVENTS)).contacts(contact_ids, since=since)
    get_run_logger().info("%d contacts read from Xero, %d fresh in the ledger", reading.read, reading.fresh)
    _name_unread(reading)
    return reading


@task(**RETRYING, cache_policy=NO_CACHE)
def fetch_changed(tenant_id: str, events: list[ClaimedEvent]) -> Reading:
    """Read every record that the events name, unless it was read after the event came.

    Where Xero takes no calls, the events go back as they came, and wait for their time. Whatever else fails
    is noted with them: they come back by themselves.
    """
    try:
        read = _read(tenant_id, events)
    except (Postponed, TenantDisconnected) as closed:
        now = resources().clock()
        later = closed.until if isinstance(closed, Postponed) else None
        with writing(resources().engine, now) as book:
            inbox.give_back(book, events, "Xero takes no calls", later or now)
        raise
    except DuebellError as problem:
        with writing(resources().engine, resources().clock()) as book:
            handing_over.come_back(book, events, str(problem))
        raise
    get_run_logger().info("%d events: %d invoices and contacts read", len(events), read.read)
    return read


def _read(tenant_id: str, events: list[ClaimedEvent]) -> Reading:
    access, began = access_to(tenant_id, Purpose.EVENTS), resources().clock()
    reader = BurstReader(access)
    latest = max(event.received_at for event in events)
    invoices = reader.changed(_ids(events, "INVOICE"), since=latest)
    contacts = reader.contacts(_ids(events, "CONTACT"), since=latest)
    waiting = allocations.read_concerned(access, events)
    if latest > began:
        with writing(resources().engine, began) as book:
            clock_put_right.came_by(book, events, began)
    return Reading(
        invoices.fresh + contacts.fresh,
        invoices.read + contacts.read,
        invoices.missing + contacts.missing,
        invoices.bad + contacts.bad + waiting,
    )


def _ids(events: list[ClaimedEvent], category: str) -> list[str]:
    return list(dict.fromkeys(event.resource_id for event in events if event.category == category))
