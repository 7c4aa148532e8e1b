"""The road under Xero's true limits: few calls for many messages, and a used-up day that loses nothing."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun, StateType
from sqlalchemy import update
from sqlmodel import col, select

from deployments.sandbox.conditions import SandboxSettings
from duebell.ledger import tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, InvoiceSnapshot, Notification, Tenant, XeroEvent
from tests.prove_calls import TRUE_LIMITS, approve_at_once, asked, measure, name_of, new_tenant, states
from tests.support_prefect import FINAL, wait_until
from tests.support_road import Road


@pytest.fixture
def strict(calm: Road) -> Road:
    """The road with the limits that Xero has."""
    calm.sandbox.settings(**TRUE_LIMITS)
    return calm


@pytest.fixture(autouse=True)
def as_before(calm: Road) -> object:
    """Leave the limits as the other tests have them, and forget these.

    What a short day left would be taken for the last calls of a long one.
    """
    yield
    usual = SandboxSettings()
    calm.sandbox.settings(
        minute_limit=100_000, day_limit=usual.day_limit, concurrent_limit=usual.concurrent_limit
    )
    with calm.engine.begin() as connection:
        connection.execute(update(Tenant).values(day_remaining=None, day_began_with=None, limits_at=None))


def test_fifty_invoices_at_once_cost_a_handful_of_calls_and_none_is_refused(strict: Road) -> None:
    cost = measure(strict, 50, seconds=240)
    assert cost.messages == 50
    assert cost.total <= 5, cost.calls
    assert cost.refused == 0
    assert cost.oldest_read <= 60


def named(road: Road, name: str) -> list[FlowRun]:
    with road.prefect.client() as client:
        return client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[name])))


def use_up_the_day(road: Road, tenant_id: str, *, but: int = 0) -> None:
    """So many more calls, and the tenant's day is over."""
    taken = [status for status in asked(road, tenant_id) if status != 429]
    road.sandbox.settings(day_limit=len(taken) + but)


def a_new_day(road: Road, tenant_id: str) -> None:
    """Xero takes calls again, and the time has come that everything waits for."""
    road.sandbox.settings(day_limit=1_000)
    now = datetime.now(UTC)
    with road.engine.begin() as connection:
        connection.execute(update(Tenant).where(col(Tenant.tenant_id) == tenant_id).values(parked_until=now))
        connection.execute(
            update(XeroEvent).where(col(XeroEvent.tenant_id) == tenant_id).values(retry_at=now)
        )


def parked(road: Road, tenant_id: str) -> bool:
    until = tenants.get(road.engine, tenant_id).parked_until
    return until is not None and until > datetime.now(UTC)


def age_the_reads(road: Road, tenant_id: str) -> None:
    long_ago = datetime.now(UTC) - timedelta(minutes=9)
    with road.engine.begin() as connection:
        connection.execute(
            update(InvoiceSnapshot)
            .where(col(InvoiceSnapshot.tenant_id) == tenant_id)
            .values(read_at=long_ago)
        )


def test_f027_a_day_that_ends_in_the_middle_of_a_batch_parks_it_whole_and_it_goes_on_by_itself(
    strict: Road,
) -> None:
    tenant_id = new_tenant(strict)
    use_up_the_day(strict, tenant_id, but=1)  # the invoices can be read, their contacts cannot
    ids = approve_at_once(strict, tenant_id, 30)
    wait_until(lambda: parked(strict, tenant_id), "the tenant is parked")
    drains = wait_for_names(strict, f"drain {tenant_id[:8]}")
    assert {run.state_type for run in drains} == {StateType.COMPLETED}
    assert any((run.state_name or "").startswith("Parked until 20") for run in drains)
    with reading(strict.engine) as session:
        events = session.exec(
            select(XeroEvent.state, XeroEvent.attempts).where(XeroEvent.tenant_id == tenant_id)
        ).all()
        parks = session.exec(
            select(Audit).where(Audit.action == "tenant parked", Audit.tenant_id == tenant_id)
        ).all()
        retries = session.exec(select(XeroEvent.retry_at).where(XeroEvent.tenant_id == tenant_id)).all()
    assert Counter(events) == {("pending", 0): 30}
    assert set(retries) == {tenants.get(strict.engine, tenant_id).parked_until}
    assert len(parks) == 1
    calls = len(asked(strict, tenant_id))

    approve_again = strict.by_hand("process-xero-events", tenant_id=tenant_id)
    run = strict.prefect.wait_for(approve_again)
    assert (run.state_type, (run.state_name or "")[:12]) == (StateType.COMPLETED, "Parked until")
    assert len(asked(strict, tenant_id)) == calls

    stop(strict, tenant_id, stopped=True)
    a_new_day(strict, tenant_id)
    wait_until(lambda: rests(strict, tenant_id), "all are planned, and stopped")

    age_the_reads(strict, tenant_id)
    use_up_the_day(strict, tenant_id)
    stop(strict, tenant_id, stopped=False)
    by_hand = strict.prefect.wait_for(
        strict.by_hand("invoice-issued", tenant_id=tenant_id, invoice_ids=list(ids))
    )
    assert (by_hand.state_type, (by_hand.state_name or "")[:12]) == (StateType.COMPLETED, "Parked until")
    assert states(strict, tenant_id) == {"planned": 30}

    a_new_day(strict, tenant_id)
    wait_until(lambda: states(strict, tenant_id)["delivered"] == 30, "all are told")
    told = [one.body.split() for one in strict.told_by(name_of(tenant_id))]
    assert Counter(word.rstrip(":") for words in told for word in words if "BURST-" in word) == Counter(
        {f"BURST-{number:04}": 1 for number in range(30)}
    )


def rests(road: Road, tenant_id: str) -> bool:
    """Whether every message is planned, and no run of the tenant is at work."""
    if states(road, tenant_id) != {"planned": 30}:
        return False
    return all(run.state_type in FINAL for run in road.runs(f"tenant:{tenant_id}"))


def wait_for_names(road: Road, name: str) -> list[FlowRun]:
    """The runs of this name, as soon as all of them have ended."""
    wait_until(lambda: named(road, name), f"a run named {name}")
    return [road.prefect.wait_for(run.id) for run in named(road, name)]


def stop(road: Road, tenant_id: str, *, stopped: bool) -> None:
    tenants.set_brake(
        road.engine, stopped=stopped, by="person:test", why="", scope=tenant_id, now=datetime.now(UTC)
    )


def test_a_disconnected_tenant_is_named_and_not_called_and_the_other_goes_on(strict: Road) -> None:
    closed, other = new_tenant(strict), new_tenant(strict)
    tenants.disconnect(strict.engine, closed, "403", now=datetime.now(UTC))
    before = len(asked(strict, closed))
    run = strict.prefect.wait_for(strict.by_hand("process-xero-events", tenant_id=closed))
    assert (run.state_type, run.state_name) == (StateType.COMPLETED, "Not connected")
    approve_at_once(strict, closed, 2)
    approve_at_once(strict, other, 2)
    wait_until(lambda: states(strict, other)["delivered"] == 2, "the other tenant is served")
    assert len(asked(strict, closed)) == before
    with reading(strict.engine) as session:
        assert session.exec(select(Notification).where(Notification.tenant_id == closed)).all() == []
