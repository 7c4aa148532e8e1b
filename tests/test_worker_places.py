"""The places of one worker, shared among tenants: the burst of one does not stand in another's way."""

from collections import Counter
from pathlib import Path
from uuid import UUID, uuid4

import anyio
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import WorkerFlowRunResponse

from deployments.worker_runs import KEPT_FREE, Places
from deployments.worker_waiting import all_waiting
from deployments.worker_warm import WarmWorker
from tests.support_prefect import RunningPrefect, wait_until, worker_in_thread
from tests.support_prefect_toys import toys_in

POOL = uuid4()
LIMIT = 8


def waiting(*tenants: str) -> list[WorkerFlowRunResponse]:
    """Runs as Prefect hands them out, the oldest first; a run of no tenant is ``""``."""
    return [
        WorkerFlowRunResponse(
            work_pool_id=POOL,
            work_queue_id=POOL,
            flow_run=FlowRun(flow_id=POOL, parameters={"tenant_id": tenant} if tenant else {}),
        )
        for tenant in tenants
    ]


def tenants_of(entries: list[WorkerFlowRunResponse]) -> list[str]:
    return [str(entry.flow_run.parameters.get("tenant_id", "")) for entry in entries]


def ids(entries: list[WorkerFlowRunResponse]) -> set[UUID]:
    return {entry.flow_run.id for entry in entries}


def test_a_tenants_single_run_comes_before_the_rest_of_anothers_burst() -> None:
    chosen = Places(LIMIT).shared(waiting(*"a" * 40, "b"), set())
    assert tenants_of(chosen)[:2] == ["a", "b"]
    assert Counter(tenants_of(chosen)) == {"a": LIMIT - KEPT_FREE, "b": 1}


def test_a_tenant_that_fills_its_places_gets_no_more_until_one_is_free() -> None:
    places = Places(LIMIT)
    burst = waiting(*"a" * 40)
    began = places.shared(burst, set())
    at_work = ids(began)
    rest = [entry for entry in burst if entry.flow_run.id not in at_work]
    assert places.shared(rest, at_work) == []
    assert tenants_of(places.shared([*rest, *waiting("b")], at_work)) == ["b"]
    ended = at_work - {began[0].flow_run.id}
    assert places.shared(rest, ended) == rest[:1]


def test_the_order_of_a_tenants_own_runs_stays() -> None:
    burst = waiting(*"a" * 5)
    assert Places(LIMIT).shared(burst, set()) == burst


def test_a_small_worker_still_works() -> None:
    assert len(Places(1).shared(waiting(*"aab"), set())) == 2
    assert len(Places(2).shared(waiting(*"aab"), set())) == 2


@given(st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=40), st.integers(1, 12))
def test_no_run_waits_while_its_tenant_has_a_place_and_none_is_handed_out_twice(
    names: list[str], limit: int
) -> None:
    places, left, done = Places(limit), waiting(*names), list[UUID]()
    while left:
        chosen = places.shared(left, set())
        assert chosen
        assert max(Counter(tenants_of(chosen)).values()) <= max(1, limit - KEPT_FREE)
        done += [entry.flow_run.id for entry in chosen]
        left = [entry for entry in left if entry.flow_run.id not in done]
    assert len(set(done)) == len(names) == len(done)


FLOWS = '''
import time
from pathlib import Path

from prefect import flow


@flow
def waits(tenant_id: str, folder: str) -> None:
    """A slow tenant: every run of it waits, some minutes at most, for somebody to open the gate."""
    for _ in range(3_000):
        if tenant_id != "slow" or Path(folder, "open").exists():
            break
        time.sleep(0.05)
    Path(folder, f"{tenant_id} is done").touch()
'''


def test_a_slow_tenants_burst_delays_no_other(prefect_server: RunningPrefect, tmp_path: Path) -> None:
    root = toys_in(tmp_path)
    (root / "flows" / "tenants.py").write_text(FLOWS)
    pool = f"places-{uuid4().hex[:6]}"
    with worker_in_thread(
        prefect_server, lambda: WarmWorker(pool, name=pool, root=root, limit=4, poll_seconds=0.3)
    ):
        deployment = prefect_server.deploy(root, "flows/tenants.py:waits", pool)
        slow = [prefect_server.start_run(deployment, tenant_id="slow", folder=str(root)) for _ in range(8)]
        quick = prefect_server.start_run(deployment, tenant_id="quick", folder=str(root))
        wait_until(lambda: (root / "quick is done").exists(), "the other tenant's run is done")
        assert not (root / "slow is done").exists()
        (root / "open").touch()
        for run in [*slow, quick]:
            assert prefect_server.wait_for(run).state_name == "Completed"


def test_behind_a_full_page_of_one_tenant_the_others_runs_are_found(
    prefect_server: RunningPrefect, tmp_path: Path
) -> None:
    root = toys_in(tmp_path)
    (root / "flows" / "tenants.py").write_text(FLOWS)
    pool = f"pages-{uuid4().hex[:6]}"

    async def asked(page: int) -> list[WorkerFlowRunResponse]:
        async with get_client() as client:
            return await all_waiting(client, pool, page)

    with worker_in_thread(prefect_server, lambda: WarmWorker(pool, name=pool, root=root)):
        deployment = prefect_server.deploy(root, "flows/tenants.py:waits", pool)
    runs = [prefect_server.start_run(deployment, tenant_id="slow", folder=str(root)) for _ in range(7)]
    runs.append(prefect_server.start_run(deployment, tenant_id="quick", folder=str(root)))
    with prefect_server.settings():
        found = {page: anyio.run(asked, page) for page in (2, 3, 8, 200)}
    assert {
        page: [entry.flow_run.id for entry in entries] for page, entries in found.items()
    } == dict.fromkeys(found, runs)
