"""A Prefect worker that runs the flows of its work pool in its own warm process.

A custom worker is an extension point of Prefect (docs.prefect.io/v3/advanced/developing-a-custom-worker).
Prefect's own process worker starts two interpreters for each run, which costs seconds; this one imports a
flow once and gives each run a thread. The price is that a run cannot be killed, only asked to stop.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import anyio.abc
import anyio.to_thread
import httpx
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.events import Event
from prefect.exceptions import Abort, Pause
from prefect.flow_engine import run_flow
from prefect.workers.base import BaseVariables, BaseWorker, BaseWorkerResult

from deployments.worker_events import CANCEL, Subscribe, filter_for, flow_run_id, listen, subscribe_once
from deployments.worker_flows import FlowCache, WarmConfiguration
from deployments.worker_runs import (
    Cancellations,
    Ending,
    Places,
    crash,
    end_cancelled,
    end_strays,
    hand_back,
    open_runs,
    state_of,
)
from deployments.worker_waiting import Beyond
from duebell.errors import ConfigurationError

SWEEP_SECONDS = 15.0
SYNC_SECONDS = 30.0
COALESCE_SECONDS = 0.05
LAST_WORDS_SECONDS = 3.0


class WarmResult(BaseWorkerResult):
    """Prefect's receipt for a run; the run's own state says how it went."""


class WarmWorker(BaseWorker[WarmConfiguration, BaseVariables, WarmResult]):
    """Runs the flows of one work pool in threads of this process.

    ``name`` stays: after a restart the worker ends the runs that it left behind under that name.
    ``around_run`` is entered in the run's own thread before its flow is loaded, and left after it has ended;
    what it puts into a ``ContextVar`` reaches the flow and its tasks. ``limit`` runs go on at once.
    Entrypoints are looked up from ``root``. A run waits at most ``poll_seconds`` when the event stream is
    away. ``cancellations`` is told which of the runs are to stop.
    """

    type = "duebell-warm"
    job_configuration = WarmConfiguration
    job_configuration_variables = BaseVariables

    def __init__(
        self,
        work_pool_name: str,
        *,
        name: str,
        around_run: Callable[[], AbstractContextManager[object]] = nullcontext,
        limit: int = 8,
        root: Path | None = None,
        poll_seconds: float = 3.0,
        cancellations: Cancellations | None = None,
        subscribe: Subscribe = subscribe_once,
    ) -> None:
        # Nothing is claimed before it is due: it would wait in a thread, and could not be cancelled.
        super().__init__(work_pool_name, name=name, limit=limit, prefetch_seconds=0)
        self.cancellations = cancellations or Cancellations()
        self._around_run = around_run
        self._flows = FlowCache(root or Path.cwd())
        self._poll_seconds, self._subscribe = poll_seconds, subscribe
        self._threads = anyio.CapacityLimiter(limit)
        self._places, self._beyond = Places(limit), Beyond()
        self._incarnation = f"{name}:{uuid4().hex[:8]}"
        self._born = datetime.now(UTC)
        self._active: dict[UUID, datetime] = {}  # with the time of the state in which each was claimed
        self._again: set[UUID] = set()
        self._stopping = self._hurry = False
        self._wake, self._synchronised = anyio.Event(), anyio.Event()

    async def serve(self, stop: anyio.Event, drain_seconds: float = 20.0) -> bool:
        """Run flows until ``stop`` is set, then let those that are running finish for ``drain_seconds``.

        Returns whether all of them did; what did not is ``Crashed``, and its thread may still be alive.
        """
        async with self:
            async with anyio.create_task_group() as loops:
                loops.start_soon(self._every, SYNC_SECONDS, self._synchronise)
                loops.start_soon(self._every, SWEEP_SECONDS, self._sweep)
                loops.start_soon(self._claim)
                loops.start_soon(self._listen)
                await stop.wait()
                self._stopping = True
                loops.cancel_scope.cancel()
            return await self._drain(drain_seconds)

    def stop_waiting(self) -> None:
        """End the drain now; what still runs is ``Crashed``."""
        self._hurry = True

    async def run(
        self,
        flow_run: FlowRun,
        configuration: WarmConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> WarmResult:
        """Take one claimed flow run to its end; called by Prefect's BaseWorker."""
        async with self._at_work(flow_run):
            if task_status is not None:
                task_status.started(self._incarnation)
            if self._stopping:
                await hand_back(self.client, flow_run.id)
            else:
                ending = await anyio.to_thread.run_sync(
                    self._in_thread,
                    flow_run,
                    configuration.entrypoint,
                    abandon_on_cancel=True,
                    limiter=self._threads,
                )
                await self._settle(flow_run.id, ending)
        return WarmResult(status_code=0, identifier=self._incarnation)

    @asynccontextmanager
    async def _at_work(self, flow_run: FlowRun) -> AsyncGenerator[None]:
        claimed = flow_run.state.timestamp if flow_run.state else self._born
        self._active[flow_run.id] = claimed
        try:
            yield
        finally:
            del self._active[flow_run.id]
            self.cancellations.forget(flow_run.id)
            if self.limiter.available_tokens <= 0 or flow_run.id in self._again:
                self._again.discard(flow_run.id)
                self._wake.set()  # somebody may be waiting for this place, or this run for its next attempt

    def _in_thread(self, flow_run: FlowRun, entrypoint: str) -> Ending:
        try:
            with self._around_run():
                flow = self._flows.load(entrypoint)
                state: object = run_flow(flow, flow_run=flow_run, return_type="state")
        except (Abort, Pause):  # Prefect's way to say that somebody else has settled the state
            return Ending(None)
        except ConfigurationError as error:
            return Ending(None, str(error))
        except BaseException as error:  # nothing that a flow raises, SystemExit among it, may end the worker
            self._logger.exception("Flow run %s could not be carried out", flow_run.id)
            return Ending(None, f"the run could not be carried out: {type(error).__name__}: {error}")
        return Ending(state.type if isinstance(state, State) else None)

    async def _settle(self, flow_run_id: UUID, ending: Ending) -> None:
        """Give the run its last state where Prefect's engine did not."""
        state = ending.state or await state_of(self.client, flow_run_id)
        # The server turns Completed away from Cancelling, but not from a Cancelled that was set by hand.
        if state is StateType.CANCELLING or (state and flow_run_id in self.cancellations):
            await end_cancelled(self.client, flow_run_id)
        elif ending.problem:
            await crash(self.client, flow_run_id, ending.problem)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            if not await self._attempt(work):
                await anyio.sleep(self._poll_seconds)
                continue
            await anyio.sleep(seconds)

    async def _attempt(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Do it; a server that is away, or answers amiss, is a reason to do it again later, never to end."""
        try:
            await work()
        except (httpx.HTTPError, RuntimeError) as error:
            self._logger.warning("%s failed: %s", getattr(work, "__name__", work), type(error).__name__)
            return False
        return True

    async def _synchronise(self) -> None:
        await self.sync_with_backend()
        if self._work_pool is not None:
            self._synchronised.set()

    async def _claim(self) -> None:
        """Claim what is due at each wake, and every ``poll_seconds`` without one."""
        while True:
            with anyio.move_on_after(self._poll_seconds):
                await self._wake.wait()
            await anyio.sleep(COALESCE_SECONDS)  # a burst of events is one question
            self._wake = anyio.Event()
            await self._attempt(self.get_and_submit_flow_runs)

    async def _submit_scheduled_flow_runs(
        self, flow_run_response: list[WorkerFlowRunResponse]
    ) -> list[FlowRun]:
        waiting = await self._beyond.added(self.client, self._work_pool_name, flow_run_response)
        # A run that was retried at once still has its old thread, which lingers for its last heartbeat.
        self._again |= {entry.flow_run.id for entry in waiting} & self._active.keys()
        free = [entry for entry in waiting if entry.flow_run.id not in self._active]
        at_work = {*self._active, *self._submitting_flow_run_ids}
        return await super()._submit_scheduled_flow_runs(self._places.shared(free, at_work))

    async def _listen(self) -> None:
        await self._synchronised.wait()
        await listen(filter_for(self.work_pool.id), self._heard, self._subscribe, self._logger)

    def _heard(self, event: Event | None) -> None:
        if event is None or event.event not in CANCEL:
            self._wake.set()
            return
        claimed = self._active.get(flow_run_id(event))
        # A new connection repeats the last minute: in it an earlier attempt may have been cancelled.
        if claimed is not None and event.occurred > claimed:
            self.cancellations.ask(flow_run_id(event))
        elif claimed is None and event.event == CANCEL[0] and self._runs_task_group is not None:
            self._runs_task_group.start_soon(self._attempt, self._sweep)

    async def _sweep(self) -> None:
        """End what was left behind under this name, and hear of cancellations that no event brought."""
        found = await open_runs(self.client, self._work_pool_name)
        ours = {*self._active, *self._submitting_flow_run_ids}
        for run in found:
            if run.id in self._active and run.state_type is StateType.CANCELLING:
                self.cancellations.ask(run.id)
        stray = [run for run in found if run.id not in ours]
        for ended in await end_strays(self.client, stray, self.name, self._born, datetime.now(UTC)):
            self._logger.warning("Flow run %s was left behind by an earlier worker of this name", ended)

    async def _drain(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            while (self._active or self._submitting_flow_run_ids) and not self._hurry:  # noqa: ASYNC110 -- Prefect's
                await anyio.sleep(0.1)
        left = list(self._active)
        message = f"The worker was stopped, and {seconds:.0f} s were not enough for this run to finish."
        with anyio.move_on_after(LAST_WORDS_SECONDS):
            for run in left:
                await crash(self.client, run, message)
        if self._runs_task_group is not None:
            self._runs_task_group.cancel_scope.cancel()
        return not left
