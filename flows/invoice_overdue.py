"""A stage of the ladder has come: remind the customer, or tell the team, once."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from duebell.xero_ids import XeroId
from tasks._prefect import FEW_AT_ONCE, ends_calmly
from tasks.ledger import check_dedup, record_status
from tasks.messages import render, send
from tasks.xero import fetch_credit, fetch_invoices, fetch_links, refresh_token

KIND = "invoice_overdue"


@flow(name="invoice-overdue", task_runner=FEW_AT_ONCE, persist_result=False)
@ends_calmly
def invoice_overdue(tenant_id: XeroId, invoice_ids: list[XeroId]) -> State[None]:
    """Say of these invoices what the stage that is due today says, to each person once.

    Safe to run by hand, again, or twice at once: what was said is not said again, and what stopped being
    true is not said at all.

    Args:
        tenant_id: the organisation, by its id in Xero, which `duebell doctor` shows beside its name.
        invoice_ids: Xero's ids of the invoices that are overdue, or due soon.
    """
    refresh_token(tenant_id)
    fetch_invoices(tenant_id, invoice_ids)
    fetch_credit(tenant_id)
    fetch_links(tenant_id, KIND, invoice_ids)
    claims = check_dedup(tenant_id, KIND, invoice_ids)
    ready = render(claims)
    sent = send.map(ready)
    sent.wait()
    ending = record_status(tenant_id, KIND, invoice_ids)
    sound = ending.sound and all(one.state.is_completed() for one in sent)
    return (Completed if sound else Failed)(name=ending.name, message=ending.message)
