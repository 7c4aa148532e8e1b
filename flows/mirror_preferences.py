"""What people want is told on: to Twilio, for each sender of ours, and to Xero, where the policy says so."""

from prefect import flow
from prefect.client.schemas.objects import State

from duebell.preferences.consents_told import ending
from tasks._prefect import FEW_AT_ONCE, completed, failed_of, named, state_of
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
    told, shown = list(completed(posts)), sum(one.changed for one in completed(groups))
    ended = ending(told, shown, failed_of(one.state for one in [*posts, *groups]))
    return state_of(ended)
