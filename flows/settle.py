"""A message was posted and nobody saw the answer: find out what became of it."""

from collections import Counter

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.messages import look_for_outcome, unknown_attempts


@flow(name="settle", persist_result=False)
def settle(attempt_ids: list[str] | None = None) -> State[None]:
    """Look for the outcome of attempts that nobody knows, by evidence; nothing is ever sent here.

    Args:
        attempt_ids: the attempts to look for now; without them, all that are due.
    """
    due = unknown_attempts(attempt_ids)
    settled = look_for_outcome.map(due).result()
    counts = Counter(one.outcome for one in settled)
    message = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    return Completed(name="Settled" if settled else "Nothing to settle", message=message or "none was due")
