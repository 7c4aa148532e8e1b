"""A business whose reminders are told: its ledger, a clock that is moved, and a provider that remembers."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books.reading import Reading
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger import credits, dispatch, inbox, snapshots
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.notifications import Claim, claim_all
from duebell.ledger.tables import Notification
from duebell.ledger.writing import writing
from duebell.model import Credit, CreditKind
from duebell.planning.draining import RunToStart, record_changes
from duebell.planning.planning import plan_kind
from duebell.planning.sweeping import Swept, sweep
from duebell.resources import Resources
from duebell.sending.giving_back import Said
from duebell.sending.telling import render, rules_of, tell
from duebell.xero.parse import parse_invoice_body
from tests.support_facts import (
    ACCOUNT,
    CONTACT,
    TENANT,
    Hand,
    invoice_body,
    numbered,
    read_contacts_anew,
    resources_over,
    sid,
)

ZONE = ZoneInfo("Pacific/Auckland")
TEAM_PHONE, OTHER_TEAM_PHONE = "+64211110000", "+64211110001"
ANY_HOUR = """
opens = "00:00"
closes = "00:00"
on_holidays = true
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
"""


def policy_text(overdue: str = "", team: str = "", rest: str = "") -> str:
    """The shipped policy, but open at any hour, with a team that has a telephone."""
    return (
        f'[invoice_issued]\nopens = "00:00"\ncloses = "00:00"\n'
        f'[payment_received]\nopens = "00:00"\ncloses = "00:00"\n'
        f"[invoice_overdue]\n{ANY_HOUR}{overdue}\n"
        f'[team.accounts]\n{ANY_HOUR}phones = ["{TEAM_PHONE}"]\n{team}\n{rest}'
    )


def at(day: date, hour: int = 10, minute: int = 0) -> datetime:
    """This hour of a day in Auckland."""
    return datetime.combine(day, time(hour, minute), ZONE).astimezone(UTC)


@dataclass
class Phones:
    """Twilio, which takes every message or email and remembers to whom it went and what it said.

    ``meanwhile``: what happens elsewhere while it answers the next time.
    """

    heard: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    came_from: list[str] = field(default_factory=list[str])
    answer: int = 201
    meanwhile: Callable[[], None] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        if request.url.path == "/v1/Emails":
            email = json.loads(request.content)
            self.heard.append((email["to"][0]["address"], email["content"]["text"]))
            return httpx.Response(202, json={"operationId": f"comms_operation_{len(self.heard):026}"})
        form = parse_qs(request.content.decode())
        if self.answer != 201:
            return httpx.Response(self.answer, json={"code": 20429, "message": "too many", "status": 429})
        self.heard.append((form["To"][0], form["Body"][0]))
        self.came_from += form.get("From", []) + form.get("MessagingServiceSid", [])
        body = {"sid": sid(len(self.heard)), "status": "queued", "account_sid": ACCOUNT}
        return httpx.Response(201, json=body)

    def to(self, number: str) -> list[str]:
        """What this number was told."""
        return [text for to, text in self.heard if to == number]


@dataclass
class Office:
    """The business: ``books`` stands for what Xero would answer when an invoice is read again."""

    resources: Resources
    clock: Hand
    phones: Phones
    books: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def engine(self) -> Engine:
        """The ledger."""
        return self.resources.engine

    def keeps(self, *numbers: int, **fields: Any) -> None:
        """Invoices as Xero has them from now on, read just now with their contacts."""
        ids = [numbered(number) for number in numbers]
        for one in ids:
            self.books[one] = invoice_body(one, updated_at=self.clock.now, **fields)
        self._reads(TENANT, ids, self.clock.now)

    def sweeps(self) -> Swept:
        """One run of the sweep."""
        return sweep(self.resources, TENANT, flow_run_id="sweep")

    def runs(self, runs: Sequence[RunToStart]) -> list[Said]:
        """The runs that follow from a sweep, each to its end."""
        return [said for run in runs for said in self.tells(run.record_ids, run.kind)]

    def nets(self) -> list[Said]:
        """The runs that the receiver's net makes for what nobody handles."""
        said: list[Said] = []
        for run in dispatch.due(self.engine, now=self.clock.now):
            said += self.tells(run.invoice_ids, run.kind)
        return said

    def tells(self, invoice_ids: Sequence[str], kind: str = INVOICE_OVERDUE) -> list[Said]:
        """One run that tells of these invoices."""
        return [self.says(claim) for claim in self.claims(invoice_ids, kind=kind)]

    def claims(
        self, invoice_ids: Sequence[str], owner: str = "run 1", kind: str = INVOICE_OVERDUE
    ) -> list[Claim]:
        """What such a run claims."""
        rules = rules_of(self.resources)
        with writing(self.engine, self.clock.now) as book:
            rows = plan_kind(book, TENANT, kind, invoice_ids, rules, actor="test", flow_run_id=owner)
            return claim_all(book, rows, owner)

    def says(self, claim: Claim) -> Said:
        """The rest of a run for one claim."""
        held = render(self.resources, claim)
        return held or tell(self.resources, claim, self._reads, flow_run_id="run 1")

    def hears(self, *numbers: int) -> list[RunToStart]:
        """The drain handles an event about each of these invoices; returns the runs that follow."""
        now = self.clock.now
        new = [NewEvent(TENANT, "INVOICE", numbered(one), "UPDATE", now.isoformat(), now) for one in numbers]
        inbox.keep(self.engine, new, [], now=now)
        taken = inbox.claim(self.engine, TENANT, now=now, most=50)
        with writing(self.engine, now) as book:
            rules = rules_of(self.resources)
            return record_changes(book, TENANT, taken, Reading(0, 1), rules, flow_run_id=None)

    def _reads(self, tenant_id: str, invoice_ids: Sequence[str], _since: datetime) -> None:
        bodies = [self.books[one] for one in invoice_ids]
        records = [(parse_invoice_body(body), body) for body in bodies]
        snapshots.save_invoices(self.engine, tenant_id, records, read_at=self.clock.now)
        read_contacts_anew(self.engine, invoice_ids, self.clock.now)

    def day(self) -> list[Said]:
        """What a day brings at this hour: a sweep, and the runs that follow."""
        return self.runs(self.sweeps().runs)

    def later(self, **time: float) -> None:
        """Move the clock."""
        self.clock.now += timedelta(**time)

    def stands(self) -> list[tuple[str, str, str, str]]:
        """Each reminder (invoice, stage or team and stage, state, reason) in the order of their planning."""
        with reading(self.engine) as session:
            wanted = select(Notification).where(Notification.kind == INVOICE_OVERDUE)
            rows = session.exec(wanted.order_by("notification_id")).all()
        return [(_number(row), _what(row), row.state, row.reason) for row in rows]


