"""A contact changed: nobody is told, but what waits for this contact is brought in step."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from duebell.xero_ids import XeroId
from tasks._prefect import ends_calmly
from tasks.preferences import bring_in_step
from tasks.runs import start_runs
from tasks.xero import fetch_contacts, refresh_token


@flow(name="contact-changed", persist_result=False)
@ends_calmly
def contact_changed(tenant_id: XeroId, contact_ids: list[XeroId]) -> State[None]:
    """Decide anew what waits for these contacts, or was left out because they could not be reached.

    An archived contact silences what waits, a new number is used from now on, a merge is followed.

    Args:
        tenant_id: the organisation, by its id in Xero, which `duebell doctor` shows beside its name.
        contact_ids: Xero's ids of the contacts.
    """
    refresh_token(tenant_id)
    fetch_contacts(tenant_id, contact_ids)
    step = bring_in_step(tenant_id, contact_ids)
    start_runs(tenant_id, step.runs)
    return Completed(name="In step", message=step.sentence())
