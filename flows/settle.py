"""A message was posted and its answer or its receipts were not seen: find out what became of it."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from duebell.confirming import in_portions
from duebell.settling import ending
from tasks._prefect import MANY_AT_ONCE, completed, named
from tasks.messages import (
    ask_for_status,
    decide_on_held,
    held_messages,
    look_for_outcome,
    look_for_parked,
    parked_emails,
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
            night or by hand for those of the last days, look again for emails that were left to a person, and
            show what nobody knows for sure.
    """
    decided = decide_on_held.map(held_messages(attempt_ids))
    taken_back = [take_back.map(list(untrue)) for untrue in completed(decided)]
    looks = look_for_outcome.map(unknown_attempts(attempt_ids))
    for some in taken_back:
        looks += some
    settled = list(completed(looks))
    failed = len(decided) - len(taken_back) + len(looks) - len(settled)
    parked = parked_emails() if asks_for_receipts and not attempt_ids else []
    again = in_portions(parked, lambda some: list(completed(look_for_parked.map(some))))
    silent = [] if attempt_ids else unconfirmed_messages(of_the_hour=asks_for_receipts)
    asked = in_portions(silent, lambda some: list(completed(ask_for_status.map(some))))
    settled += [*again.settled, *asked.settled]
    failed += again.failed + asked.failed
    name, message = ending(settled, failed, again.left + asked.left)
    if asks_for_receipts:
        message = f"{message}; {show_outstanding()}"
    return (Failed if failed else Completed)(name=name, message=message)
