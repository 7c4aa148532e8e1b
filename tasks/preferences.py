"""Contacts and what they want, as steps of a flow."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from duebell import contacts_in_step
from duebell.contacts_in_step import InStep
from duebell.ledger.writing import writing
from duebell.resources import resources
from duebell.telling import rules_of
from tasks._prefect import own_run_id


@task(cache_policy=NO_CACHE)
def bring_in_step(tenant_id: str, contact_ids: list[str]) -> InStep:
    """Decide anew what waits for these contacts, and close their events; returns the runs that follow."""
    with writing(resources().engine, resources().clock()) as book:
        step = contacts_in_step.bring_in_step(
            book, tenant_id, contact_ids, rules_of(resources()), flow_run_id=own_run_id()
        )
    get_run_logger().info("%d contacts, %d notifications decided anew", len(contact_ids), step.decided)
    return step
