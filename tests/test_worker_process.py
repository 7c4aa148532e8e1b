"""The warm worker as a process: without its event stream, killed, stopped, doubled."""

import signal
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from prefect.client.schemas.objects import StateType
from prefect.events.filters import EventFilter

from deployments.worker_events import Subscriber, subscribe_once
from deployments.worker_warm import WarmWorker
from tests.support_prefect import (
    LONGEST,
    RunningPrefect,
    child,
    wait_until,
    worker_in_thread,
    worker_process,
)
from tests.support_prefect_toys import toys_in


def test_without_the_event_stream_polling_finds_the_work_and_the_stream_is_opened_again(
    prefect_server: RunningPrefect, tmp_path: Path
) -> None:
    root, failures, opened = toys_in(tmp_path / "root"), list[str](), list[str]()

    def subscribe(wanted: EventFilter) -> AbstractAsyncContextManager[Subscriber]:
        if not (tmp_path / "mended").exists():
            failures.append("refused")
            raise ConnectionError("the stream is away")
        opened.append("opened")
        return subscribe_once(wanted)

    def make() -> WarmWorker:
        return WarmWorker("deaf", name="deaf", root=root, poll_seconds=0.5, subscribe=subscribe)

    with worker_in_thread(prefect_server, make) as worker:
        deployment = prefect_server.deploy(root, "flows/toys.py:quick", "deaf")
        run = prefect_server.start_run(deployment, out=str(tmp_path / "out"))
        assert prefect_server.wait_for(run).state_type is StateType.COMPLETED
        assert failures
        (tmp_path / "mended").touch()
        wait_until(lambda: opened, "the stream is opened again")
        gate = tmp_path / "gate"
        gate.mkdir()
        asked = prefect_server.start_run(
            prefect_server.deploy(root, "flows/toys.py:gated", "deaf"), folder=str(gate)
        )
        wait_until((gate / "started").exists, "the second flow began")
        prefect_server.cancel(asked)
        wait_until(lambda: asked in worker.cancellations, "the worker heard of the cancellation")
        (gate / "open").touch()
        assert prefect_server.wait_for(asked).state_type is StateType.CANCELLED


def test_what_a_flow_its_tasks_and_the_package_log_is_on_the_run_s_page(
    prefect_server: RunningPrefect, tmp_path: Path
) -> None:
    root = toys_in(tmp_path / "root")
    expected = {"from the flow", "from the task", "from the package"}
    with worker_process(prefect_server, root, "talk", "talk"):
        run = prefect_server.start_run(prefect_server.deploy(root, "flows/toys.py:talks", "talk"))
        assert prefect_server.wait_for(run).state_type is StateType.COMPLETED

        def logged() -> set[str]:
            with prefect_server.http() as http:
                wanted = {"logs": {"flow_run_id": {"any_": [str(run)]}}}
                return {line["message"] for line in http.post("/logs/filter", json=wanted).json()}

        wait_until(lambda: expected <= logged(), "the lines on the run's page")


def test_f104_f109_a_killed_worker_s_run_has_crashed_at_its_next_start_and_a_term_signal_drains(
    prefect_server: RunningPrefect, tmp_path: Path
) -> None:
    root, first, second = toys_in(tmp_path / "root"), tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with worker_process(prefect_server, root, "mortal", "mortal") as worker:
        deployment = prefect_server.deploy(root, "flows/toys.py:gated", "mortal")
        run = prefect_server.start_run(deployment, folder=str(first))
        wait_until((first / "started").exists, "the flow began")
        worker.kill()
        worker.wait()
    assert prefect_server.read_run(run).state_type is StateType.RUNNING

    with worker_process(prefect_server, root, "mortal", "mortal") as worker:
        assert prefect_server.wait_for(run).state_type is StateType.CRASHED
        run = prefect_server.start_run(deployment, folder=str(second))
        wait_until((second / "started").exists, "the second flow began")
        worker.send_signal(signal.SIGTERM)
        after = prefect_server.start_run(deployment, folder=str(first))
        (second / "open").touch()
        assert worker.wait(20) == 0
    assert prefect_server.read_run(run).state_type is StateType.COMPLETED
    assert prefect_server.read_run(after).state_type is StateType.SCHEDULED


def test_a_drain_ends_in_time_and_a_second_worker_of_the_same_name_is_refused(
    prefect_server: RunningPrefect, tmp_path: Path
) -> None:
    root, gate = toys_in(tmp_path / "root"), tmp_path / "gate"
    gate.mkdir()
    with worker_process(prefect_server, root, "brief", "brief", "--drain-seconds", "1") as worker:
        deployment = prefect_server.deploy(root, "flows/toys.py:gated", "brief")
        run = prefect_server.start_run(deployment, folder=str(gate))
        wait_until((gate / "started").exists, "the flow began")
        second = ["-m", "deployments.worker", "--pool", "brief", "--name", "brief"]
        with child(prefect_server, second, tmp_path) as refused:
            assert refused.wait(LONGEST) == 1
        assert "runs already" in (tmp_path / "child.log").read_text()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(15) == 3
    assert prefect_server.read_run(run).state_type is StateType.CRASHED
