"""The road over Prefect's own process worker, which starts interpreters of its own for every run."""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from deployments.children import Child
from deployments.prefect_server import PrefectServer
from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.server import running_sandbox
from duebell.ledger.engine import open_ledger
from duebell.ledger.invariants import broken
from duebell.settings import load
from tests.support_ports import free_port
from tests.support_prefect import RunningPrefect, running, wait_until
from tests.support_provisioned import run_once
from tests.support_road import Road, environment_for, go_live


@pytest.fixture
def own_prefect(tmp_path: Path) -> Generator[RunningPrefect]:
    """A server of its own: a work pool cannot change its type."""
    with running(PrefectServer(tmp_path, free_port())) as prefect:
        yield prefect


def _stock_worker(environment: dict[str, str], logs: Path) -> Child:
    """Prefect's own worker as an operator starts it, with the road's environment."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--type", "process"]
    return Child("stock-worker", [*command, "--pool", "duebell", "--name", "stock"], environment, logs)


def test_an_invoice_is_told_once_over_prefects_own_process_worker(
    own_prefect: RunningPrefect, tmp_path: Path
) -> None:
    listen = f"127.0.0.1:{free_port()}"
    wanted = SandboxSettings(webhook_url=f"http://{listen}/webhooks/xero", callback_step_seconds=0.05)
    with running_sandbox(wanted) as sandbox:
        environment = environment_for(tmp_path / "duebell", listen, sandbox.base_url, own_prefect)
        settings = load(environment, env_file=None)
        run_once(environment, "deployments.provision", "--stock")
        run_once(environment, "deployments.connect")
        engine = open_ledger(settings.database_url.get_secret_value())
        go_live(engine)
        road = Road(own_prefect, sandbox, tmp_path / "duebell", environment, engine, settings)
        worker = _stock_worker(environment, road.home / "logs")
        try:
            worker.start()
            road.start("receiver")
            wait_until(lambda: own_prefect.online("duebell", "stock"), f"it is online, see {worker.log}")
            invoice = road.issue()
            road.wait_for(invoice.invoice_id, "delivered")
            assert len(road.messages(invoice)) == 1
            assert own_prefect.wait_for(road.run_of(invoice).id).state_name == "Told"
        finally:
            worker.stop()
            road.stop("receiver")
            assert broken(engine) == []
            engine.dispose()
