"""The road under bad luck: dead processes, lost nudges, refusals, silence: nothing lost, nothing doubled."""

import os
import signal
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.schemas.objects import StateType
from sqlalchemy import update
from sqlmodel import col

from deployments.sandbox.control_types import InvoiceSummary
from deployments.sandbox.credentials import TENANT_ID
from duebell.ledger import inbox, tenants
from duebell.ledger.inbox import NewEvent
from duebell.ledger.tables import Attempt, ContactSnapshot, InvoiceSnapshot, Notification, Tenant
from tests.support_prefect import wait_until
from tests.support_provisioned import run_once
from tests.support_road import Road

MESSAGES = "/2010-04-01/Accounts/*/Messages.json"


def _worker_dies_at(road: Road, fail_point: str) -> InvoiceSummary:
    worker = road.restart("worker", DUEBELL_FAILPOINT=f"{fail_point}=kill")
    invoice = road.issue()
    wait_until(lambda: worker.pid is None, f"the worker died at {fail_point}")
    road.lapse_drains()
    return invoice


def test_f070_killed_between_attempt_and_post_the_outcome_is_unknown_and_a_person_decides(calm: Road) -> None:
    invoice = _worker_dies_at(calm, "after-intent")
    assert calm.state(invoice.invoice_id) == "sending"

    calm.restart("worker")
    calm.lapse(invoice.invoice_id)
    calm.wait_for(invoice.invoice_id, "unknown")
    _give_up_looking(calm, invoice)

    row = calm.wait_for(invoice.invoice_id, "parked")
    assert row.reason == "no_evidence"
    assert calm.messages(invoice) == []


def _give_up_looking(road: Road, invoice: InvoiceSummary) -> None:
    """Let the limit pass: the attempt began an hour ago, and the next look is due."""
    _began_an_hour_ago(road, invoice)
    road.look_now(invoice.invoice_id)


def _began_an_hour_ago(road: Road, invoice: InvoiceSummary) -> None:
    began = datetime.now(UTC) - timedelta(minutes=61)
    (attempt,) = road.attempts(invoice.invoice_id)
    with road.engine.begin() as connection:
        connection.execute(
            update(Attempt).where(col(Attempt.attempt_id) == attempt.attempt_id).values(started_at=began)
        )


def test_f071_killed_between_post_and_sid_the_receipt_settles_it(calm: Road) -> None:
    invoice = _worker_dies_at(calm, "after-post")

    calm.wait_for(invoice.invoice_id, "delivered")
    calm.restart("worker")

    (message,) = calm.messages(invoice)
    (attempt,) = calm.attempts(invoice.invoice_id)
    assert attempt.sid == message.sid


def test_f071_killed_between_post_and_sid_with_every_receipt_lost_twilios_list_settles_it(calm: Road) -> None:
    calm.sandbox.script_life("mute")
    try:
        invoice = _worker_dies_at(calm, "after-post")
        calm.restart("worker")
        calm.lapse(invoice.invoice_id)
        calm.wait_for(invoice.invoice_id, "unknown")
        calm.look_now(invoice.invoice_id)
        calm.wait_for(invoice.invoice_id, "accepted", "sent", "delivered")
    finally:
        calm.sandbox.script_life("delivered")

    (message,) = calm.messages(invoice)
    (attempt,) = calm.attempts(invoice.invoice_id)
    assert (attempt.sid, attempt.settled_by) == (message.sid, "twilio's list")


def test_f093_a_message_whose_receipts_are_all_lost_is_asked_for_at_twilio(calm: Road) -> None:
    calm.sandbox.script_life("mute")
    try:
        invoice = calm.issue()
        calm.wait_for(invoice.invoice_id, "accepted")
        assert calm.sandbox.settle()
        _began_an_hour_ago(calm, invoice)
        calm.by_hand("settle")
        calm.wait_for(invoice.invoice_id, "delivered")
    finally:
        calm.sandbox.script_life("delivered")
    (attempt,) = calm.attempts(invoice.invoice_id)
    assert (attempt.provider_status, attempt.settled_by) == ("delivered", "twilio's record")