def _number(row: Notification) -> str:
    return str(int(row.invoice_id[-4:], 16) & 0xFFF)


def _what(row: Notification) -> str:
    stage = row.step.partition("@")[0]
    return stage if row.recipient.startswith("contact:") else f"{row.recipient} {stage}"


def office_over(
    engine: Engine,
    folder: Path,
    now: datetime,
    text: str | None = None,
    *,
    email_from: str = "",
    phones: Phones | None = None,
) -> Office:
    """The business over this ledger, at this moment."""
    clock, phones = Hand(now), phones or Phones()
    (folder / "policy.toml").write_text(text or policy_text())
    file = str(folder / "policy.toml")
    resources = resources_over(engine, clock, twilio=phones, DUEBELL_POLICY=file, EMAIL_FROM=email_from)
    return Office(resources, clock, phones)


def due(day: date, **fields: Any) -> dict[str, Any]:
    """Xero's field of a due date."""
    return {"DueDateString": f"{day.isoformat()}T00:00:00", **fields}


def day_of(day: date) -> str:
    """A day as Xero writes it."""
    return f"/Date({(day - date(1970, 1, 1)).days * 86_400_000}+0000)/"


def a_payment(number: int, amount: int, day: date) -> dict[str, Any]:
    """A payment as an invoice lists it."""
    return {"PaymentID": numbered(900 + number), "Amount": amount, "Date": day_of(day)}


def has_credit(office: Office, amount: str, currency: str = "NZD", contact_id: str = CONTACT) -> None:
    """An overpayment of the customer's, of which so much waits."""
    credit = Credit(
        numbered(800), CreditKind.OVERPAYMENT, is_customers=True, contact_id=contact_id,
        currency=currency, remaining=Decimal(amount),
    )  # fmt: skip
    credits.keep(office.engine, TENANT, [credit], read_at=office.clock.now)
