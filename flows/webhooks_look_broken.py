"""Xero's webhooks look broken: say so where it is seen, with the mend."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from duebell.xero_ids import XeroId
from tasks.polling import explain_webhooks


@flow(name="webhooks-look-broken", flow_run_name="webhooks look broken {tenant_id:.8}", persist_result=False)
def webhooks_look_broken(tenant_id: XeroId) -> State[None]:
    """Explain how an organisation's webhooks stand. Nothing is lost meanwhile: polling brings what they miss.

    The run fails on purpose while they look broken, so that it stands out in the UI.

    Args:
        tenant_id: the organisation, by its id in Xero, which `duebell doctor` shows beside its name.
    """
    told = explain_webhooks(tenant_id)
    return (Completed if told.sound else Failed)(name=told.name, message=told.message)
