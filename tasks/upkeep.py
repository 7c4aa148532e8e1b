"""Upkeep of this machine's own files, as steps of a flow."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from duebell.resources import resources


@task(cache_policy=NO_CACHE)
def prune_journal() -> int:
    """Delete the side journal's files that are too old to say anything; returns how many."""
    journal = resources().journal
    pruned = journal.prune(resources().clock()) if journal else 0
    get_run_logger().info("%d files of the side journal are too old and deleted", pruned)
    return pruned
