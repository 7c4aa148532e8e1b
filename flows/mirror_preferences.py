"""What people want is told on: to Twilio, for each sender of ours, where the policy says so."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from duebell.consents_told import Told
from tasks._prefect import completed
from tasks.preferences import consents_to_tell, tell_consents


@flow(name="mirror-preferences", persist_result=False)
def mirror_preferences(*, everything: bool = True) -> State[None]:
    """Tell Twilio who opted out, and who took that back. No message waits for it, and nobody is written to.

    Args:
        everything: look also at what was told before, for senders and groups that the policy names since.
    """
    posts = tell_consents.map(consents_to_tell(everything=everything))
    told = sum(completed(posts), Told())
    failed = sum(not one.state.is_completed() for one in posts)
    return (Failed if failed else Completed)(name=told.name, message=f"{failed} posts failed")
