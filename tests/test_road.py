"""The road as a user sees it: an invoice is approved, its customer is told once, and all can be found."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    DeploymentFilter,
    DeploymentFilterId,
)
from prefect.client.schemas.objects import StateType
from sqlmodel import select

from deployments.sandbox.control_types import Event
from deployments.sandbox.credentials import TENANT_ID
from duebell.ledger import tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Receipt
from tests.support_prefect import wait_until
from tests.support_road import Road


def test_an_approved_invoice_becomes_one_message_with_its_receipt(calm: Road) -> None:
    draft = calm.draft("1234.50")
    calm.sandbox.approve(draft.invoice_id)

    notification = calm.wait_for(draft.invoice_id, "delivered")

    (message,) = calm.messages(draft)
    assert message.to == "+64211234567"
    assert message.body == (
        f"Moa Bay Bakery Supplies: invoice {draft.number} for $1,419.68 is due on "
        f"{message.body.rsplit('due on ', 1)[1]}"
    )
    (attempt,) = calm.attempts(draft.invoice_id)
    assert (attempt.sid, attempt.provider_status) == (message.sid, "delivered")
    assert attempt.read_age_seconds <= 60
    with reading(calm.engine) as session:
        bound = session.exec(select(Receipt.attempt_id).where(Receipt.sid == message.sid)).all()
    assert set(bound) == {attempt.attempt_id}
    assert (
        notification.key
        == f"{TENANT_ID}:invoice_issued:{draft.invoice_id}::contact:{notification.contact_id}"
    )


def test_the_automation_makes_a_run_for_a_webhook_and_not_the_net_alone(calm: Road) -> None:
    """The net hides an automation that makes nothing: all is told, some seconds later."""
    began = datetime.now(UTC)
    invoice = calm.issue()
    calm.wait_for(invoice.invoice_id, "delivered")
    with calm.prefect.client() as client:
        drain = client.read_deployment_by_name("process-xero-events/process-xero-events")
        of_drains = DeploymentFilter(id=DeploymentFilterId(any_=[drain.id]))

        def makers() -> set[str | None]:
            runs = client.read_flow_runs(deployment_filter=of_drains)
            return {
                run.created_by.type for run in runs if run.created_by and run.created and run.created > began
            }

        wait_until(lambda: "AUTOMATION" in makers(), "the automation has made a run")


def test_the_run_is_named_and_tagged_and_leaves_a_table_without_personal_data(calm: Road) -> None:
    invoice = calm.issue()
    calm.wait_for(invoice.invoice_id, "delivered")

    run = calm.run_of(invoice)

    assert run.name == f"invoice-issued {invoice.number}"
    assert {f"tenant:{TENANT_ID}", f"invoice:{invoice.number}", "duebell"} <= set(run.tags)
    run = calm.prefect.wait_for(run.id)
    assert (run.state_type, run.state_name) == (StateType.COMPLETED, "Told")
    with calm.prefect.client() as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
        )
    table = json.dumps(json.loads(str(found[0].data)), ensure_ascii=False)
    assert invoice.number in table
    assert "+64•••••567" in table
    assert "https://go.xero.com/app/" in table
    assert "211234567" not in table


def test_f001_the_same_delivery_a_hundred_times_and_in_new_deliveries_tells_once(calm: Road) -> None:
    invoice = calm.issue()
    calm.wait_for(invoice.invoice_id, "delivered")
    event = [one for one in calm.sandbox.events() if one.resource_id == invoice.invoice_id][-1]

    with ThreadPoolExecutor(16) as pool:
        for delivery in [pool.submit(calm.sandbox.deliver, [event]) for _ in range(100)]:
            delivery.result()
    calm.sandbox.deliver([event, event])
    assert calm.sandbox.settle(60)
    calm.restart("worker")
    calm.restart("receiver")
    calm.sandbox.deliver([event])
    assert calm.sandbox.settle()

    later = calm.issue()
    calm.wait_for(later.invoice_id, "delivered")
    assert len(calm.messages(invoice)) == 1


def test_an_edit_and_a_bill_and_a_draft_tell_nobody(calm: Road) -> None:
    invoice = calm.issue()
    calm.wait_for(invoice.invoice_id, "delivered")
    calm.sandbox.edit(invoice.invoice_id, reference="corrected")
    bill = calm.sandbox.add_invoice(calm.contact("Manawatu Mills"), "50.00", is_bill=True)
    draft = calm.draft()

    wait_until(lambda: calm.handled(invoice.invoice_id) and calm.handled(bill.invoice_id), "all is handled")

    assert len(calm.messages(invoice)) == 1
    assert (calm.state(bill.invoice_id), calm.state(draft.invoice_id)) == ("", "")


def test_a_retry_of_the_finished_run_sends_nothing_and_asks_xero_nothing(calm: Road) -> None:
    invoice = calm.issue()
    calm.wait_for(invoice.invoice_id, "delivered")
    run = calm.prefect.wait_for(calm.run_of(invoice).id)
    asked = _asked_about(calm, invoice.invoice_id)

    calm.prefect.retry(run.id)
    wait_until(lambda: calm.prefect.read_run(run.id).run_count == 2, "the run is retried")
    ended = calm.prefect.wait_for(run.id)

    assert (ended.state_type, ended.state_name) == (StateType.COMPLETED, "Told")
    assert len(calm.messages(invoice)) == 1
    assert _asked_about(calm, invoice.invoice_id) == asked


def _asked_about(road: Road, invoice_id: str) -> int:
    return len([one for one in road.sandbox.requests() if invoice_id in str(one)])


def test_a_run_by_hand_with_ids_tells_what_is_owed_and_nothing_twice(calm: Road) -> None:
    invoice = calm.issue()
    calm.wait_for(invoice.invoice_id, "delivered")
    old = next(one for one in calm.sandbox.invoices() if one.number == "INV-0993")

    run = calm.by_hand(
        "invoice-issued", tenant_id=TENANT_ID, invoice_ids=[invoice.invoice_id, old.invoice_id]
    )
    ended = calm.prefect.wait_for(run)

    assert ended.state_type is StateType.COMPLETED
    assert ended.name == f"invoice-issued {invoice.number} and 1 more"
    assert (len(calm.messages(invoice)), len(calm.messages(old))) == (1, 0)
    (row,) = calm.notifications(old.invoice_id)
    assert (row.state, row.reason) == ("skipped", "known_before_connecting")


def test_a_contact_without_a_usable_mobile_is_recorded_with_the_reason(calm: Road) -> None:
    for contact in ("Te Aro Tearooms", "Kelburn Kiosk", "Island Bay Dairy"):
        invoice = calm.issue(contact=contact)
        row = calm.wait_for(invoice.invoice_id, "skipped")
        assert row.reason.startswith("no_phone:")
        assert calm.messages(invoice) == []


def test_the_brake_holds_and_resume_lets_go(calm: Road) -> None:
    now = datetime.now(UTC)
    tenants.set_brake(calm.engine, stopped=True, by="person:test", why="", scope="all", now=now)
    invoice = calm.issue()
    wait_until(lambda: calm.notifications(invoice.invoice_id), "it is planned")
    run = calm.prefect.wait_for(calm.run_of(invoice).id)
    assert run.state_type is StateType.COMPLETED
    assert calm.messages(invoice) == []

    tenants.set_brake(calm.engine, stopped=False, by="person:test", why="", scope="all", now=now)
    calm.wait_for(invoice.invoice_id, "delivered")
    assert len(calm.messages(invoice)) == 1


def test_an_unknown_tenant_and_category_are_answered_and_ignored(calm: Road) -> None:
    stranger = Event(
        "00000000-0000-4000-8000-000000000009", "INVOICE", "CREATE", TENANT_ID, "2026-01-01T00:00:00.000"
    )
    strange = Event(TENANT_ID, "PAYROLL", "CREATE", TENANT_ID, "2026-01-01T00:00:00.000")
    calm.sandbox.deliver([stranger, strange])
    assert calm.sandbox.settle()
    assert calm.sandbox.deliveries()[-1].status == 200


def test_f005_the_intent_to_receive_is_answered_right(calm: Road) -> None:
    probe = calm.sandbox.probe()
    assert probe.passed, probe.problem


def test_a_replay_tells_nobody_twice_and_a_resend_says_it_once_more_however_often_it_is_retried(
    calm: Road,
) -> None:
    invoice = calm.issue()
    calm.wait_for(invoice.invoice_id, "delivered")

    replayed = calm.prefect.wait_for(calm.by_hand("replay", tenant_id=TENANT_ID, invoices=[invoice.number]))
    assert replayed.state_name == "Replayed"
    assert replayed.state is not None
    assert "0 messages are owed and go out, 1 were told before" in (replayed.state.message or "")
    assert len(calm.messages(invoice)) == 1

    run = calm.by_hand("resend", invoice=invoice.number, why="the customer lost it", by="Aroha")
    assert calm.prefect.wait_for(run).state_type is StateType.COMPLETED
    wait_until(lambda: len(calm.messages(invoice)) == 2, "it is said once more")
    calm.prefect.retry(run)
    wait_until(lambda: calm.prefect.read_run(run).run_count == 2, "the run is retried")
    assert calm.prefect.wait_for(run).state_type is StateType.COMPLETED
    wait_until(lambda: {row.state for row in calm.notifications(invoice.invoice_id)} == {"delivered"}, "told")
    assert len(calm.messages(invoice)) == 2
    assert [row.forced_by for row in calm.notifications(invoice.invoice_id)] == [None, "person:Aroha"]
