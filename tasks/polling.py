"""Polling of Xero, as steps of a flow, and what follows where webhooks look broken."""

import uuid
from functools import partial

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client

from duebell.books import polling
from duebell.books.parking import closed_in_words
from duebell.books.polling import Chosen, Due, Polled
from duebell.ledger import tenants, webhook_state
from duebell.ledger.webhook_state import Alarm
from duebell.resources import resources
from duebell.showing import reporting_webhooks
from duebell.showing.reporting_webhooks import BROKEN_EVENT, WebhooksTold
from tasks._prefect import RETRYING, access_to


@task(cache_policy=NO_CACHE)
def begin_polls(tenant_ids: list[str] | None) -> Chosen:
    """Begin the polls that are due, or those that are asked for, each for this run alone."""
    chosen = polling.choose(resources(), tenant_ids)
    for tenant_id, why in chosen.left_out:
        get_run_logger().warning("organisation %s is not polled: %s", tenant_id, why)
    for tenant_id in chosen.closed:
        get_run_logger().error(closed_in_words(tenant_id))
    return chosen


@task(**RETRYING, cache_policy=NO_CACHE, task_run_name="poll {due.tenant_id}")
def poll_tenant(due: Due) -> Polled:
    """Read what changed in a tenant into the snapshots and the inbox."""
    polled = polling.poll(partial(access_to, due.tenant_id), due.begun_at)
    for record_id, why in polled.bad:
        get_run_logger().error("record %s could not be read: %s", record_id, why)
    get_run_logger().info("organisation %s: %d found %s", polled.tenant_id, polled.found, polled.put_off)
    return polled


@task(cache_policy=NO_CACHE)
def watch_webhooks(polls: list[Polled]) -> list[Alarm]:
    """Look whether webhooks look broken, or come again; returns the episodes that begin now."""
    engine, now = resources().engine, resources().clock()
    judged = [webhook_state.judge(engine, one.tenant_id, now=now) for one in polls]
    return [alarm for alarm in judged if alarm is not None]


@task(**RETRYING, cache_policy=NO_CACHE, task_run_name="announce {alarm.tenant_id}")
def announce_broken_webhooks(alarm: Alarm) -> None:
    """Tell Prefect once of an episode: the automation of ``webhooks-look-broken`` waits for it.

    By REST, because ``emit_event`` swallows its failures; with an id that a retry does not change.
    """
    event = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{BROKEN_EVENT}:{alarm.tenant_id}:{alarm.since}")),
        "occurred": resources().clock().isoformat(),
        "event": BROKEN_EVENT,
        "resource": {"prefect.resource.id": f"xero.tenant.{alarm.tenant_id}"},
        "payload": {"tenant_id": alarm.tenant_id, "why": alarm.why.value},
    }
    with get_client(sync_client=True) as client:
        client.request("POST", "/events", json=[event]).raise_for_status()
    get_run_logger().error("webhooks of organisation %s look broken: %s", alarm.tenant_id, alarm.why.value)


@task(cache_policy=NO_CACHE)
def explain_webhooks(tenant_id: str) -> WebhooksTold:
    """Say in the UI how a tenant's webhooks stand, and the mend."""
    told = reporting_webhooks.told_of(resources().engine, tenants.get(resources().engine, tenant_id))
    create_markdown_artifact(key="webhooks", markdown=told.page, description=told.name)
    return told
