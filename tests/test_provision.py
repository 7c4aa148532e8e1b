"""What is made at Prefect: the same objects however often, and what a stock process worker can run too."""

import json
import subprocess
import sys
import uuid
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from deployments.prefect_server import PrefectServer
from deployments.provision import (
    CRASH_AUTOMATION,
    FLIGHT_LIMIT,
    QUEUES,
    RATE_DECAY,
    RATE_LIMIT,
    crash_automation,
    ensure_tenant_limits,
)
from duebell.errors import ConfigurationError
from duebell.ledger.engine import migrate, open_ledger
from duebell.ledger.tenants import disconnect
from duebell.prefect_names import flight_limit_name, rate_limit_name
from tests.support_facts import open_tenant
from tests.support_ports import free_port
from tests.support_prefect import (
    ROOT,
    RunningPrefect,
    child,
    running,
    wait_until,
    worker_process,
)


@pytest.fixture(scope="module", name="prefect_server")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningPrefect]:
    """A server of its own: these tests count what is at Prefect, and hear its events."""
    with running(PrefectServer(tmp_path_factory.mktemp("provision"), free_port())) as prefect:
        yield prefect


FLOWS = """
from pathlib import Path

from prefect import flow


@flow
def hears(tenant_id: str) -> None:
    Path(tenant_id).write_text("heard")
"""

DEPLOYMENTS = """
deployments:
  - name: hears
    entrypoint: flows/hears.py:hears
    tags: [duebell]
    work_pool: {name: duebell, work_queue_name: default}
    triggers:
      - type: event
        name: toy-received
        expect: [toy.received]
        match: {prefect.resource.id: toy.tenant.*}
        for_each: [prefect.resource.id]
        within: 2
        threshold: 1
        parameters: {tenant_id: "{{ event.payload.tenant_id }}"}
"""


@pytest.fixture(scope="module")
def silent_run(prefect_server: RunningPrefect) -> UUID:
    """A run that gave one heartbeat and no other; begun early, because Prefect waits ten seconds at least."""
    quick = crash_automation(timedelta(seconds=10)).model_copy(update={"name": "quick"})
    with prefect_server.client() as client, prefect_server.http() as http:
        client.create_automation(quick)
        flow_id = http.post("/flows/", json={"name": "silent"}).json()["id"]
        body = {"flow_id": flow_id, "tags": ["duebell"], "state": {"type": "RUNNING"}}
        run = UUID(http.post("/flow_runs/", json=body).json()["id"])
        heartbeat = {
            "id": str(uuid.uuid4()),
            "occurred": datetime.now(UTC).isoformat(),
            "event": "prefect.flow-run.heartbeat",
            "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
            "related": [{"prefect.resource.id": "prefect.tag.duebell", "prefect.resource.role": "tag"}],
        }
        http.post("/events", json=[heartbeat]).raise_for_status()
    return run


