"""Time to ask Xero what changed: for what webhooks do not tell, and for those that were lost."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from duebell.books.polling import Polled, ending
from duebell.xero_ids import XeroId
from tasks._prefect import FEW_AT_ONCE, completed, named
from tasks.organisation import refresh_organisation
from tasks.polling import announce_broken_webhooks, begin_polls, poll_tenant, watch_webhooks
from tasks.runs import start_drain


@flow(
    name="poll-xero",
    flow_run_name=named("poll-xero", "tenant_ids"),
    task_runner=FEW_AT_ONCE,
    persist_result=False,
)
def poll_xero(tenant_ids: list[XeroId] | None = None) -> State[None]:
    """Read what changed in each organisation that is due; what is found goes the way of every event.

    The schedule's next run fails on purpose once an organisation was found disconnected, so that it is seen.

    Args:
        tenant_ids: the organisations to ask about now, whatever the policy says, by their ids in Xero, which
            `duebell doctor` shows; without them, all that are due by it.
    """
    chosen = begin_polls(tenant_ids)
    polled: list[Polled] = []
    for one in completed(poll_tenant.map(list(chosen.due))):
        polled.append(one)
        if one.found:
            start_drain(one.tenant_id, return_state=True)
        refresh_organisation(one.tenant_id, return_state=True)
    announce_broken_webhooks.map(watch_webhooks(polled)).wait()
    failed = len(chosen.due) - len(polled)
    name, message = ending(polled, failed, chosen)
    return (Failed if failed or chosen.closed else Completed)(name=name, message=message)
