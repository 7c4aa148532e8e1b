"""Twilio's scheduling over HTTP: what is held is taken back where it became untrue, else it goes out."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import InvoiceSummary
from deployments.sandbox.credentials import MESSAGING_SERVICE_SID, TENANT_ID, TWILIO_FROM
from duebell.books.bursts import BurstReader
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import notifications, tenants, unsettled
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.ledger.unsettled import held_too_long, settle_due
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.resources import Resources, open_resources
from duebell.sending.resending import at_once
from duebell.sending.telling import rules_of, tell
from duebell.settings import load
from duebell.settling.confirming import confirm
from duebell.settling.settling import settle
from duebell.settling.watching import decide_anew, due, take_back
from duebell.states import NotificationState
from tests.support_office import Office, open_office

S = NotificationState
POLICY = """
[invoice_issued]
sending = "hold"
channels = ["sms"]
opens = "00:00"
closes = "00:00"
"""
HOLDING = {"TWILIO_MESSAGING_SERVICE_SID": MESSAGING_SERVICE_SID, "TWILIO_FROM": ""}


@dataclass
class Desk:
    """One who issues and tells, by the sandbox's clock and over HTTP alone."""

    office: Office
    resources: Resources
    ahead: list[timedelta] = field(default_factory=list[timedelta])

    @property
    def sandbox(self) -> SandboxControl:
        return self.office.sandbox

    def passes(self, minutes: float) -> None:
        """Time passes, here and in the sandbox."""
        self.sandbox.shift_clock(minutes * 60)
        self.ahead.append(timedelta(minutes=minutes))

    def read_again(self, tenant_id: str, invoice_ids: Sequence[str], since: datetime) -> None:
        BurstReader(at_once(self.resources)(tenant_id)).look_again(invoice_ids, since=since)

    def issues(self) -> InvoiceSummary:
        """An invoice of the sandbox's company, read as its event would have it."""
        contact = next(one for one in self.sandbox.contacts() if one.name == "Aro Street Cafe")
        invoice = self.sandbox.add_invoice(contact.contact_id, "100.00")
        access = at_once(self.resources)(TENANT_ID)
        BurstReader(access).changed([invoice.invoice_id], since=self.resources.clock())
        return invoice

    def tells(self, invoice: InvoiceSummary) -> None:
        """A run tells what is owed about an invoice."""
        with writing(self.resources.engine, self.resources.clock()) as book:
            rules = rules_of(self.resources)
            ids = [invoice.invoice_id]
            rows = plan_kind(book, TENANT_ID, INVOICE_ISSUED, ids, rules, actor="test", flow_run_id="r")
            claims = notifications.claim_all(book, rows, f"run {len(self.ahead)}")
        for claim in claims:
            tell(self.resources, claim, self.read_again, flow_run_id=None)

    def looks(self) -> None:
        """A run of `settle`, where one is due."""
        now = self.resources.clock()
        assert settle_due(self.resources.engine, now=now)
        for batch in due(self.resources.engine, now):
            for one in decide_anew(self.resources, batch, self.read_again):
                take_back(self.resources, one)
        with reading(self.resources.engine) as session:
            lost, silent = unsettled.unsettled(session, now=now), held_too_long(session, now)
        for one in lost:
            settle(self.resources, one)
        for one in silent:
            confirm(self.resources, one)
        assert broken(self.resources.engine) == []

    def stands(self, invoice: InvoiceSummary) -> tuple[str, str]:
        """The state and the reason of what is owed about an invoice."""
        with reading(self.resources.engine) as session:
            wanted = select(Notification).where(Notification.invoice_id == invoice.invoice_id)
            row = session.exec(wanted).one()
        return row.state, row.reason

    def at_twilio(self, invoice: InvoiceSummary) -> list[str]:
        """How the messages about an invoice stand at the sandbox: the oracle."""
        return [one.status for one in self.sandbox.accepted_messages() if invoice.number in one.body.split()]

    def says(self, *words: str, **changes: str) -> str:
        """What a command prints, in one line."""
        return " ".join(self.office.run(*words, **changes).output.split())


