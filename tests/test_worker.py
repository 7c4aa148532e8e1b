"""The warm worker against a real server: it runs, retries, cancels, drains, and forgets nothing."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.schemas.objects import StateType

from deployments.worker_warm import WarmWorker
from tests.support_prefect import (
    RunningPrefect,
    wait_until,
    worker_in_thread,
)
from tests.support_prefect_toys import toys_in

RESOURCE: ContextVar[str] = ContextVar("RESOURCE")

RESOURCES = """
from pathlib import Path

from prefect import flow, task

from tests.test_worker import RESOURCE


@task
def seen(where: str) -> str:
    return f"{where} {RESOURCE.get('nothing')}"


@flow
def looks(out: str) -> None:
    lines = [f"flow {RESOURCE.get('nothing')}", seen("call"), seen.submit("submit").result()]
    Path(out).write_text("\\n".join([*lines, *seen.map(["map"]).result()]))
"""

BROKEN = "import a_library_that_nobody_has\n\n\ndef broken() -> None: ...\n"


@contextmanager
def lent() -> Generator[None]:
    token = RESOURCE.set("lent")
    try:
        yield
    finally:
        RESOURCE.reset(token)


@dataclass(frozen=True)
class Bench:
    """A folder of toy flows, deployed to a pool that a warm worker of this process serves."""

    prefect: RunningPrefect
    root: Path
    pool: str

    def deployed(self, entrypoint: str) -> UUID:
        return self.prefect.deploy(self.root, entrypoint, self.pool)


@pytest.fixture(scope="module")
def bench(prefect_server: RunningPrefect, tmp_path_factory: pytest.TempPathFactory) -> Generator[Bench]:
    root = toys_in(tmp_path_factory.mktemp("bench"))
    (root / "flows" / "resources.py").write_text(RESOURCES)

    def make() -> WarmWorker:
        return WarmWorker("bench", name="bench", around_run=lent, root=root, limit=4)

    with worker_in_thread(prefect_server, make):
        yield Bench(prefect_server, root, "bench")


def test_a_run_is_carried_out_and_a_retry_from_the_ui_carries_it_out_again(
    bench: Bench, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = bench.prefect.start_run(bench.deployed("flows/toys.py:quick"), out=str(out))
    assert bench.prefect.wait_for(run).state_type is StateType.COMPLETED

    bench.prefect.retry(run)  # at once, while the first attempt's thread still lingers

    wait_until(lambda: out.read_text() == "ran\nran\n", "the second attempt")
    assert bench.prefect.wait_for(run).run_count == 2


def test_what_surrounds_a_run_reaches_its_flow_and_its_tasks_however_they_are_called(
    bench: Bench, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = bench.prefect.start_run(bench.deployed("flows/resources.py:looks"), out=str(out))
    assert bench.prefect.wait_for(run).state_type is StateType.COMPLETED
    assert out.read_text().splitlines() == ["flow lent", "call lent", "submit lent", "map lent"]


def test_a_flow_that_cannot_be_imported_crashes_its_run_with_the_cause_and_not_the_worker(
    bench: Bench, tmp_path: Path
) -> None:
    broken = bench.root / "flows" / "broken.py"
    broken.write_text("from prefect import flow\n\n\n@flow\ndef broken() -> None: ...\n")
    deployment = bench.deployed("flows/broken.py:broken")
    broken.write_text(BROKEN)

    state = bench.prefect.wait_for(bench.prefect.start_run(deployment)).state

    assert state is not None
    assert state.type is StateType.CRASHED
    assert "a_library_that_nobody_has" in (state.message or "")
    out = tmp_path / "out"
    next_run = bench.prefect.start_run(bench.deployed("flows/toys.py:quick"), out=str(out))
    assert bench.prefect.wait_for(next_run).state_type is StateType.COMPLETED


def test_a_flow_that_leaves_the_interpreter_ends_its_own_run_only(bench: Bench, tmp_path: Path) -> None:
    run = bench.prefect.start_run(bench.deployed("flows/toys.py:leaves"))
    assert bench.prefect.wait_for(run).state_type is StateType.CRASHED
    next_run = bench.prefect.start_run(bench.deployed("flows/toys.py:quick"), out=str(tmp_path / "out"))
    assert bench.prefect.wait_for(next_run).state_type is StateType.COMPLETED


def test_a_running_flow_that_is_cancelled_ends_cancelled_when_its_thread_does(
    bench: Bench, tmp_path: Path
) -> None:
    run = bench.prefect.start_run(bench.deployed("flows/toys.py:gated"), folder=str(tmp_path))
    wait_until((tmp_path / "started").exists, "the flow began")

    bench.prefect.cancel(run)
    assert bench.prefect.read_run(run).state_type is StateType.CANCELLING
    (tmp_path / "open").touch()

    assert bench.prefect.wait_for(run).state_type is StateType.CANCELLED
    assert (tmp_path / "finished").exists()


def test_cancelled_set_by_hand_is_not_overwritten_by_the_thread_that_completes(
    bench: Bench, tmp_path: Path
) -> None:
    run = bench.prefect.start_run(bench.deployed("flows/toys.py:gated"), folder=str(tmp_path))
    wait_until((tmp_path / "started").exists, "the flow began")
    bench.prefect.set_state(run, StateType.CANCELLED, "Cancelled", force=True)
    (tmp_path / "open").touch()
    wait_until((tmp_path / "finished").exists, "the flow ended")

    def names() -> list[str]:
        with bench.prefect.client() as client:
            return [state.name or "" for state in client.read_flow_run_states(run)]

    # The engine's own last word comes first, and is put right.
    wait_until(lambda: names()[-2:] == ["Completed", "Cancelled"], "the last words of the run")


def test_a_retried_run_that_is_cancelled_before_it_starts_never_starts(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = bench.prefect.start_run(bench.deployed("flows/toys.py:quick"), out=str(out))
    bench.prefect.wait_for(run)
    with bench.prefect.http() as http:
        later: dict[str, object] = {"type": "SCHEDULED", "name": "AwaitingRetry"}
        later["state_details"] = {"scheduled_time": "2099-01-01T00:00:00Z"}
        http.post(f"/flow_runs/{run}/set_state", json={"state": later, "force": True}).raise_for_status()

    bench.prefect.cancel(run)  # Cancelling, not Cancelled: Prefect still knows where it ran before

    assert bench.prefect.wait_for(run, StateType.CANCELLED).state_type is StateType.CANCELLED
    assert out.read_text() == "ran\n"


def test_a_scheduled_run_that_is_cancelled_never_starts(bench: Bench, tmp_path: Path) -> None:
    deployment = bench.deployed("flows/toys.py:quick")
    with bench.prefect.http() as http:
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": "2099-01-01T00:00:00Z"}}
        body = {"state": state, "parameters": {"out": str(tmp_path / "out")}}
        run = UUID(http.post(f"/deployments/{deployment}/create_flow_run", json=body).json()["id"])
    bench.prefect.cancel(run)
    assert bench.prefect.wait_for(run).state_type is StateType.CANCELLED
    assert not (tmp_path / "out").exists()
