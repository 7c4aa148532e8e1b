"""Xero, as steps of a flow. A step leaves what it read in the ledger and returns ids and counts."""

from datetime import datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from duebell.ledger.inbox import ClaimedEvent
from duebell.reading import Reading, XeroReader
from duebell.resources import resources
from duebell.telling import FRESH
from tasks._prefect import RETRYING, access_to


@task(**RETRYING, cache_policy=NO_CACHE)
def refresh_token(tenant_id: str) -> datetime:
    """Leave the tenant's token set valid for a while; returns when it expires (UTC), never the token."""
    return access_to(tenant_id).refresh()


@task(**RETRYING, cache_policy=NO_CACHE)
def fetch_invoices(tenant_id: str, invoice_ids: list[str]) -> Reading:
    """Have these invoices and their contacts in the ledger, read at most a minute ago.

    The ledger is the cache: a snapshot that is fresh enough costs no call, in this run or in any other.
    """
    since = resources().clock() - FRESH
    reading = XeroReader(access_to(tenant_id)).invoices(invoice_ids, since=since)
    get_run_logger().info("%d invoices read from Xero, %d fresh in the ledger", reading.read, reading.fresh)
    return reading


@task(**RETRYING, cache_policy=NO_CACHE)
def fetch_contacts(tenant_id: str, contact_ids: list[str]) -> Reading:
    """Have these contacts in the ledger, read at most a minute ago."""
    since = resources().clock() - FRESH
    reading = XeroReader(access_to(tenant_id)).contacts(contact_ids, since=since)
    get_run_logger().info("%d contacts read from Xero, %d fresh in the ledger", reading.read, reading.fresh)
    return reading


@task(**RETRYING, cache_policy=NO_CACHE)
def fetch_changed(tenant_id: str, events: list[ClaimedEvent]) -> Reading:
    """Read every record that the events name, unless it was read after the event came."""
    reader = XeroReader(access_to(tenant_id))
    latest = max(event.received_at for event in events)
    invoices = reader.invoices(_ids(events, "INVOICE"), since=latest)
    contacts = reader.contacts(_ids(events, "CONTACT"), since=latest)
    get_run_logger().info(
        "%d events: %d invoices and %d contacts read", len(events), invoices.read, contacts.read
    )
    return Reading(
        invoices.fresh + contacts.fresh,
        invoices.read + contacts.read,
        invoices.missing + contacts.missing,
        invoices.bad + contacts.bad,
    )


def _ids(events: list[ClaimedEvent], category: str) -> list[str]:
    return list(dict.fromkeys(event.resource_id for event in events if event.category == category))
