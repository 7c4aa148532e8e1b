"""Events are waiting in a tenant's inbox: find out what happened, and start what follows."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.ledger import begin_drain, claim_events, end_drain, record_changes
from tasks.runs import continue_drain, start_runs
from tasks.xero import fetch_changed, refresh_token


@flow(name="process-xero-events", flow_run_name="drain {tenant_id}", persist_result=False)
def process_xero_events(tenant_id: str) -> State[None]:
    """Handle every waiting event of a tenant: one run a burst, one run at a time.

    Args:
        tenant_id: the Xero organisation whose inbox is drained.
    """
    lease = begin_drain(tenant_id)
    if lease is None:
        return Completed(name="Already draining", message="another run holds this tenant's inbox")
    handled = 0
    while events := claim_events(lease):
        refresh_token(tenant_id)
        read = fetch_changed(tenant_id, events)
        runs = record_changes(tenant_id, events, read)
        start_runs(tenant_id, runs)
        handled += len(events)
    if end_drain(lease):
        continue_drain(tenant_id)
    return Completed(name="Drained", message=f"{handled} events handled")