def test_f104_killed_after_the_sid_nothing_more_is_sent(calm: Road) -> None:
    invoice = calm.issue()
    calm.wait_for(invoice.invoice_id, "accepted", "sent", "delivered")
    pid = calm.children["worker"].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    calm.restart("worker")
    calm.lapse_drains()
    calm.wait_for(invoice.invoice_id, "delivered")
    later = calm.issue()
    calm.wait_for(later.invoice_id, "delivered")
    assert len(calm.messages(invoice)) == 1


def test_f075_an_accepted_message_whose_answer_is_lost_is_found_and_never_posted_again(calm: Road) -> None:
    calm.sandbox.fail_next("drop_after", method="POST", path=MESSAGES)
    invoice = calm.issue()

    calm.wait_for(invoice.invoice_id, "delivered")

    assert len(calm.messages(invoice)) == 1
    (attempt,) = calm.attempts(invoice.invoice_id)
    assert attempt.settled_by == "receipt"


def test_f078_a_500_that_sent_nothing_is_unknown_looked_for_and_not_posted_again(calm: Road) -> None:
    calm.sandbox.fail_next("status", method="POST", path=MESSAGES, status=500)
    invoice = calm.issue()
    calm.wait_for(invoice.invoice_id, "unknown")
    calm.look_now(invoice.invoice_id)
    wait_until(lambda: calm.attempts(invoice.invoice_id)[0].settle_tries == 1, "it was looked for")

    assert calm.state(invoice.invoice_id) == "unknown"
    assert len(calm.attempts(invoice.invoice_id)) == 1
    assert calm.messages(invoice) == []


def test_f079_a_429_is_posted_again_later_and_told_once(calm: Road) -> None:
    calm.sandbox.fail_next(
        "status", method="POST", path=MESSAGES, status=429, body='{"code": 20429, "status": 429}'
    )
    invoice = calm.issue()
    wait_until(lambda: [one.state for one in calm.attempts(invoice.invoice_id)] == ["not_processed"], "a 429")
    calm.hurry(invoice.invoice_id)

    calm.wait_for(invoice.invoice_id, "delivered")

    assert [one.state for one in calm.attempts(invoice.invoice_id)] == ["not_processed", "accepted"]
    assert len(calm.messages(invoice)) == 1


def test_f081_a_refused_number_is_recorded_and_not_tried_again(calm: Road) -> None:
    calm.sandbox.fail_next(
        "status",
        method="POST",
        path=MESSAGES,
        status=400,
        body='{"code": 21211, "status": 400, "message": "no"}',
    )
    invoice = calm.issue(contact="Fitzroy Crumb Company")

    row = calm.wait_for(invoice.invoice_id, "given_up")

    assert row.reason == "twilio:21211"
    assert len(calm.attempts(invoice.invoice_id)) == 1
    again = calm.issue(contact="Fitzroy Crumb Company")
    row = calm.wait_for(again.invoice_id, "skipped")
    assert row.reason == "number_invalid"


def test_f051_an_invoice_that_is_paid_between_plan_and_send_is_not_announced(calm: Road) -> None:
    invoice = _planned_behind_the_brake(calm)
    calm.sandbox.pay(invoice.invoice_id)
    _age_the_snapshots(calm)
    calm.by_hand("invoice-issued", tenant_id=TENANT_ID, invoice_ids=[invoice.invoice_id])

    row = calm.wait_for(invoice.invoice_id, "skipped")
    assert row.reason == "already_paid"
    assert calm.messages(invoice) == []


def _planned_behind_the_brake(road: Road) -> InvoiceSummary:
    """An invoice whose run has ended and told nobody, as all was stopped; nothing is stopped any more, and no
    run comes for it by itself.
    """
    return _several_planned_behind_the_brake(road, 1)[0]


