"""A message was posted and its answer or its receipts were not seen: find out what became of it."""

from prefect import flow
from prefect.client.schemas.objects import State

from duebell.settling.confirming import in_portions
from duebell.settling.rounds import ending
from tasks._prefect import MANY_AT_ONCE, completed, failed_of, looks_by, named, outcomes, state_of
from tasks.messages import (
    ask_for_status,
    compare_with_journal,
    decide_on_held,
    found_late,
    held_messages,
    look_for_outcome,
    look_for_parked,
    parked_messages,
    reap_dead_leases,
    show_outstanding,
    take_back,
    unconfirmed_messages,
    unknown_attempts,
)


@flow(
    name="settle",
    flow_run_name=named("settle", "attempt_ids"),
    task_runner=MANY_AT_ONCE,
    persist_result=False,
)
def settle(attempt_ids: list[str] | None = None, *, asks_for_receipts: bool = True) -> State[None]:
    """Decide again on what Twilio holds, and look for outcomes that nobody knows; nothing is ever sent here.

    Args:
        attempt_ids: the attempts to look at now; without them, all that are due.
        asks_for_receipts: ask also for the messages of the last hours whose final receipt is missing, by
            night or by hand for those of the last days, look again for what was left to a person, and
            show what nobody knows for sure.
    """
    checked = [compare_with_journal(return_state=True), reap_dead_leases(return_state=True)]
    decided = decide_on_held.map(held_messages(attempt_ids))
    taken_back = [take_back.map(list(untrue)) for untrue in completed(decided)]
    looked = outcomes(look_for_outcome.map(unknown_attempts(attempt_ids)))
    decided_late = decide_on_held.map(found_late(list(looked.settled)))
    taken_back += [take_back.map(list(untrue)) for untrue in completed(decided_late)]
    rounds = [*(outcomes(some) for some in taken_back), looked]
    if asks_for_receipts and not attempt_ids:
        rounds.append(in_portions(parked_messages(), looks_by(look_for_parked)))
    if not attempt_ids:
        silent = unconfirmed_messages(of_the_hour=asks_for_receipts)
        rounds.append(in_portions(silent, looks_by(ask_for_status)))
    shown = show_outstanding() if asks_for_receipts else ""
    ended = ending(rounds, failed_of([*checked, *(one.state for one in [*decided, *decided_late])]), shown)
    return state_of(ended)
