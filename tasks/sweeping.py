"""The sweep for reminders: which organisations are in their hours, and what is due of each."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from duebell.ledger.failing import tried_again
from duebell.planning import sweeping
from duebell.planning.sweeping import Swept
from duebell.resources import resources
from tasks._prefect import RETRYING, own_run_id


@task(cache_policy=NO_CACHE)
def choose_tenants(tenant_ids: list[str] | None) -> list[str]:
    """The organisations in whose hours it is now, or those that are asked for."""
    return list(sweeping.choose(resources(), tenant_ids))


@task(**RETRYING, cache_policy=NO_CACHE, task_run_name="sweep {tenant_id}")
@tried_again()
def sweep_tenant(tenant_id: str) -> Swept:
    """Plan the reminders that are due of one organisation. What was planned before stays as it is."""
    swept = sweeping.sweep(resources(), tenant_id, flow_run_id=own_run_id())
    get_run_logger().info("organisation %s: %d of %d decided", tenant_id, swept.decided, swept.looked_at)
    if swept.unusual:
        get_run_logger().warning(
            "organisation %s: unusually many reminders, held until `duebell release`", tenant_id
        )
    return swept
