"""A road on which nothing happens: no run is made but those that a schedule makes."""

import os
import time
from collections.abc import Generator, Iterable
from uuid import UUID

import pytest
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType

from deployments.prefect_server import PrefectServer
from tests.support_prefect import FINAL, own_server, wait_until
from tests.support_road import Road, open_road

LONG = os.environ.get("DUEBELL_TEST_LONG") == "1"
# The net looks every second, and a drain lingers for three: twelve seconds are several rounds of both. The
# long form takes in the first repetitions of everything that is spaced out in minutes.
WATCH_SECONDS = 900.0 if LONG else 12.0

pytestmark = pytest.mark.timeout(900 + int(WATCH_SECONDS))


def _runs(road: Road) -> list[FlowRun]:
    found: list[FlowRun] = []
    with road.prefect.client() as client:
        while page := client.read_flow_runs(offset=len(found), limit=200):
            found += page
    return [run for run in found if not run.auto_scheduled]


def _over(runs: Iterable[FlowRun]) -> bool:
    return all(run.state_type in FINAL for run in runs)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Generator[Road]:
    """A server and a road of their own: other tests leave runs of dead workers on the shared one."""
    with (
        own_server(tmp_path_factory, "idle", PrefectServer) as (_, prefect),
        open_road(prefect, tmp_path_factory.mktemp("idle-road")) as road,
    ):
        yield road


def _ids(runs: Iterable[FlowRun]) -> set[UUID]:
    return {run.id for run in runs}


def test_an_idle_road_leaves_no_run_behind(quiet: Road) -> None:
    invoice = quiet.issue()
    quiet.wait_for(invoice.invoice_id, "delivered")
    assert quiet.sandbox.settle(30)
    wait_until(lambda: _over(_runs(quiet)), "every run is over")

    before = _runs(quiet)
    until = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < until:
        added = [(run.name, run.idempotency_key) for run in _runs(quiet) if run.id not in _ids(before)]
        assert added == []
        time.sleep(1)

    assert _ids(before) == _ids(_runs(quiet))


def test_the_hourly_settle_is_on_the_schedule(quiet: Road) -> None:
    scheduled = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))

    def planned() -> list[FlowRun]:
        with quiet.prefect.client() as client:
            return client.read_flow_runs(
                flow_run_filter=FlowRunFilter(state=scheduled),
                deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=["settle"])),
            )

    wait_until(lambda: any(run.auto_scheduled for run in planned()), "a scheduled run of settle")
