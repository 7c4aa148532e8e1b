"""The bookkeeping of runs that Prefect leaves to whoever runs them: cancelled, crashed, handed back, stray.

A thread cannot be killed, so a cancelled run stays ``Cancelling`` until its thread ends; and a worker that
was killed leaves its runs ``Running`` for ever (github.com/PrefectHQ/prefect/issues/16746).
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed, Scheduled

WORKER_LABEL = "prefect.worker.name"  # given by Prefect's BaseWorker between Pending and Submitting
CLAIM_GRACE = timedelta(seconds=60)
OPEN = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
KEPT_FREE = 2  # places that no single tenant takes
PAGE = 200  # PREFECT_SERVER_API_DEFAULT_LIMIT, the most that one answer holds

Fate = Literal["leave", "crashed", "cancelled"]


class Cancellations:
    """The runs of this process that somebody asked to stop; may be asked from any thread.

    It only looks at what the worker has heard, so a flow's task can ask it before every step at no cost;
    Prefect's own answer (``client.read_flow_run``) is the surer one where a second matters.
    """

    def __init__(self) -> None:
        self._asked: frozenset[UUID] = frozenset()

    def __contains__(self, flow_run_id: UUID) -> bool:
        return flow_run_id in self._asked

    def ask(self, flow_run_id: UUID) -> None:
        """Note that this run is to stop; called on the worker's own event loop only."""
        self._asked |= {flow_run_id}

    def forget(self, flow_run_id: UUID) -> None:
        """The run has ended; called on the worker's own event loop only."""
        self._asked -= {flow_run_id}


class Places:
    """Shares the places of a worker among tenants, so that the burst of one never takes the last of them.

    Prefect hands runs out in the order of their time: those of a tenant that is slow, or waits for Xero,
    would otherwise fill every place while another's single run stood behind them.
    """

    def __init__(self, limit: int) -> None:
        self._most = max(1, limit - KEPT_FREE)
        self._tenants: dict[UUID, str] = {}

    def shared(
        self, waiting: Sequence[WorkerFlowRunResponse], at_work: Collection[UUID]
    ) -> list[WorkerFlowRunResponse]:
        """Those of the waiting runs that may begin, the tenant with the fewest at work first."""
        self._tenants = {run: tenant for run, tenant in self._tenants.items() if run in at_work}
        busy, ranked = Counter(self._tenants.values()), list[tuple[int, WorkerFlowRunResponse]]()
        for entry in waiting:
            tenant = str((entry.flow_run.parameters or {}).get("tenant_id", ""))
            if entry.flow_run.id not in self._tenants:
                self._tenants[entry.flow_run.id] = tenant
                ranked.append((busy[tenant], entry))
                busy[tenant] += 1
        chosen = [(rank, entry) for rank, entry in ranked if rank < self._most]
        return [entry for _, entry in sorted(chosen, key=lambda one: one[0])]


@dataclass(frozen=True)
class Ending:
    """How a run's thread ended: in which state, or (``None``) by what it was kept from running."""

    state: StateType | None
    problem: str = ""


@dataclass(frozen=True)
class Claim:
    """Who last took a run (``""``: nobody has put a name on it), and what state it has been in since when."""

    worker: str
    state: StateType
    since: datetime


def fate(claim: Claim, worker: str, started: datetime, now: datetime) -> Fate:
    """What becomes of an open run that no thread of ``worker``, running since ``started``, works on.

    A run that is being claimed is ``Pending`` under its previous worker's name, or under none, for some
    milliseconds; hence the grace. Runs of other workers are left to them.
    """
    old = now - claim.since > CLAIM_GRACE
    if claim.worker not in {worker, ""} or (claim.worker == "" and not old):
        return "leave"
    if claim.state is StateType.CANCELLING:
        return "cancelled"
    if claim.state is StateType.PENDING:
        return "crashed" if old or claim.since < started else "leave"
    return "crashed" if claim.worker == worker else "leave"


def claim_of(run: FlowRun) -> Claim | None:
    """The claim that Prefect has recorded for this run; ``None`` for a run without a state."""
    if run.state is None:
        return None
    return Claim(str(run.labels.get(WORKER_LABEL, "")), run.state.type, run.state.timestamp)


async def open_runs(client: PrefectClient, work_pool: str) -> list[FlowRun]:
    """Every run of the pool that somebody claimed and nobody ended."""
    found: list[FlowRun] = []
    while True:
        page = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=OPEN))),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[work_pool])),
            limit=PAGE,
            offset=len(found),
        )
        found += page
        if len(page) < PAGE:
            return found


async def end_strays(
    client: PrefectClient, runs: Sequence[FlowRun], worker: str, started: datetime, now: datetime
) -> list[UUID]:
    """End those of ``runs`` that nobody works on any more; returns which ones."""
    ended: list[UUID] = []
    for run in runs:
        claim = claim_of(run)
        outcome: Fate = "leave" if claim is None else fate(claim, worker, started, now)
        if outcome == "crashed":
            await crash(client, run.id, f"Worker {worker!r} no longer runs this: it ended, or lost the run.")
        elif outcome == "cancelled":
            await end_cancelled(client, run.id)
        if outcome != "leave":
            ended.append(run.id)
    return ended


async def crash(client: PrefectClient, flow_run_id: UUID, message: str) -> None:
    """Set ``Crashed``; Prefect refuses it for a run that has ended meanwhile, which is as it should be."""
    try:
        await client.set_flow_run_state(flow_run_id, Crashed(message=message))
    except ObjectNotFound:
        return


async def end_cancelled(client: PrefectClient, flow_run_id: UUID) -> None:
    """Set ``Cancelled``, whatever the state is now."""
    try:
        await client.set_flow_run_state(flow_run_id, Cancelled(message="Cancelled while it ran."), force=True)
    except ObjectNotFound:
        return


async def hand_back(client: PrefectClient, flow_run_id: UUID) -> None:
    """Return a run that was claimed but never begun to the queue; a cancelled one is left as it is."""
    try:
        await client.set_flow_run_state(flow_run_id, Scheduled(message="The worker is stopping."))
    except ObjectNotFound:
        return


async def state_of(client: PrefectClient, flow_run_id: UUID) -> StateType | None:
    """The type of the run's present state; ``None`` when the run was deleted."""
    try:
        run = await client.read_flow_run(flow_run_id)
    except ObjectNotFound:
        return None
    return run.state_type
