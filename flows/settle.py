"""A message was posted and its answer or its receipts were not seen: find out what became of it."""

from collections import Counter

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.messages import ask_for_status, look_for_outcome, unconfirmed_messages, unknown_attempts


@flow(name="settle", persist_result=False)
def settle(attempt_ids: list[str] | None = None) -> State[None]:
    """Look for the outcome of attempts that nobody knows, by evidence; nothing is ever sent here.

    Args:
        attempt_ids: the attempts to look for now; without them, all that are due, and the messages whose
            final receipt is missing after an hour.
    """
    settled = look_for_outcome.map(unknown_attempts(attempt_ids)).result()
    asked = [] if attempt_ids else ask_for_status.map(unconfirmed_messages()).result()
    counts = Counter(one.outcome for one in [*settled, *asked])
    message = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    return Completed(name="Settled" if counts else "Nothing to settle", message=message or "none was due")
