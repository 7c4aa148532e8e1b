"""Events of an organisation are waiting: find out what happened, and start what follows."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from duebell.planning.draining import sentence
from duebell.xero_ids import XeroId
from tasks._prefect import ends_calmly
from tasks.ledger import begin_drain, claim_events, end_drain, record_changes
from tasks.organisation import show_calls, why_left_alone
from tasks.runs import continue_drain, start_runs
from tasks.xero import fetch_changed, refresh_token


@flow(name="process-xero-events", flow_run_name="drain {tenant_id:.8}", persist_result=False)
@ends_calmly
def process_xero_events(tenant_id: XeroId) -> State[None]:
    """Handle every waiting event of an organisation: one run a burst, one run at a time.

    Args:
        tenant_id: the organisation whose events are waiting, by its id in Xero (see `duebell doctor`).
    """
    lease = begin_drain(tenant_id)
    if lease is None:
        rest = why_left_alone(tenant_id)
        return Completed(name=rest.name, message=rest.message)
    handled = 0
    while events := claim_events(lease):
        refresh_token(tenant_id)
        read = fetch_changed(tenant_id, events)
        runs = record_changes(tenant_id, events, read)
        start_runs(tenant_id, runs)
        handled += len(events)
    if end_drain(lease):
        continue_drain(tenant_id)
    if handled:
        show_calls(tenant_id)
    return Completed(name="Drained", message=sentence(handled))