@pytest.fixture(scope="module")
def checkout(
    prefect_server: RunningPrefect, silent_run: UUID, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A checkout of one toy flow, without git, provisioned once."""
    assert silent_run  # so that its ten seconds pass meanwhile
    root = tmp_path_factory.mktemp("checkout")
    (root / "flows").mkdir()
    (root / "flows" / "hears.py").write_text(FLOWS)
    (root / "prefect.yaml").write_text(DEPLOYMENTS)
    provision(prefect_server, root)
    return root


def provision(prefect: RunningPrefect, root: Path, *options: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deployments.provision", *options],
        cwd=root,
        env={**prefect.environment, "PATH": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ConfigurationError(done.stderr)


def objects(prefect: RunningPrefect) -> dict[str, Any]:
    """All that provisioning makes, without what Prefect renews by itself."""
    with prefect.http() as http:
        queues: list[dict[str, Any]] = http.post("/work_pools/duebell/queues/filter", json={}).json()
        automations: list[dict[str, Any]] = http.post("/automations/filter", json={}).json()
        found: list[dict[str, Any]] = http.post("/deployments/filter", json={}).json()
        pool: dict[str, Any] = http.get("/work_pools/duebell").json()
    ours = [deployment for deployment in found if deployment["work_pool_name"] == "duebell"]
    return {
        "pool": (pool["id"], pool["type"], json.dumps(pool["base_job_template"], sort_keys=True)),
        "queues": sorted((queue["name"], queue["priority"], queue["id"]) for queue in queues),
        "automations": sorted(automation["name"] for automation in automations),
        "deployments": sorted((deployment["name"], deployment["id"]) for deployment in ours),
    }


def test_provisioning_twice_leaves_the_same_objects(prefect_server: RunningPrefect, checkout: Path) -> None:
    once = objects(prefect_server)
    provision(prefect_server, checkout)
    assert objects(prefect_server) == once
    assert {(name, priority) for name, priority, _ in once["queues"]} == set(QUEUES.items())
    assert once["automations"] == sorted([CRASH_AUTOMATION, "quick", "toy-received"])
    assert once["pool"][1] == "duebell-warm"


def test_a_pool_of_the_other_type_is_named_with_its_mend(
    prefect_server: RunningPrefect, checkout: Path
) -> None:
    with pytest.raises(ConfigurationError, match="prefect work-pool delete duebell"):
        provision(prefect_server, checkout, "--stock")


def test_a_checkout_without_deployments_and_a_flow_that_is_missing_are_named(
    prefect_server: RunningPrefect, checkout: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"no prefect\.yaml"):
        provision(prefect_server, tmp_path)
    (tmp_path / "prefect.yaml").write_text(DEPLOYMENTS)
    with pytest.raises(ConfigurationError, match=r"hears\.py"):
        provision(prefect_server, tmp_path)


def test_a_tenant_s_limits_are_made_once_and_set_right_again(prefect_server: RunningPrefect) -> None:
    tenant = str(uuid.uuid4())
    with prefect_server.client() as client:
        ensure_tenant_limits(tenant)
        first = client.read_global_concurrency_limit_by_name(rate_limit_name(tenant))
        client.upsert_global_concurrency_limit_by_name(rate_limit_name(tenant), 60, 1.0)
        ensure_tenant_limits(tenant)
        rate = client.read_global_concurrency_limit_by_name(rate_limit_name(tenant))
        flight = client.read_global_concurrency_limit_by_name(flight_limit_name(tenant))
    assert (rate.id, rate.limit, rate.slot_decay_per_second) == (first.id, RATE_LIMIT, RATE_DECAY)
    assert (flight.limit, flight.slot_decay_per_second) == (FLIGHT_LIMIT, 0.0)
    assert RATE_LIMIT + 60 * RATE_DECAY <= 60


def test_provisioning_alone_gives_a_new_server_the_limits_of_what_was_connected_before(
    prefect_server: RunningPrefect, checkout: Path
) -> None:
    home = Path(prefect_server.environment["DUEBELL_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    engine = open_ledger(f"sqlite:///{home / 'duebell.db'}")
    migrate(engine)
    known, closed = str(uuid.uuid4()), str(uuid.uuid4())
    open_tenant(engine, known)
    open_tenant(engine, closed)
    disconnect(engine, closed, "403", now=datetime.now(UTC))
    engine.dispose()
    provision(prefect_server, checkout)
    with prefect_server.client() as client:
        rate = client.read_global_concurrency_limit_by_name(rate_limit_name(known))
        flight = client.read_global_concurrency_limit_by_name(flight_limit_name(known))
        with pytest.raises(ObjectNotFound):
            client.read_global_concurrency_limit_by_name(rate_limit_name(closed))
    assert (rate.limit, flight.limit) == (RATE_LIMIT, FLIGHT_LIMIT)


def test_an_event_starts_the_flow_with_the_tenant_of_its_payload(
    prefect_server: RunningPrefect, checkout: Path, tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    event = {
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "toy.received",
        "resource": {"prefect.resource.id": "toy.tenant.one"},
        "payload": {"tenant_id": str(heard)},
    }
    with worker_process(prefect_server, checkout, "duebell", "hears"), prefect_server.http() as http:
        http.post("/events", json=[event]).raise_for_status()
        wait_until(heard.exists, "the flow ran")


def test_prefect_s_own_process_worker_runs_the_same_deployment(
    prefect_server: RunningPrefect, checkout: Path, tmp_path: Path
) -> None:
    stock = tmp_path / "stock"
    stock.mkdir()
    with prefect_server.client() as client:
        (deployment,) = [found for found in client.read_deployments() if found.name == "hears"]
        template = ProcessWorker.get_default_base_job_template()
        body = {"name": "stock", "type": "process", "base_job_template": template}
        with prefect_server.http() as http:
            http.post("/work_pools/", json=body).raise_for_status()
            moved = {"work_pool_name": "stock", "work_queue_name": "default"}
            http.patch(f"/deployments/{deployment.id}", json=moved).raise_for_status()
    run = prefect_server.start_run(deployment.id, tenant_id=str(stock / "heard"))
    command = ["-m", "prefect", "worker", "start", "--pool", "stock", "--type", "process", "--run-once"]
    with child(prefect_server, command, stock):
        assert prefect_server.wait_for(run).state_type is StateType.COMPLETED
    assert (stock / "heard").read_text() == "heard"


def test_every_deployment_of_the_checkout_is_tagged_and_in_a_queue_that_is_made() -> None:
    told: dict[str, Any] = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    for deployment in told["deployments"]:
        path, _, function = deployment["entrypoint"].partition(":")
        assert path == f"flows/{function}.py"
        assert deployment["name"] == function.replace("_", "-")
        assert deployment["tags"] == ["duebell"]
        assert deployment["work_pool"]["name"] == "duebell"
        assert deployment["work_pool"]["work_queue_name"] in QUEUES


def test_f104_a_run_whose_heartbeat_stops_is_crashed_by_the_automation(
    prefect_server: RunningPrefect, silent_run: UUID
) -> None:
    assert prefect_server.wait_for(silent_run).state_type is StateType.CRASHED
