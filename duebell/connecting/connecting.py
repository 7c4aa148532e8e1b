"""Connecting organisations: tokens, the tenant's row, and the first sync, which is silent."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from duebell import tokens
from duebell.books import unallocated
from duebell.books.access import XeroAccess
from duebell.books.calls import Purpose
from duebell.books.reading import XeroReader
from duebell.connecting.consent import Consented
from duebell.connecting.opened import client_of, organisations
from duebell.connecting.scopes import custom_tokens
from duebell.errors import ConfigurationError, Permanent
from duebell.ledger import consents, inbox, snapshots, tenants
from duebell.ledger.calls import counter
from duebell.ledger.inbox import NewEvent
from duebell.model import Connection
from duebell.resources import Resources
from duebell.xero.asking import Pace
from duebell.xero.client import XeroClient

GRANT = "client_credentials"
OWNER = "connect"


@dataclass(frozen=True, slots=True)
class Connected:
    """A tenant that is ready, and how many invoices its first sync found (0 where it was synced before)."""

    tenant_id: str
    name: str
    known: int
    news: int


PaceOf = Callable[[str], Pace]
"""The pace of a tenant, by its id."""


def connect_custom(
    resources: Resources, pace_of: PaceOf, no_pace: Pace, tenant_ids: Sequence[str] = ()
) -> tuple[Connected, ...]:
    """Connect by a custom connection, which needs no person: its credentials are the consent.

    ``tenant_ids`` are those that a person named; none means all that it opens. Safe to repeat: a tenant that
    is known keeps its history and is not synced again. Raises ``ConfigurationError`` where Xero refuses the
    credentials, where they open no organisation, and where they do not open one that was named.
    """
    token_set_id = f"{GRANT}:{resources.settings.xero_client_id}"
    answer = custom_tokens(resources.identity(), resources.policy)
    tokens.store(resources.engine, resources.vault, token_set_id, GRANT, answer, now=resources.clock())
    opened = organisations(resources, token_set_id, no_pace)
    if not opened:
        raise ConfigurationError(
            "the Xero app of XERO_CLIENT_ID opens no organisation: authorise the custom connection at "
            "developer.xero.com/app/manage"
        )
    chosen = [named(opened, tenant_id, "custom connection") for tenant_id in tenant_ids] or opened
    return tuple(connect_one(resources, one, token_set_id, pace_of(one.tenant_id)) for one in chosen)


def named(opened: Sequence[Connection], tenant_id: str, by: str) -> Connection:
    """The one of these that a person named by its id. Raises ``ConfigurationError`` where there is none.

    ``by`` is what opened them.
    """
    found = [one for one in opened if one.tenant_id == tenant_id.strip().lower()]
    if not found:
        known = ", ".join(f"{one.tenant_name} ({one.tenant_id})" for one in opened)
        raise ConfigurationError(f"the {by} does not open {tenant_id}, but: {known}")
    return found[0]


@dataclass(frozen=True, slots=True)
class Offer:
    """An organisation that a consent opens: whether it added it, and whether it is connected already."""

    connection: Connection
    added: bool
    connected: bool


def offers(resources: Resources, consented: Consented, no_pace: Pace) -> tuple[Offer, ...]:
    """What the consent opens, what it added first. Tenants that are known already rest on it from now on.

    Raises ``ConfigurationError`` where it opens nothing, and what the client raises.
    """
    opened = organisations(resources, consented.token_set_id, no_pace)
    if not opened:
        raise ConfigurationError(
            "the consent opens no organisation: run `duebell connect` again and choose one on Xero's page"
        )
    ids = [one.tenant_id for one in opened]
    consents.carry_over(resources.engine, consented.token_set_id, ids, now=resources.clock())
    connected = {tenant.tenant_id for tenant in tenants.connected(resources.engine)}
    return in_order(opened, consented.auth_event_id, connected)


def in_order(
    opened: Sequence[Connection], auth_event_id: str, connected: Collection[str]
) -> tuple[Offer, ...]:
    """The organisations as they are offered: those that the consent added first, then by name."""
    found = [
        Offer(one, bool(auth_event_id) and one.auth_event_id == auth_event_id, one.tenant_id in connected)
        for one in opened
    ]
    return tuple(sorted(found, key=lambda one: (not one.added, one.connection.tenant_name.casefold())))


def _client(resources: Resources, token_set_id: str, tenant_id: str, pace: Pace) -> XeroClient:
    count = counter(resources.engine, tenant_id, Purpose.CONNECT, resources.clock)
    return client_of(resources, token_set_id, tenant_id, pace, count)


def connect_one(resources: Resources, connection: Connection, token_set_id: str, pace: Pace) -> Connected:
    """Connect one organisation and read what is there, in silence, unless that was done before.

    Raises what the client raises.
    """
    tenant_id = connection.tenant_id
    organisation = _client(resources, token_set_id, tenant_id, pace).organisation()
    tenants.connect(resources.engine, connection, token_set_id, organisation, now=resources.clock())
    return finish(resources, tenant_id, pace)


def finish(resources: Resources, tenant_id: str, pace: Pace) -> Connected:
    """Do a tenant's first sync, unless that is behind it. Raises what the client raises."""
    tenant = tenants.get(resources.engine, tenant_id)
    if tenant.synced_at is not None:
        return Connected(tenant_id, tenant.name, 0, 0)
    if tenant.watched_from is None:
        raise Permanent(f"tenant {tenant_id} has no time from which it is watched")
    known, news = first_sync(resources, tenant_id, tenant.watched_from, pace)
    return Connected(tenant_id, tenant.name, known, news)


def first_sync(resources: Resources, tenant_id: str, watched_from: datetime, pace: Pace) -> tuple[int, int]:
    """Read what exists as known; put what was updated since ``watched_from`` (Xero's clock) into the inbox.

    Returns how many invoices there are and how many of them are news. Nothing of the tenant is handled
    before this ends, so that no old invoice is ever announced.
    """
    access = XeroAccess(resources, tenant_id, pace, OWNER, Purpose.FIRST_SYNC)
    reader = XeroReader(access)
    known = reader.first_sync(watched_from)
    reader.read_unknown_contacts()
    unallocated.have(access, since=resources.clock())
    news = snapshots.never_compared(resources.engine, tenant_id)
    events = [
        NewEvent(tenant_id, "INVOICE", invoice_id, "UPDATE", _content_mark(body), None, found_by="first_sync")
        for invoice_id, body in news
    ]
    inbox.keep(resources.engine, events, [], now=resources.clock())
    tenants.mark_synced(resources.engine, tenant_id, known, now=resources.clock())
    return known, len(news)


def _content_mark(body: str) -> str:
    return f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"
