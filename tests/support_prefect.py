"""A real Prefect server for the tests that need one, and warm workers beside it."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import anyio
import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events.worker import EventsWorker
from prefect.flows import load_flow_from_entrypoint
from prefect.logging.handlers import APILogWorker
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
    PREFECT_HOME,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    temporary_settings,
)

from deployments.prefect_server import PrefectServer, end_group
from deployments.worker_warm import WarmWorker
from tests.support_ports import free_port
from tests.support_provisioned import copy_provisioned, wait_ready

ROOT = Path(__file__).resolve().parents[1]
Kind = TypeVar("Kind", bound=PrefectServer)
FINAL = {StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED, StateType.CRASHED}


LONGEST = 300.0
"""How long a test waits for what has to come, in seconds: a slow machine is no failure."""


def wait_until(condition: Callable[[], object], what: str, seconds: float = LONGEST) -> None:
    """Return as soon as ``condition`` holds; fail with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.05)


class Patient(httpx.HTTPTransport):
    """Asks again while the server answers 503: on SQLite its own writers lock each other out for moments."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, up to forty times."""
        response = super().handle_request(request)
        for _ in range(40):
            if response.status_code != 503:
                break
            response.close()
            time.sleep(0.25)
            response = super().handle_request(request)
        return response


@dataclass(frozen=True)
class RunningPrefect:
    """A server that runs for the length of the test session."""

    server: PrefectServer
    provisioned: bool = False
    """Whether it has the work pool, the deployments and the automation already."""

    @property
    def api_url(self) -> str:
        """Where it answers, with ``/api``."""
        return self.server.api_url

    @property
    def environment(self) -> dict[str, str]:
        """What a child process needs to use it: the present environment and the client settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        ours = {"DUEBELL_HOME": str(self.server.home / "duebell"), "DUEBELL_ENV_FILE": "none"}
        return {**kept, **ours, **self.server.client_environment(), "PYTHONPATH": str(ROOT)}

    @contextmanager
    def settings(self) -> Generator[None]:
        """Let Prefect's own clients in this process use the server."""
        with temporary_settings(
            {
                PREFECT_API_URL: self.api_url,
                PREFECT_API_AUTH_STRING: self.server.auth_string,
                PREFECT_HOME: self.server.home / "prefect",
                PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False,
                PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False,
            }
        ):
            yield

    @contextmanager
    def client(self) -> Generator[SyncPrefectClient]:
        """Prefect's own synchronous client, connected to the server."""
        with self.settings(), get_client(sync_client=True) as client:
            yield client

    def http(self) -> httpx.Client:
        """A plain client of the REST API, with the key."""
        user, _, password = self.server.auth_string.partition(":")
        return httpx.Client(
            base_url=self.api_url, auth=(user, password), trust_env=False, transport=Patient(), timeout=60
        )

    def deploy(self, root: Path, entrypoint: str, pool: str) -> UUID:
        """Deploy the flow at ``entrypoint`` (seen from ``root``) to the pool; returns the deployment's id."""
        path, _, function = entrypoint.partition(":")
        with self.client() as client:
            flow = load_flow_from_entrypoint(f"{root / path}:{function}")
            return client.create_deployment(
                client.create_flow(flow), flow.name, entrypoint=entrypoint, work_pool_name=pool
            )

    def start_run(self, deployment: UUID, **parameters: Any) -> UUID:
        """Have a run made, due now; returns its id."""
        with self.client() as client:
            return client.create_flow_run_from_deployment(deployment, parameters=parameters).id

    def read_run(self, run: UUID) -> FlowRun:
        """The run as the server has it now."""
        with self.client() as client:
            return client.read_flow_run(run)

    def set_state(self, run: UUID, state: StateType, name: str, *, force: bool) -> None:
        """What the buttons of the UI do: set a state, with or without force."""
        body = {"state": {"type": state.value, "name": name}, "force": force}
        with self.http() as http:
            http.post(f"/flow_runs/{run}/set_state", json=body).raise_for_status()

    def retry(self, run: UUID) -> None:
        """The UI's retry button."""
        self.set_state(run, StateType.SCHEDULED, "AwaitingRetry", force=True)

    def cancel(self, run: UUID) -> None:
        """The UI's cancel button."""
        self.set_state(run, StateType.CANCELLING, "Cancelling", force=False)

    def wait_for(self, run: UUID, *states: StateType, seconds: float = LONGEST) -> FlowRun:
        """The run, as soon as it is in one of ``states`` (by default: in a final one)."""
        wanted = set(states) or FINAL
        wait_until(lambda: self.read_run(run).state_type in wanted, f"run {run} in {wanted}", seconds)
        return self.read_run(run)

    def online(self, pool: str, name: str, since: datetime | None = None) -> bool:
        """Whether the server has heard from this worker, ``since`` the one of that name now was started."""
        with self.http() as http:
            answer = http.post(f"/work_pools/{pool}/workers/filter", json={})
            found: list[dict[str, Any]] = answer.json() if answer.is_success else []
        return any(
            worker["name"] == name
            and worker["status"] == "ONLINE"
            and (since is None or datetime.fromisoformat(worker["last_heartbeat_time"]) >= since)
            for worker in found
        )


