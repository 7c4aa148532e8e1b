"""Flows, imported once from the entrypoints of their deployments and kept for the life of the worker."""

import sys
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.schemas.objects import Flow as FlowRecord
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import MissingFlowError, ScriptError
from prefect.flows import load_flow_from_entrypoint
from prefect.workers.base import BaseJobConfiguration
from pydantic import PrivateAttr

from duebell.errors import ConfigurationError


class WarmConfiguration(BaseJobConfiguration):
    """What the worker needs to know of one run: the entrypoint of its deployment."""

    _entrypoint: str = PrivateAttr(default="")

    @property
    def entrypoint(self) -> str:
        """``path.py:function``, seen from the root; ``""`` where the run has no deployment."""
        return self._entrypoint

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: FlowRecord | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Prefect's hook between claiming a run and running it."""
        super().prepare_for_flow_run(flow_run, deployment, flow, work_pool, worker_name, worker_id)
        self._entrypoint = (deployment.entrypoint if deployment else None) or ""


class FlowCache:
    """The flows that this process has imported, by entrypoint; asked from many threads.

    An import that fails is not kept: the next run tries it again.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._flows: dict[str, Flow[..., Any]] = {}
        self._importing = Lock()

    def load(self, entrypoint: str) -> Flow[..., Any]:
        """The flow at ``path.py:function`` (seen from the root). Raises ConfigurationError with the cause."""
        with self._importing:
            if entrypoint not in self._flows:
                self._flows[entrypoint] = self._import(entrypoint)
            return self._flows[entrypoint]

    def _import(self, entrypoint: str) -> Flow[..., Any]:
        before = [str(self._root), *(entry for entry in sys.path if entry != str(self._root))]
        sys.path[:] = before
        try:
            # By default Prefect hides an import that failed behind a placeholder made from the source text.
            flow: Flow[..., Any] = load_flow_from_entrypoint(
                self._absolute(entrypoint), use_placeholder_flow=False
            )
        except ScriptError as error:
            cause = error.user_exc
            raise ConfigurationError(
                f"flow {entrypoint} cannot be imported: {type(cause).__name__}: {cause}"
            ) from error
        except (MissingFlowError, ImportError, ValueError) as error:
            raise ConfigurationError(f"flow {entrypoint} cannot be found: {error}") from error
        finally:
            # Prefect leaves the flow's own folder first, where its file names would hide libraries.
            sys.path[:] = before
        if flow.isasync or flow.isgenerator:
            raise ConfigurationError(f"flow {entrypoint} is not a plain function: make it one")
        return flow

    def _absolute(self, entrypoint: str) -> str:
        path, found, function = entrypoint.rpartition(":")
        return f"{self._root / path}:{function}" if found and path.endswith(".py") else entrypoint
