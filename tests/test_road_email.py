"""Email on the whole road: it takes over from an SMS, a lost answer is found, SendGrid's events are heard."""

import os
import subprocess
import sys
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import FlowRun

from deployments.children import ROOT
from deployments.sandbox.control_types import InvoiceSummary
from deployments.sandbox.email_types import AcceptedMail
from duebell.ledger import legs, preferences
from duebell.ledger.engine import reading
from tests.support_prefect import wait_until
from tests.support_road import Road

MESSAGES, EMAILS = "/2010-04-01/Accounts/*/Messages.json", "/v1/Emails"
CART, CARTS_ADDRESS = "Petone Pie Cart", "tom@piecart.example"
LOAF = "Leith Loaf Limited"
KIOSK, MILLS, MILLS_ADDRESS = "Kelburn Kiosk", "Manawatu Mills", "accounts@mills.example"
NO_SUCH_NUMBER = '{"code": 21211, "message": "not a number", "status": 400}'


@pytest.fixture
def by_both(calm: Road) -> Generator[Road]:
    """The road whose invoices go by SMS first and by email next."""
    policy = Path(calm.environment["DUEBELL_POLICY"])
    before = policy.read_text(encoding="utf-8")
    policy.write_text(before.replace('channels = ["sms"]', 'channels = ["sms", "email"]'), encoding="utf-8")
    yield calm
    policy.write_text(before, encoding="utf-8")
    calm.sandbox.script_life("delivered")
    calm.sandbox.script_mail("delivered")


def mails(road: Road, invoice: InvoiceSummary) -> list[AcceptedMail]:
    """The emails about an invoice that the provider accepted."""
    return [one for one in road.sandbox.accepted_mails() if invoice.number in one.subject]


def ways(road: Road, invoice: InvoiceSummary) -> list[tuple[str, bool]]:
    """The channels of its message in their order, and whether each is over."""
    with reading(road.engine) as session:
        rows = road.notifications(invoice.invoice_id)
        found = [leg for row in rows for leg in legs.of(session, row.notification_id or 0)]
    return [(leg.channel, bool(leg.over)) for leg in found]


def test_an_sms_that_is_refused_for_its_number_goes_out_by_email_at_once(by_both: Road) -> None:
    by_both.sandbox.fail_next("status", method="POST", path=MESSAGES, status=400, body=NO_SUCH_NUMBER)
    invoice = by_both.issue(contact=CART)
    wait_until(lambda: mails(by_both, invoice), "the email is accepted")
    [mail] = mails(by_both, invoice)
    assert (mail.to, mail.provider) == (CARTS_ADDRESS, "twilio")
    assert "Hello Tom," in mail.text
    assert mail.html.startswith("<!DOCTYPE html>")
    assert ways(by_both, invoice) == [("sms", True), ("email", False)]
    assert by_both.messages(invoice) == []


def test_an_sms_that_came_back_goes_out_by_email_a_day_later_and_a_lost_answer_is_found_by_its_tag(
    by_both: Road,
) -> None:
    by_both.sandbox.script_life("undelivered", error_code=30005)
    by_both.sandbox.fail_next("drop_after", method="POST", path=EMAILS)
    invoice = by_both.issue(contact=LOAF)
    wait_until(lambda: ("sms", True) in ways(by_both, invoice), "the SMS came back")
    row = by_both.wait_for(invoice.invoice_id, "planned")
    assert row.reason == "next_channel:twilio:30005"
    assert row.not_before is not None
    assert (row.not_before - datetime.now(UTC)).total_seconds() > 23 * 3600
    assert mails(by_both, invoice) == []

    by_both.hurry(invoice.invoice_id)
    by_both.wait_for(invoice.invoice_id, "unknown")
    by_both.look_now(invoice.invoice_id)
    by_both.wait_for(invoice.invoice_id, "accepted", "sent", "delivered")
    [mail] = mails(by_both, invoice)
    assert by_both.attempts(invoice.invoice_id)[-1].attempt_id == mail.tags["n"]
    assert len(by_both.messages(invoice)) == 1


def test_sendgrid_s_signed_events_say_what_became_of_an_email(by_both: Road) -> None:
    by_both.restart("worker", EMAIL_PROVIDER="sendgrid")
    try:
        by_both.sandbox.script_mail("bounced", to=MILLS_ADDRESS)
        arrives, bounces = by_both.issue(contact=KIOSK), by_both.issue(contact=MILLS)
        by_both.wait_for(arrives.invoice_id, "delivered")
        row = by_both.wait_for(bounces.invoice_id, "undelivered")
    finally:
        by_both.restart("worker")
    assert row.reason == "email:bounce"
    assert [mail.provider for mail in (*mails(by_both, arrives), *mails(by_both, bounces))] == [
        "sendgrid"
    ] * 2
    assert all(post.status == 200 for post in by_both.sandbox.event_posts())
    with reading(by_both.engine) as session:
        assert preferences.refusals(session, [MILLS_ADDRESS], "email") == {MILLS_ADDRESS: "invalid"}


def test_f082_wrong_credentials_stop_sms_with_one_failed_run_and_resume_sends_what_waits(
    calm: Road,
) -> None:
    refusal = '{"code": 20003, "message": "no", "status": 401}'
    calm.sandbox.fail_next("status", method="POST", path=MESSAGES, status=401, body=refusal)
    first = calm.issue()
    calm.wait_for(first.invoice_id, "held")
    second = calm.issue()
    row = calm.wait_for(second.invoice_id, "held")
    assert row.reason == "channel_stopped:sms"
    wait_until(lambda: alarms(calm), "the run that says so has failed")

    told = subprocess.run(
        [sys.executable, "-m", "deployments.cli", "resume"],
        cwd=ROOT,
        env={**os.environ, **calm.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "sms is tried again" in told.stdout
    for invoice in (first, second):
        calm.wait_for(invoice.invoice_id, "delivered")
        assert len(calm.messages(invoice)) == 1
    assert len(alarms(calm)) == 1


def alarms(road: Road) -> list[FlowRun]:
    """The failed runs of ``channel-stopped``."""
    with road.prefect.client() as client:
        runs = client.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=["channel-stopped"])))
    return [run for run in runs if run.state is not None and run.state.is_failed()]
