"""Runs that follow from a run: deployment runs of their own, so that each can be retried and cancelled."""

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.deployments import run_deployment
from prefect.runtime import task_run

from duebell.ledger import dispatch
from duebell.ledger.writing import writing
from duebell.planning.draining import RunToStart
from duebell.resources import resources
from duebell.showing.run_names import of_drain
from tasks._prefect import RETRYING, own_run_id, run_name, tags_of


@task(**RETRYING, cache_policy=NO_CACHE)
def start_runs(tenant_id: str, runs: Sequence[RunToStart]) -> int:
    """Start one run a kind and some records, linked to this one; returns how many.

    Losing this loses nothing: a notification whose run never came is started by the receiver.
    """
    for run in runs:
        name = run.kind.replace("_", "-")
        run_deployment(
            f"{name}/{name}",
            parameters={"tenant_id": tenant_id, run.parameter: list(run.record_ids)},
            timeout=0,
            as_subflow=True,
            # The task's id, which a retry keeps: one drain may have to start two runs for one invoice.
            idempotency_key=f"{task_run.get_id()}:{run.kind}:{run.record_ids[0]}",
            flow_run_name=run_name(name, list(run.numbers or run.record_ids)),
            tags=tags_of(tenant_id, run.numbers),
        )
        with writing(resources().engine, resources().clock()) as book:
            dispatch.run_started(book, tenant_id, run.kind, run.record_ids)
    get_run_logger().info("%d runs started", len(runs))
    return len(runs)


@task(**RETRYING, cache_policy=NO_CACHE)
def continue_drain(tenant_id: str) -> None:
    """Hand the rest of an inbox over to a fresh run."""
    _drain(tenant_id, f"after:{own_run_id()}", is_part_of_this=False)


@task(**RETRYING, cache_policy=NO_CACHE)
def start_drain(tenant_id: str) -> None:
    """Have what was found handled at once. Losing this loses nothing: the receiver makes the run later."""
    _drain(tenant_id, f"poll:{own_run_id()}:{tenant_id}", is_part_of_this=True)


def _drain(tenant_id: str, key: str, *, is_part_of_this: bool) -> None:
    run_deployment(
        "process-xero-events/process-xero-events",
        parameters={"tenant_id": tenant_id},
        timeout=0,
        as_subflow=is_part_of_this,
        idempotency_key=key,
        flow_run_name=of_drain(tenant_id),
        tags=[f"tenant:{tenant_id}"],
    )
