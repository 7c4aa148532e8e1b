"""SendGrid holds emails, over HTTP: what became untrue is taken back, what was not answered said again."""

from collections.abc import Generator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import FaultKind, InvoiceSummary
from deployments.sandbox.credentials import EMAIL_FROM, SENDGRID_API_KEY, SENDGRID_WEBHOOK_KEY, TENANT_ID
from duebell.ledger import tenants
from duebell.resources import open_resources
from duebell.settings import load
from duebell.states import NotificationState
from tests.support_held_email import HOLDING_EMAILS
from tests.support_office import open_office
from tests.test_holding_over_http import Desk

S = NotificationState


@pytest.fixture
def desk(sandbox: SandboxControl, sqlite_ledger: Engine, tmp_path: Path) -> Generator[Desk]:
    policy = tmp_path / "policy.toml"
    policy.write_text(HOLDING_EMAILS)
    with open_office(sandbox, sqlite_ledger, tmp_path / "home") as office:
        by_sendgrid = {
            "EMAIL_PROVIDER": "sendgrid",
            "EMAIL_FROM": EMAIL_FROM,
            "SENDGRID_API_KEY": SENDGRID_API_KEY,
            "SENDGRID_API_URL": sandbox.base_url,
            "SENDGRID_WEBHOOK_KEYS": SENDGRID_WEBHOOK_KEY,
        }
        office.environment.update(by_sendgrid, DUEBELL_POLICY=str(policy))
        tenants.go_live(sqlite_ledger, TENANT_ID, "test", release_held=False, now=datetime.now(UTC))
        ahead = list[timedelta]()

        def clock() -> datetime:
            return datetime.now(UTC) + sum(ahead, timedelta())

        with closing(open_resources(load(office.environment, env_file=None), clock)) as resources:
            yield Desk(office, resources, ahead)


def at_sendgrid(desk: Desk, invoice: InvoiceSummary) -> list[str]:
    """How the emails about an invoice stand at the sandbox: the oracle."""
    return [one.status for one in desk.sandbox.accepted_mails() if invoice.number in one.subject]


def test_what_is_paid_while_it_is_held_is_discarded_and_what_is_not_goes_out_at_its_time(desk: Desk) -> None:
    paid, owed = desk.issues(), desk.issues()
    for invoice in (paid, owed):
        desk.tells(invoice)
        assert (desk.stands(invoice)[0], at_sendgrid(desk, invoice)) == (S.SCHEDULED, ["scheduled"])
    desk.sandbox.pay(paid.invoice_id)
    desk.passes(10.5)
    desk.looks()
    assert desk.stands(paid) == (S.PLANNED, "cancelled:already_paid")
    desk.tells(paid)
    assert desk.stands(paid) == (S.SKIPPED, "already_paid")
    desk.passes(17)
    assert desk.sandbox.settle()
    desk.looks()
    assert desk.stands(owed)[0] == S.ACCEPTED
    assert (at_sendgrid(desk, paid), at_sendgrid(desk, owed)) == (["canceled"], ["delivered"])
    why = desk.says("explain", paid.number)
    assert "attempt begun: SendGrid is to send it at a later time" in why
    assert "cancel:already_paid: notification planned" in why


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_an_email_whose_answer_was_lost_is_discarded_and_goes_out_once(desk: Desk, fault: FaultKind) -> None:
    invoice = desk.issues()
    desk.sandbox.fail_next(fault, method="POST", path="/v3/mail/send")
    desk.tells(invoice)
    assert desk.stands(invoice)[0] == S.UNKNOWN
    desk.passes(2)
    desk.looks()
    assert desk.stands(invoice) == (S.PLANNED, "tried_again_later")
    desk.tells(invoice)
    desk.passes(28)
    assert desk.sandbox.settle()
    assert at_sendgrid(desk, invoice)[-1:] == ["delivered"]
    assert at_sendgrid(desk, invoice)[:-1] == (["canceled"] if fault == "drop_after" else [])
    assert "its batch was cancelled in time" in desk.says("explain", invoice.number)


def test_the_doctor_says_where_emails_are_held_and_why_they_are_not(desk: Desk) -> None:
    assert "held messages: held at SendGrid until their time" in desk.says("doctor")
    by_twilio = desk.says("doctor", EMAIL_PROVIDER="twilio", SENDGRID_API_KEY="", SENDGRID_WEBHOOK_KEYS="")
    assert "mend held messages: emails are not held, because it is not SendGrid" in by_twilio
