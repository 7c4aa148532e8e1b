"""A fault of the setup has stopped a channel: say so where it is seen, with the mend."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.messages import explain_stop


@flow(name="channel-stopped", flow_run_name="channel stopped {scope}", persist_result=False)
def channel_stopped(scope: str) -> State[None]:
    """Explain how a channel stands. Nothing is lost meanwhile: its messages wait, and one tries it again.

    The run fails on purpose while the channel is stopped, so that it stands out in the UI.

    Args:
        scope: the stop, such as ``channel:sms``, or ``channel:sms:AU:from:Kauri`` for one country and sender.
    """
    told = explain_stop(scope)
    return (Completed if told.sound else Failed)(name=told.name, message=told.message)
