"""The ledger, as steps of a flow: leases, claims, what follows from changes, and what a run came to."""

import time
from dataclasses import asdict
from datetime import timedelta

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from duebell.books import allocations
from duebell.books.reading import Reading
from duebell.ledger import (
    dispatch,
    handing_over,
    inbox,
    left_behind,
    notifications,
    pruning,
    snapshots,
    tenants,
)
from duebell.ledger.engine import reading
from duebell.ledger.failing import tried_again
from duebell.ledger.inbox import ClaimedEvent
from duebell.ledger.notifications import Claim
from duebell.ledger.tenants import DrainLease
from duebell.ledger.writing import writing
from duebell.planning import contacts_in_step, draining
from duebell.planning.draining import RunToStart
from duebell.planning.planning import plan_kind
from duebell.preferences import wishes_in_xero
from duebell.resources import resources
from duebell.sending.telling import rules_of
from duebell.showing import reporting
from duebell.showing.reporting import Ending
from tasks._prefect import RETRYING, is_by_person, label_run, own_run_id

LINGER = timedelta(seconds=3)
"""Longer than the automation's ``within``: an event whose nudge was swallowed finds the drain still there."""

BATCH = 200
MOST_EVENTS, LONGEST = 1_000, timedelta(minutes=5)
"""When a drain hands over to a fresh run, so that no run in the UI grows without end."""


@task(cache_policy=NO_CACHE)
def begin_drain(tenant_id: str) -> DrainLease | None:
    """Take the tenant's drain lease; nothing where another run is draining."""
    owner, engine, now = own_run_id() or "by hand", resources().engine, resources().clock()
    left_behind.free(engine, tenant_id, now=now)
    return tenants.take_drain(engine, tenant_id, owner, now=now)


@task(cache_policy=NO_CACHE)
def claim_events(lease: DrainLease) -> list[ClaimedEvent]:
    """Take the next waiting events, lingering a little for late ones. Empty: it is time to end."""
    engine, clock = resources().engine, resources().clock
    until = clock() + LINGER
    if inbox.claimed_by(engine, lease.owner) >= MOST_EVENTS or clock() - lease.taken_at > LONGEST:
        return []
    while tenants.keep_drain(engine, lease, now=clock()):
        events = inbox.claim(engine, lease.tenant_id, now=clock(), most=BATCH, flow_run_id=lease.owner)
        if events or clock() >= until:
            return list(events)
        time.sleep(0.25)
    return []


@task(**RETRYING, cache_policy=NO_CACHE)
@tried_again()
def record_changes(tenant_id: str, events: list[ClaimedEvent], read: Reading) -> list[RunToStart]:
    """Compare, plan and close the events of invoices in one transaction, those of contacts in one before it;
    returns the runs that are to follow.

    Events that another drain has taken since are that one's: this drain was too slow for its lease.
    """
    of_contacts = _hand_contacts_over(tenant_id, events, read)
    with writing(resources().engine, resources().clock()) as book:
        events = handing_over.still_held(book, events)
        runs = draining.record_changes(
            book, tenant_id, events, read, rules_of(resources()), flow_run_id=own_run_id()
        )
        allocations.close(book, events, dict(read.bad))
    for record_id, why in read.bad:
        get_run_logger().error("record %s could not be read: %s", record_id, why)
    return runs + of_contacts


def _hand_contacts_over(tenant_id: str, events: list[ClaimedEvent], read: Reading) -> list[RunToStart]:
    """What the events of contacts come to, and what their contacts wish."""
    events = [event for event in events if event.category == "CONTACT"]
    if not events:
        return []
    with writing(resources().engine, resources().clock()) as book:
        events = handing_over.still_held(book, events)
        runs = contacts_in_step.hand_over(book, tenant_id, events, read)
        wishes_in_xero.note(book, tenant_id, [one.resource_id for one in events], resources().policy)
    return runs


@task(cache_policy=NO_CACHE)
def end_drain(lease: DrainLease) -> int:
    """Give the lease back, and look once more; returns how many events came in between."""
    engine, now = resources().engine, resources().clock()
    tenants.release_drain(engine, lease, now=now)
    return inbox.waiting(engine, lease.tenant_id, now=now)


@task(**RETRYING, cache_policy=NO_CACHE)
@tried_again()
def check_dedup(tenant_id: str, kind: str, invoice_ids: list[str]) -> list[Claim]:
    """Claim what these invoices still owe, each notification for this run alone.

    What was told, is being told by another run, or must not be told now is not among the claims; nor is what
    a person's cancelled run held, unless a person runs it again.
    """
    owner = own_run_id() or "by hand"
    with reading(resources().engine) as session:
        cancelled = dispatch.wait_for_person(session, tenant_id, kind, invoice_ids)
    wanted_again = cancelled and is_by_person()
    with writing(resources().engine, resources().clock()) as book:
        if wanted_again:
            dispatch.run_again(book, tenant_id, kind, invoice_ids, owner)
        rows = plan_kind(
            book, tenant_id, kind, invoice_ids, rules_of(resources()), actor=kind, flow_run_id=owner
        )
        claims = notifications.claim_all(book, rows, owner)
        numbers = snapshots.numbers_by_id(book.session, tenant_id, invoice_ids)
    label_run(tenant_id, list(numbers.values()))
    return claims


@task(cache_policy=NO_CACHE)
def prune_history() -> int:
    """Let go of what past verdicts rested on, once that is older than thirteen months; returns the rows."""
    removed = pruning.prune(resources().engine, resources().clock())
    get_run_logger().info("%s rows of history were removed", removed)
    return removed


@task(cache_policy=NO_CACHE)
def record_status(tenant_id: str, kind: str, invoice_ids: list[str]) -> Ending:
    """Say in the UI what the run came to. It only reads: losing it loses nothing."""
    ending = reporting.ending(reporting.lines_for(resources().engine, tenant_id, kind, invoice_ids))
    create_table_artifact(
        key=kind.replace("_", "-"),
        table=[asdict(line) for line in ending.lines],
        description=f"{ending.name}: {ending.message}",
    )
    return ending
