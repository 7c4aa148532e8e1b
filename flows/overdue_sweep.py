"""Time to look at what is due: plan the reminders whose stage has come."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from duebell.planning.sweeping import Swept, ending
from duebell.xero_ids import XeroId
from tasks._prefect import FEW_AT_ONCE, completed, named
from tasks.runs import start_runs
from tasks.sweeping import choose_tenants, sweep_tenant


@flow(
    name="overdue-sweep",
    flow_run_name=named("overdue-sweep", "tenant_ids"),
    task_runner=FEW_AT_ONCE,
    persist_result=False,
)
def overdue_sweep(tenant_ids: list[XeroId] | None = None) -> State[None]:
    """Plan the stages that have come, of each organisation that is in its hours.

    Nothing is sent here and Xero is not asked: what is planned is read anew, and decided again, by the run
    that says it. Safe to run again, or twice at once: each stage of an invoice is planned once.

    Args:
        tenant_ids: the organisations to sweep now, whatever the hour, by their ids in Xero, which `duebell
            doctor` shows; without them, all in whose hours it is.
    """
    chosen = choose_tenants(tenant_ids)
    swept: list[Swept] = []
    for one in completed(sweep_tenant.map(chosen)):
        swept.append(one)
        start_runs(one.tenant_id, one.runs, return_state=True)
    failed = len(chosen) - len(swept)
    name, message = ending(swept, failed)
    return (Failed if failed else Completed)(name=name, message=message)
