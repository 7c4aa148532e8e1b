"""What waits for the worker at Prefect: page by page, so that the burst of one tenant hides no other."""

from datetime import datetime
from time import monotonic
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.responses import WorkerFlowRunResponse

from deployments.worker_runs import PAGE
from duebell.clock import system_clock

ASK_EVERY = 15.0
"""Seconds between two looks beyond the first page: every page is hundreds of whole runs."""

MOST_PAGES = 20


class Beyond:
    """Adds to a full first page what stands behind it, now and then."""

    def __init__(self) -> None:
        self._next = 0.0

    async def added(
        self, client: PrefectClient, work_pool: str, first: list[WorkerFlowRunResponse]
    ) -> list[WorkerFlowRunResponse]:
        """The first page, or all that waits where it is full and the time has come to look."""
        if len(first) < PAGE or monotonic() < self._next:
            return first
        self._next = monotonic() + ASK_EVERY
        return await all_waiting(client, work_pool)


async def all_waiting(client: PrefectClient, work_pool: str, page: int = PAGE) -> list[WorkerFlowRunResponse]:
    """Every run that is due, as Prefect orders them; ``page`` is how many one answer holds.

    Prefect takes no offset here, but a time from which on: the last of a page is the first of the next.
    """
    found: dict[UUID, WorkerFlowRunResponse] = {}
    after: datetime | None = None
    for _ in range(MOST_PAGES):
        answer = await _ask(client, work_pool, page, after)
        new = [entry for entry in answer if entry.flow_run.id not in found]
        found |= {entry.flow_run.id: entry for entry in new}
        if len(answer) < page or not new:
            break
        after = new[-1].flow_run.next_scheduled_start_time
    return list(found.values())


async def _ask(
    client: PrefectClient, work_pool: str, page: int, after: datetime | None
) -> list[WorkerFlowRunResponse]:
    body: dict[str, object] = {"scheduled_before": system_clock().isoformat(), "limit": page}
    if after is not None:
        body["scheduled_after"] = after.isoformat()
    path = "/work_pools/{name}/get_scheduled_flow_runs"
    answer = await client.request("POST", path, path_params={"name": work_pool}, json=body)
    return WorkerFlowRunResponse.model_validate_list(answer.json())