SERVER = pytest.StashKey[RunningPrefect]()
ITS_THREADS = {f"{service.__name__}Thread" for service in (EventsWorker, APILogWorker)}


@pytest.fixture(scope="session")
def prefect_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> RunningPrefect:
    """The one real server of the session, provisioned, on a free port, with a home of its own.

    Kept in pytest's own stash: each module that imports a session fixture would otherwise get one of its own.
    """
    config = request.config
    if SERVER not in config.stash:
        home, port = tmp_path_factory.mktemp("prefect"), free_port()
        copy_provisioned(tmp_path_factory, home, port)
        server = PrefectServer(home, port)
        config.add_cleanup(lambda: end(server))
        server.start()
        wait_ready(server)
        config.stash[SERVER] = RunningPrefect(server, provisioned=True)
    return config.stash[SERVER]


@contextmanager
def own_server(
    factory: pytest.TempPathFactory, name: str, kind: type[Kind]
) -> Generator[tuple[Kind, RunningPrefect]]:
    """A provisioned server that no other test uses; ended at the end."""
    home, port = factory.mktemp(name), free_port()
    copy_provisioned(factory, home, port)
    server = kind(home, port)
    with running(server, provisioned=True) as prefect:
        yield server, prefect


@contextmanager
def running(server: PrefectServer, *, provisioned: bool = False) -> Generator[RunningPrefect]:
    """The server, started and ready; ended at the end."""
    server.start()
    try:
        wait_ready(server)
        yield RunningPrefect(server, provisioned=provisioned)
    finally:
        end(server)


def end(server: PrefectServer) -> None:
    """Stop it, after Prefect's own threads of this process have let go of their connections to it."""
    let_go()
    server.stop()


@pytest.fixture(autouse=True, scope="module")
def nothing_of_prefect_left_behind() -> Generator[None]:
    """What a file's tests had Prefect's clients start in this process ends with that file."""
    yield
    if any(thread.name in ITS_THREADS for thread in threading.enumerate()):
        let_go()


def let_go() -> None:
    """End what Prefect's clients leave running in this process, and collect its sockets without a warning.

    Its threads draw from ``random`` (the pings of their sockets), which hypothesis notices in whichever test
    runs then. Its worker channel is closed under a cancelled scope, where the closing does not get to wait.
    """
    EventsWorker.drain_all()
    APILogWorker.drain_all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def child(prefect: RunningPrefect, command: Sequence[str], cwd: Path) -> Generator["subprocess.Popen[bytes]"]:
    """A Python child that uses the server; its output goes to ``<cwd>/child.log``. Ended at the end."""
    with (cwd / "child.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd,
            env=prefect.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end_group(process, 5.0)


@contextmanager
def worker_process(
    prefect: RunningPrefect, root: Path, pool: str, name: str, *options: str
) -> Generator["subprocess.Popen[bytes]"]:
    """``python -m deployments.worker`` as a child, ready to run flows that lie under ``root``."""
    command = ["-m", "deployments.worker", "--pool", pool, "--name", name, *options]
    with child(prefect, command, root) as process:
        wait_until(lambda: process.poll() is not None or prefect.online(pool, name), "the worker is online")
        assert process.poll() is None, (root / "child.log").read_text()
        yield process


@contextmanager
def worker_in_thread(
    prefect: RunningPrefect, make: Callable[[], WarmWorker], drain_seconds: float = 10.0
) -> Generator[WarmWorker]:
    """The worker that ``make`` returns, running in a thread of this process; drained at the end."""
    ready: list[tuple[WarmWorker, Callable[[], object]]] = []

    async def serve() -> None:
        worker, stop, loop = make(), anyio.Event(), asyncio.get_running_loop()
        ready.append((worker, lambda: loop.call_soon_threadsafe(stop.set)))
        await worker.serve(stop, drain_seconds)

    with prefect.settings():
        context = copy_context()
    thread = threading.Thread(target=context.run, args=(anyio.run, serve), name="warm worker")
    thread.start()
    try:
        wait_until(lambda: ready or not thread.is_alive(), "the worker is made")
        worker, stop = ready[0]
        wait_until(lambda: worker.get_status()["work_pool"], "the worker knows its pool")
        yield worker
    finally:
        for _, stop in ready:
            stop()
        thread.join(drain_seconds + 10)
        ready.clear()
        let_go()
