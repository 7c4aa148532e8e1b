"""Polling on the real road: webhooks that never come lose nothing, and somebody is told that they do not."""

import uuid
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterName,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from sqlalchemy import update
from sqlmodel import col, select

from deployments.sandbox.credentials import TENANT_ID
from duebell.books.parking import closed_in_words
from duebell.books.webhook_health import SAID, Why
from duebell.ledger import tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Tenant, XeroEvent
from tests.support_prefect import wait_until
from tests.support_provisioned import run_once
from tests.support_road import Road


@pytest.fixture
def deaf(calm: Road) -> Generator[Road]:
    """A road on which no webhook is delivered."""
    assert calm.sandbox.settle(30)
    calm.sandbox.settings(webhooks_automatic=False)
    yield calm
    calm.sandbox.settings(webhooks_automatic=True)


def poll(road: Road) -> FlowRun:
    """Ask Xero by hand, as a person would in the UI."""
    return road.run_whole("poll-xero", tenant_ids=[TENANT_ID])


def found_by(road: Road, invoice_id: str) -> set[str]:
    with reading(road.engine) as session:
        return set(session.exec(select(XeroEvent.found_by).where(XeroEvent.resource_id == invoice_id)).all())


def test_every_webhook_dropped_polling_finds_all_and_nobody_is_told_twice(deaf: Road) -> None:
    invoices = [deaf.issue(f"{100 + number}.00") for number in range(3)]
    draft = deaf.sandbox.add_invoice(deaf.contact(), "55.00", approved=False)

    run = poll(deaf)
    assert run.state_type is StateType.COMPLETED
    for invoice in invoices:
        deaf.wait_for(invoice.invoice_id, "delivered")
        assert found_by(deaf, invoice.invoice_id) == {"poll"}
    wait_until(lambda: deaf.handled(draft.invoice_id), "the draft was looked at")
    deaf.sandbox.approve(draft.invoice_id)
    assert poll(deaf).state_type is StateType.COMPLETED
    deaf.wait_for(draft.invoice_id, "delivered")

    again = poll(deaf)
    assert (again.state_name, again.state_type) == ("Nothing new", StateType.COMPLETED)
    # What was dropped is delivered after all, as Xero does once a webhook is well again.
    ours = {one.invoice_id for one in (*invoices, draft)}
    late = [event for event in deaf.sandbox.events() if event.resource_id in ours]
    assert len(late) >= 4
    deaf.sandbox.deliver(late)
    assert deaf.sandbox.settle(30)
    wait_until(lambda: all(map(deaf.handled, ours)), "the late webhooks were handled")
    assert [len(deaf.messages(invoice)) for invoice in (*invoices, draft)] == [1, 1, 1, 1]


def age(road: Road, invoice_id: str, by: timedelta) -> None:
    """Let a poll have found the invoice's change longer ago."""
    with road.engine.begin() as connection:
        row = connection.execute(
            select(XeroEvent.received_at, XeroEvent.event_time).where(XeroEvent.resource_id == invoice_id)
        ).one()
        connection.execute(
            update(XeroEvent)
            .where(col(XeroEvent.resource_id) == invoice_id)
            .values(received_at=row.received_at - by, event_time=row.event_time - by)
        )


def alarms(road: Road) -> list[FlowRun]:
    named = FlowRunFilter(name=FlowRunFilterName(any_=[f"webhooks look broken {TENANT_ID[:8]}"]))
    with road.prefect.client() as client:
        return [run for run in client.read_flow_runs(flow_run_filter=named) if run.state_type]


def test_broken_webhooks_make_one_run_that_stands_out_and_tells_the_mend(deaf: Road) -> None:
    first, second = deaf.issue("71.00"), deaf.issue("72.00")
    poll(deaf)
    age(deaf, first.invoice_id, timedelta(minutes=40))
    age(deaf, second.invoice_id, timedelta(minutes=25))
    with deaf.engine.begin() as connection:
        connection.execute(
            update(Tenant)
            .where(col(Tenant.tenant_id) == TENANT_ID)
            .values(webhook_at=datetime.now(UTC) - timedelta(hours=1), webhooks_suspect_at=None)
        )

    assert poll(deaf).state_type is StateType.COMPLETED
    wait_until(lambda: [run for run in alarms(deaf) if run.end_time], "the alarm's run is over")
    poll(deaf)
    [alarm] = alarms(deaf)
    assert (alarm.state_type, alarm.state_name) == (StateType.FAILED, "Webhooks look broken")
    with deaf.prefect.client() as client:
        [artifact] = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["webhooks"])),
        )
    assert SAID[Why.SILENT] in str(artifact.data)
    assert tenants.get(deaf.engine, TENANT_ID).webhooks_suspect_at is not None

    deaf.sandbox.settings(webhooks_automatic=True)
    healed = deaf.issue("73.00")
    deaf.wait_for(healed.invoice_id, "delivered")
    poll(deaf)
    assert tenants.get(deaf.engine, TENANT_ID).webhooks_suspect_at is None


def tells_of_closing(road: Road, tenant_id: str) -> list[FlowRun]:
    """The failed polls of the schedule's kind whose end says that the organisation is closed."""
    failed = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.FAILED]))
    polls = FlowFilter(name=FlowFilterName(any_=["poll-xero"]))
    with road.prefect.client() as client:
        runs = client.read_flow_runs(
            flow_filter=polls, flow_run_filter=FlowRunFilter(state=failed), limit=200
        )
    return [run for run in runs if run.state and closed_in_words(tenant_id) in (run.state.message or "")]


def test_an_organisation_that_is_closed_fails_by_itself_and_holds_up_no_other(deaf: Road) -> None:
    closed = str(uuid.uuid4())
    deaf.sandbox.add_tenant(closed, "Closed Meanwhile")
    run_once(deaf.environment, "deployments.connect")
    deaf.sandbox.disconnect(closed)
    invoice = deaf.issue("81.00")

    run = deaf.run_whole("poll-xero", tenant_ids=[closed, TENANT_ID])
    assert (run.state_type, run.state_name) == (StateType.FAILED, "1 failed")
    deaf.wait_for(invoice.invoice_id, "delivered")
    assert tenants.get(deaf.engine, closed).state == "disconnected"

    again = deaf.run_whole("poll-xero", tenant_ids=[closed])
    assert (again.state_type, again.state_name) == (StateType.COMPLETED, "Nothing to poll")
    # A run of the schedule's own may come between; whichever is first tells of it, and no other.
    later = [deaf.run_whole("poll-xero") for _ in range(2)][1]
    assert later.state_type is StateType.COMPLETED
    wait_until(lambda: tells_of_closing(deaf, closed), "a run told that the organisation is closed")
    [seen] = tells_of_closing(deaf, closed)
    assert seen.state_name == "Not connected"
