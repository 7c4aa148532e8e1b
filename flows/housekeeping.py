"""Once a day: what would run out unused is used, what is old is let go of, and the ledger is checked."""

from prefect import flow
from prefect.client.schemas.objects import State

from duebell.showing.ended import of_housekeeping
from tasks._prefect import FEW_AT_ONCE, failed_of, named, state_of
from tasks.consents import idle_token_sets, keep_alive
from tasks.ledger import prune_history
from tasks.upkeep import check_ledger, prune_journal


@flow(
    name="housekeeping",
    flow_run_name=named("housekeeping"),
    task_runner=FEW_AT_ONCE,
    persist_result=False,
)
def housekeeping() -> State[None]:
    """Refresh every consent that rested for a week: Xero ends a refresh token after 60 days without use.

    One that cannot be refreshed does not hold up the others, and is tried again the next day; nothing else
    goes first that may fail. History is kept for thirteen months. What must hold in every ledger is looked at
    last; where it does not, the run has failed with the ids of what is wrong.
    """
    kept = keep_alive.map(idle_token_sets())
    kept.wait()
    prune_journal()
    prune_history()
    ended = of_housekeeping(len(kept), failed_of(one.state for one in kept), check_ledger())
    return state_of(ended)
