"""A person wants invoices looked at again, as if their events had just come."""

from datetime import datetime

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from duebell.xero_ids import XeroId
from tasks._prefect import ends_calmly, named_as_replay
from tasks.again import decide_again, find_invoices
from tasks.runs import start_runs
from tasks.xero import fetch_invoices, refresh_token


@flow(name="replay", flow_run_name=named_as_replay, persist_result=False)
@ends_calmly
def replay(
    tenant_id: XeroId,
    invoices: list[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> State[None]:
    """Read invoices from Xero, decide on them anew, and tell what is still owed; nobody is told twice.

    To say once more what was told already, run `resend`.

    Args:
        tenant_id: the organisation, by its id in Xero, which `duebell doctor` shows beside its name.
        invoices: numbers (INV-0042) or Xero's ids of invoices.
        since: all invoices of which an event came at this time or later; without a zone (2026-11-19T09:00:00)
            it is on the organisation's clock.
        until: those whose events came before this time, on the same clock; without it, up to now.
    """
    refresh_token(tenant_id)
    invoice_ids = find_invoices(tenant_id, invoices, since, until)
    fetch_invoices(tenant_id, invoice_ids)
    replayed = decide_again(tenant_id, invoice_ids)
    start_runs(tenant_id, replayed.runs)
    return Completed(name="Replayed", message=replayed.sentence())