@pytest.fixture
def desk(sandbox: SandboxControl, sqlite_ledger: Engine, tmp_path: Path) -> Generator[Desk]:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    with open_office(sandbox, sqlite_ledger, tmp_path / "home") as office:
        office.environment.update(HOLDING, DUEBELL_POLICY=str(policy))
        tenants.go_live(sqlite_ledger, TENANT_ID, "test", release_held=False, now=datetime.now(UTC))
        ahead = list[timedelta]()

        def clock() -> datetime:
            return datetime.now(UTC) + sum(ahead, timedelta())

        with closing(open_resources(load(office.environment, env_file=None), clock)) as resources:
            yield Desk(office, resources, ahead)


def test_what_is_paid_while_it_is_held_is_cancelled_and_what_is_not_goes_out_at_its_time(desk: Desk) -> None:
    paid, owed = desk.issues(), desk.issues()
    for invoice in (paid, owed):
        desk.tells(invoice)
        assert desk.stands(invoice)[0] == S.SCHEDULED
        assert desk.at_twilio(invoice) == ["scheduled"]
    desk.sandbox.pay(paid.invoice_id)
    desk.passes(22.5)
    desk.looks()
    assert desk.stands(paid) == (S.PLANNED, "cancelled:already_paid")
    desk.tells(paid)
    assert desk.stands(paid) == (S.SKIPPED, "already_paid")
    desk.passes(5)
    assert desk.sandbox.settle()
    desk.looks()
    assert desk.stands(owed)[0] == S.DELIVERED
    assert (desk.at_twilio(paid), desk.at_twilio(owed)) == (["canceled"], ["delivered"])
    why = desk.says("explain", paid.number)
    assert "attempt begun: Twilio is to send it at a later time" in why
    assert "cancel:already_paid: notification planned" in why


def test_f075_a_schedule_whose_answer_was_lost_is_found_in_the_list_and_taken_back(desk: Desk) -> None:
    invoice = desk.issues()
    desk.sandbox.fail_next("drop_after", method="POST", path="*/Messages.json")
    desk.tells(invoice)
    assert desk.stands(invoice)[0] == S.UNKNOWN
    desk.passes(2)
    desk.looks()
    assert desk.stands(invoice)[0] == S.SCHEDULED
    desk.sandbox.pay(invoice.invoice_id)
    desk.passes(20.5)
    desk.looks()
    assert desk.at_twilio(invoice) == ["canceled"]


def test_a_time_that_twilio_refuses_stops_holding_until_a_person_resumes_it(desk: Desk) -> None:
    assert "held messages: held at Twilio until their time" in desk.says("doctor")
    alone = desk.says("doctor", TWILIO_MESSAGING_SERVICE_SID="", TWILIO_FROM=TWILIO_FROM)
    assert "mend held messages: sent at once, because there is no Messaging Service" in alone
    desk.sandbox.settings(schedule_lead_seconds=3600)
    refused = desk.issues()
    desk.tells(refused)
    assert desk.stands(refused)[0] == S.PLANNED
    why_off = "Twilio refused a time to send, code 35115"
    assert f"mend held messages: sent at once: {why_off}" in desk.says("doctor")
    desk.passes(2)
    desk.tells(refused)
    assert f"sent at once: {why_off}" in desk.says("explain", refused.number)

    desk.sandbox.settings(schedule_lead_seconds=300)
    assert "Sending goes on." in desk.says("resume")
    held = desk.issues()
    desk.tells(held)
    assert (desk.stands(refused)[0], desk.stands(held)[0]) == (S.ACCEPTED, S.SCHEDULED)
    assert desk.at_twilio(held) == ["scheduled"]
