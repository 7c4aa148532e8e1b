"""What people want is told on: to Twilio, for each sender of ours, and to Xero, where the policy says so."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from duebell.consents_told import Told
from tasks._prefect import FEW_AT_ONCE, completed, named
from tasks.preferences import consents_to_tell, groups_to_show, show_stopped, tell_consents


@flow(
    name="mirror-preferences",
    flow_run_name=named("mirror-preferences"),
    task_runner=FEW_AT_ONCE,
    persist_result=False,
)
def mirror_preferences(*, everything: bool = True) -> State[None]:
    """Tell Twilio and Xero who opted out, and who took that back. No message waits for it.

    Args:
        everything: look also at what was told before, for senders and groups that the policy names since.
    """
    posts = tell_consents.map(consents_to_tell(everything=everything))
    groups = show_stopped.map(groups_to_show(everything=everything))
    told = sum(completed(posts), Told())
    shown = sum(one.added + one.removed for one in completed(groups))
    failed = sum(not one.state.is_completed() for one in [*posts, *groups])
    name = f"{told.name}, {shown} shown in Xero" if shown else told.name
    return (Failed if failed else Completed)(name=name, message=f"{failed} steps failed")
