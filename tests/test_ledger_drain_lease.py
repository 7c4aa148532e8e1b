"""One drain a tenant: the lease has one holder, lapses with it, and is given back by its holder alone."""

from datetime import timedelta

from sqlalchemy import Engine

from duebell.ledger import tenants
from tests.support_facts import NOW, OTHER_TENANT, TENANT, at_once, open_tenant

SECOND = timedelta(seconds=1)
LEASE = tenants.DRAIN_LEASE


def test_of_many_drains_one_gets_the_lease(ledger: Engine) -> None:
    open_tenant(ledger)
    leases = at_once(16, lambda number: tenants.take_drain(ledger, TENANT, f"run {number}", now=NOW))
    assert sum(lease is not None for lease in leases) == 1


def test_two_tenants_are_drained_side_by_side(ledger: Engine) -> None:
    open_tenant(ledger)
    open_tenant(ledger, OTHER_TENANT)
    assert tenants.take_drain(ledger, TENANT, "run 1", now=NOW)
    assert tenants.take_drain(ledger, OTHER_TENANT, "run 2", now=NOW)


def test_a_tenant_that_is_not_synced_is_not_drained(ledger: Engine) -> None:
    open_tenant(ledger, synced_at=None)
    assert tenants.take_drain(ledger, TENANT, "run 1", now=NOW) is None


def test_a_lease_lapses_with_its_holder(ledger: Engine) -> None:
    open_tenant(ledger)
    assert tenants.take_drain(ledger, TENANT, "run 1", now=NOW)
    assert tenants.take_drain(ledger, TENANT, "run 2", now=NOW + LEASE) is None
    assert tenants.take_drain(ledger, TENANT, "run 2", now=NOW + LEASE + SECOND)


def test_a_heartbeat_keeps_the_lease(ledger: Engine) -> None:
    open_tenant(ledger)
    lease = tenants.take_drain(ledger, TENANT, "run 1", now=NOW)
    assert lease
    assert tenants.keep_drain(ledger, lease, now=NOW + LEASE)
    assert tenants.take_drain(ledger, TENANT, "run 2", now=NOW + LEASE + SECOND) is None


def test_a_retried_run_takes_its_own_lease_over_and_its_first_life_is_out(ledger: Engine) -> None:
    open_tenant(ledger)
    first = tenants.take_drain(ledger, TENANT, "run 1", now=NOW)
    again = tenants.take_drain(ledger, TENANT, "run 1", now=NOW + SECOND)
    assert first
    assert again
    assert not tenants.keep_drain(ledger, first, now=NOW + SECOND)
    assert tenants.keep_drain(ledger, again, now=NOW + SECOND)


def test_a_stale_holder_neither_keeps_nor_releases(ledger: Engine) -> None:
    open_tenant(ledger)
    stale = tenants.take_drain(ledger, TENANT, "run 1", now=NOW)
    later = NOW + LEASE + SECOND
    living = tenants.take_drain(ledger, TENANT, "run 2", now=later)
    assert stale
    assert living
    assert not tenants.keep_drain(ledger, stale, now=later)
    assert not tenants.release_drain(ledger, stale, now=later)
    assert tenants.take_drain(ledger, TENANT, "run 3", now=later) is None


def test_a_released_lease_is_free_at_once(ledger: Engine) -> None:
    open_tenant(ledger)
    lease = tenants.take_drain(ledger, TENANT, "run 1", now=NOW)
    assert lease
    assert tenants.release_drain(ledger, lease, now=NOW)
    assert tenants.take_drain(ledger, TENANT, "run 2", now=NOW)
