"""Makes at Prefect what ``prefect.yaml`` cannot say, then deploys what it does say. Safe to run again.

The work pool and its queues, the global limits of each tenant, the automation that finds crashed runs, and
``prefect deploy --all``: ``python -m deployments.provision``, with Prefect's address in the environment.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessWorker

from deployments.prefect_server import tied_to_parent
from deployments.worker_warm import WarmWorker
from duebell.errors import ConfigurationError
from duebell.ledger import tenants
from duebell.ledger.engine import ledger_that_is_there
from duebell.prefect_names import CONSENT_LIMIT, WORK_POOL, flight_limit_name, rate_limit_name
from duebell.settings import Settings, load

TAG = "duebell"  # on every deployment in prefect.yaml, so on every run, so on every event of a run
QUEUES = {"default": 1, "sweeps": 10}  # 1 is the highest priority; sweeps wait for what people wait for

# Xero allows 60 calls a minute and 5 at a time (developer.xero.com/documentation/guides/oauth2/limits). A
# bucket that starts full passes limit + 60 x decay in its first minute: 10 + 60 x 0.833 stays below 60.
RATE_LIMIT, RATE_DECAY = 10, 0.833
FLIGHT_LIMIT = 5

# Twilio's Consent API takes 100 requests a minute (twilio.com/docs/messaging/features/consent-api).
CONSENTS_AT_ONCE, CONSENTS_DECAY = 20, 1.25

CRASH_AUTOMATION = "duebell: a run without heartbeat has crashed"
# Three of Prefect's heartbeats (one in 180 s) and some: a slow event must not crash a healthy run.
SILENCE = timedelta(seconds=600)
HEARTBEAT = "prefect.flow-run.heartbeat"
ENDS = {f"prefect.flow-run.{name}" for name in ("Completed", "Failed", "Cancelled", "Crashed", "TimedOut")}
PAUSES = {f"prefect.flow-run.{name}" for name in ("Paused", "Suspended", "AwaitingRetry", "Scheduled")}


def ensure_tenant_limits(tenant_id: str) -> None:
    """Make, or set right, the two global limits of a tenant; call it when the tenant connects.

    Raises ConfigurationError when Prefect cannot be reached or refuses.
    """
    limits = {
        rate_limit_name(tenant_id): (RATE_LIMIT, RATE_DECAY),
        flight_limit_name(tenant_id): (FLIGHT_LIMIT, 0.0),
    }
    try:
        with get_client(sync_client=True) as client:
            for name, (limit, decay) in limits.items():
                try:
                    client.upsert_global_concurrency_limit_by_name(name, limit, decay)
                except ObjectAlreadyExists:  # somebody made it between our question and our answer
                    client.upsert_global_concurrency_limit_by_name(name, limit, decay)
    except httpx.HTTPError as error:
        raise _unreachable(error) from error


def ensure_known_limits(settings: Settings) -> None:
    """Make the limits of every organisation that is connected already: Prefect's database may be a new one.

    Raises ConfigurationError.
    """
    engine = ledger_that_is_there(settings.database_url.get_secret_value())
    if engine is None:
        return
    try:
        for tenant in tenants.connected(engine):
            ensure_tenant_limits(tenant.tenant_id)
    finally:
        engine.dispose()


def crash_automation(silence: timedelta = SILENCE) -> AutomationCore:
    """The automation that sets a run ``Crashed`` after ``silence`` without a heartbeat.

    docs.prefect.io/v3/advanced/detect-zombie-flows; limited to our own runs by their tag.
    """
    ours = ResourceSpecification(
        {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}
    )
    trigger = EventTrigger(
        after={HEARTBEAT},
        expect={HEARTBEAT, *ENDS, *PAUSES},
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=ours,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=silence,
    )
    crashed = ChangeFlowRunState(
        name=None,
        state=StateType.CRASHED,
        message=f"No heartbeat for {silence.total_seconds():.0f} s: the worker was killed, or is cut off.",
        force=False,
    )
    return AutomationCore(
        name=CRASH_AUTOMATION,
        description="Made by deployments/provision.py, which sets it right again.",
        trigger=trigger,
        actions=[crashed],
    )


def provision(root: Path, *, stock: bool = False) -> None:
    """Make everything that Prefect needs to run the deployments of ``<root>/prefect.yaml``.

    ``stock`` makes the work pool one for Prefect's own process worker. Raises ConfigurationError.
    """
    if not get_current_settings().api.url:
        raise ConfigurationError("PREFECT_API_URL is not set: it says where Prefect's server is")
    try:
        anyio.run(_make_objects, stock)
    except httpx.HTTPError as error:
        raise _unreachable(error) from error
    deploy_all(root)


def deploy_all(root: Path) -> None:
    """``prefect deploy --all`` from ``root``; it asks nothing. Raises ConfigurationError with its words."""
    if not (root / "prefect.yaml").is_file():
        raise ConfigurationError(f"there is no prefect.yaml in {root}: run from the root of the checkout")
    done = subprocess.run(
        tied_to_parent([sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]),
        cwd=root,
        env={**os.environ, "PREFECT_LOGGING_COLORS": "false", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise ConfigurationError(f"prefect deploy ended with status {done.returncode}:\n{words}")


async def _make_objects(stock: bool) -> None:  # noqa: FBT001 -- anyio.run passes positional arguments only
    async with get_client() as client:
        await _work_pool(client, ProcessWorker if stock else WarmWorker)
        for name, priority in QUEUES.items():
            await _queue(client, name, priority)
        await _automation(client, crash_automation())
        await client.upsert_global_concurrency_limit_by_name(CONSENT_LIMIT, CONSENTS_AT_ONCE, CONSENTS_DECAY)


async def _work_pool(client: PrefectClient, worker: type[ProcessWorker] | type[WarmWorker]) -> None:
    template: dict[str, Any] = worker.get_default_base_job_template()
    try:
        pool = await client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        try:
            await client.create_work_pool(
                WorkPoolCreate(name=WORK_POOL, type=worker.type, base_job_template=template)
            )
        except ObjectAlreadyExists:
            await _work_pool(client, worker)
        return
    if pool.type != worker.type:
        raise ConfigurationError(
            f"work pool {WORK_POOL!r} is of type {pool.type!r}, not {worker.type!r}, which cannot change"
            f": run `prefect work-pool delete {WORK_POOL}` first, or choose the other type (--stock)"
        )
    if pool.base_job_template != template:
        await client.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=template))


async def _queue(client: PrefectClient, name: str, priority: int) -> None:
    try:
        queue = await client.read_work_queue_by_name(name, work_pool_name=WORK_POOL)
    except ObjectNotFound:
        await client.create_work_queue(name, priority=priority, work_pool_name=WORK_POOL)
        return
    if queue.priority != priority:
        await client.update_work_queue(queue.id, priority=priority)


async def _automation(client: PrefectClient, wanted: AutomationCore) -> None:
    """Make it or set it right; names are not unique at Prefect, so what is double is removed."""
    first, *others = [*await client.read_automations_by_name(wanted.name), None]
    if first is None:
        await client.create_automation(wanted)
        return
    await client.update_automation(first.id, wanted)
    for double in others:
        if double is not None:
            await client.delete_automation(double.id)


def _unreachable(error: httpx.HTTPError) -> ConfigurationError:
    url = get_current_settings().api.url
    if isinstance(error, PrefectHTTPStatusError):
        status = error.response.status_code
        return ConfigurationError(f"Prefect at {url} answered {status}: {_mend(status, url or '')}")
    return ConfigurationError(f"Prefect at {url} cannot be reached ({type(error).__name__}): is it running?")


def _mend(status: int, url: str) -> str:
    if status in {401, 403}:
        return "check PREFECT_API_AUTH_STRING"
    if status >= 500:
        return "look at its own log, and try again"
    lacks = "" if url.rstrip("/").endswith("/api") else "PREFECT_API_URL is to end in /api, or "
    return f"{lacks}another program, or a Prefect of another version, listens there"


def main(arguments: Sequence[str] | None = None) -> int:
    """Provision the checkout in the working directory; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deployments.provision")
    parser.add_argument("--stock", action="store_true", help="a pool for Prefect's own process worker")
    options = parser.parse_args(arguments)
    try:
        provision(Path.cwd(), stock=options.stock)
        ensure_known_limits(load())
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