def _several_planned_behind_the_brake(road: Road, count: int) -> list[InvoiceSummary]:
    now = datetime.now(UTC)
    tenants.set_brake(road.engine, stopped=True, by="person:test", why="", scope="all", now=now)
    try:
        invoices = [road.issue() for _ in range(count)]
        for invoice in invoices:
            road.prefect.wait_for(road.run_of(invoice).id)
        _for_this_run_alone(road, [one.invoice_id for one in invoices])
    finally:
        tenants.set_brake(road.engine, stopped=False, by="person:test", why="", scope="all", now=now)
    return invoices


def test_a_run_that_failed_half_way_tells_the_rest_when_it_is_retried_and_nobody_after_that(
    calm: Road,
) -> None:
    invoices = _several_planned_behind_the_brake(calm, 5)
    ids = [one.invoice_id for one in invoices]
    calm.restart("worker", DUEBELL_FAILPOINT="after-claim=raise@2")  # so one send fails with an exception
    refused = '{"code": 20429, "status": 429}'
    calm.sandbox.fail_next("status", method="POST", path=MESSAGES, skip=1, status=429, body=refused)
    try:
        run = calm.by_hand("invoice-issued", tenant_id=TENANT_ID, invoice_ids=ids)
        assert calm.prefect.wait_for(run).state_type is StateType.FAILED
        assert sorted(len(calm.messages(one)) for one in invoices) == [0, 0, 1, 1, 1]
        assert sorted(calm.state(one) for one in ids if not calm.attempts(one)) == ["claimed"]

        _for_this_run_alone(calm, ids)
        for count in (2, 3):  # of a failed run, and of a completed one
            calm.prefect.retry(run)
            wait_until(lambda wanted=count: calm.prefect.read_run(run).run_count == wanted, "it is retried")
            ended = calm.prefect.wait_for(run)
            assert (ended.state_type, ended.state_name) == (StateType.COMPLETED, "Told")
            assert [len(calm.messages(one)) for one in invoices] == [1] * 5
        attempts = [attempt for one in ids for attempt in calm.attempts(one)]
        assert {one.flow_run_id for one in attempts} == {str(run)}
        assert sorted(one.state for one in attempts) == ["accepted"] * 5 + ["not_processed"]
    finally:
        calm.restart("worker")


def _for_this_run_alone(road: Road, ids: list[str]) -> None:
    """Let what waits be due now, and not be handed to another run meanwhile."""
    now = datetime.now(UTC)
    with road.engine.begin() as connection:
        connection.execute(
            update(Notification)
            .where(col(Notification.subject_id).in_(ids), col(Notification.state) == "planned")
            .values(not_before=now - timedelta(seconds=1), dispatch_at=now + timedelta(hours=1))
        )


def _age_the_snapshots(road: Road) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    with road.engine.begin() as connection:
        for table in (InvoiceSnapshot, ContactSnapshot):
            connection.execute(update(table).values(read_at=long_ago))


def test_a_nudge_that_prefect_never_got_is_made_up_for(calm: Road) -> None:
    with calm.prefect.http() as http:
        found = http.post("/automations/filter", json={}).json()
        (trigger,) = [one for one in found if one["name"] == "xero-events-received"]
        http.delete(f"/automations/{trigger['id']}").raise_for_status()
    try:
        invoice = calm.issue()
        calm.wait_for(invoice.invoice_id, "delivered")
        assert len(calm.messages(invoice)) == 1
    finally:
        run_once(calm.environment, "deployments.provision")


def test_a_redeploy_in_the_middle_of_a_stream_of_events_loses_nothing(calm: Road) -> None:
    first = [calm.issue() for _ in range(4)]
    run_once(calm.environment, "deployments.provision")
    second = [calm.issue() for _ in range(4)]

    for invoice in first + second:
        calm.wait_for(invoice.invoice_id, "delivered")
        assert len(calm.messages(invoice)) == 1


def test_events_that_came_while_the_receiver_was_down_are_handled_when_xero_replays_them(calm: Road) -> None:
    calm.stop("receiver")
    invoice = calm.issue()
    assert calm.sandbox.settle(30)
    calm.restart("receiver")
    assert calm.sandbox.replay() >= 1

    calm.wait_for(invoice.invoice_id, "delivered")
    assert len(calm.messages(invoice)) == 1


