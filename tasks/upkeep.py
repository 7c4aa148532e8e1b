"""Upkeep of this machine's own files and of the ledger, as steps of a flow."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from duebell.ledger import invariants
from duebell.resources import resources


@task(cache_policy=NO_CACHE)
def prune_journal() -> int:
    """Delete the side journal's files that are too old to say anything; returns how many."""
    journal = resources().journal
    pruned = journal.prune(resources().clock()) if journal else 0
    get_run_logger().info("%d files of the side journal are too old and deleted", pruned)
    return pruned


@task(cache_policy=NO_CACHE)
def check_ledger() -> list[str]:
    """Look whether all still holds that must hold in every ledger; returns what does not, with our ids."""
    told = invariants.told(invariants.broken(resources().engine))
    for one in told:
        get_run_logger().error("the ledger: %s", one)
    return told