def test_what_an_event_asks_for_is_done_though_no_receiver_is_there_to_have_its_run_made(calm: Road) -> None:
    calm.stop("receiver")
    invoice = calm.issue()
    assert calm.sandbox.settle(30)
    now = datetime.now(UTC)
    event = NewEvent(TENANT_ID, "INVOICE", invoice.invoice_id, "CREATE", now.isoformat(), now)
    inbox.keep(calm.engine, [event], [], now=now)  # it was stored, and its nudge was lost with the receiver

    calm.wait_for(invoice.invoice_id, "accepted")
    calm.restart("receiver")
    assert len(calm.messages(invoice)) == 1


def test_f061_a_template_with_an_unknown_field_stops_its_messages_and_says_which_field(calm: Road) -> None:
    folder = calm.home / "templates" / "invoice_issued" / "en"
    folder.mkdir(parents=True)
    template = folder / "sms.txt"
    template.write_text("{{ organisation }}: invoice {{ invoice.nummer }}")
    calm.restart("worker", DUEBELL_TEMPLATES=str(calm.home / "templates"))
    try:
        invoice = calm.issue()
        run = calm.prefect.wait_for(calm.run_of(invoice).id)
        assert (run.state_type, run.state_name) == (StateType.FAILED, "Template problem")
        assert run.state is not None
        assert "invoice_issued/en/sms.txt line 1" in (run.state.message or "")
        assert "invoice.nummer" in (run.state.message or "")
        assert calm.messages(invoice) == []

        template.write_text("{{ organisation }}: invoice {{ invoice.number }} is mended")
        calm.prefect.retry(run.id)
        calm.wait_for(invoice.invoice_id, "delivered")
        assert len(calm.messages(invoice)) == 1
    finally:
        calm.restart("worker")


def test_a_cancelled_run_sends_nothing_until_a_person_runs_it_again(calm: Road) -> None:
    invoice = _planned_behind_the_brake(calm)
    _age_the_snapshots(calm)
    calm.sandbox.fail_next("delay", method="GET", path="/api.xro/2.0/Invoices*", seconds=4.0)
    run = calm.by_hand("invoice-issued", tenant_id=TENANT_ID, invoice_ids=[invoice.invoice_id])
    calm.prefect.wait_for(run, StateType.RUNNING)
    calm.prefect.cancel(run)
    assert calm.prefect.wait_for(run).state_type is StateType.CANCELLED

    held = calm.wait_for(invoice.invoice_id, "held")
    assert held.reason == "run_cancelled"
    by_itself = _as_the_net_does(calm, invoice)
    assert calm.prefect.wait_for(by_itself).state_name == "Held"
    assert calm.messages(invoice) == []
    calm.by_hand("invoice-issued", tenant_id=TENANT_ID, invoice_ids=[invoice.invoice_id])
    calm.wait_for(invoice.invoice_id, "delivered")
    assert len(calm.messages(invoice)) == 1


def _as_the_net_does(road: Road, invoice: InvoiceSummary) -> UUID:
    """A run that nobody asked for: it bears a key."""
    with road.prefect.client() as client:
        deployment = client.read_deployment_by_name("invoice-issued/invoice-issued")
        run = client.create_flow_run_from_deployment(
            deployment.id,
            parameters={"tenant_id": TENANT_ID, "invoice_ids": [invoice.invoice_id]},
            idempotency_key=f"notify:{invoice.invoice_id}",
        )
    return run.id


def test_a_tenant_in_review_plans_and_sends_nothing_until_it_goes_live(calm: Road) -> None:
    _put_in_review(calm)
    invoice = calm.issue()
    row = calm.wait_for(invoice.invoice_id, "held")
    assert row.reason == "in_review"

    ended = tenants.go_live(calm.engine, TENANT_ID, "person:test", release_held=True, now=datetime.now(UTC))

    assert ended.released == 1
    calm.wait_for(invoice.invoice_id, "delivered")
    assert len(calm.messages(invoice)) == 1


def _put_in_review(road: Road) -> None:
    with road.engine.begin() as connection:
        connection.execute(update(Tenant).values(sending="review"))
