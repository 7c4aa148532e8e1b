"""One customer and one invoice whose message Twilio holds, with all who act on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlmodel import select

from duebell.errors import Transient
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import notifications, unsettled
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import Claim
from duebell.ledger.tables import Attempt, Audit, Notification
from duebell.ledger.unsettled import settle_due
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.sending.telling import rules_of, tell
from duebell.settling.settling import settle
from duebell.settling.watching import decide_anew, due, found_late, take_back
from tests.support_facts import (
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
    TENANT,
    Hand,
    invoice_body,
    keep_contact,
    keep_invoice,
    open_tenant,
    resources_over,
)
from tests.support_held import HOLDING, SERVICE_SET, HoldingTwilio


@dataclass
class Office:
    """One customer and one invoice, with all who act on the message about it."""

    engine: Engine
    folder: Path
    policy: str = HOLDING
    variables: dict[str, Any] = field(default_factory=lambda: dict(SERVICE_SET))
    clock: Hand = field(default_factory=Hand)
    invoice: dict[str, Any] = field(default_factory=dict[str, Any])
    mobile: str = MOBILE
    xero_is_away: Exception | None = None
    xero_fails: int = 0
    """How many of the next reads find Xero away."""
    asked: int = 0
    """How often Xero was asked."""

    def __post_init__(self) -> None:
        (self.folder / "policy.toml").write_text(self.policy)
        self.twilio = HoldingTwilio(self.clock)
        path = str(self.folder / "policy.toml")
        self.resources = resources_over(
            self.engine, self.clock, twilio=self.twilio, DUEBELL_POLICY=path, **self.variables
        )
        open_tenant(self.engine)
        self.read_again(TENANT, [INVOICE], NOW)

    def read_again(self, _tenant: str, _invoices: Sequence[str], _since: datetime) -> None:
        """Xero, asked for the invoice and its contact."""
        self.asked += 1
        if self.xero_fails:
            self.xero_fails -= 1
            raise Transient("Xero could not be read")
        if self.xero_is_away:
            raise self.xero_is_away
        keep_invoice(self.engine, invoice_body(**self.invoice), read_at=self.clock())
        keep_contact(self.engine, mobile=self.mobile, read_at=self.clock())

    def passes(self, time: timedelta) -> None:
        """Time passes."""
        self.clock.now += time

    def claims(self) -> list[Claim]:
        """What a run takes of what is owed."""
        with writing(self.engine, self.clock()) as book:
            rules = rules_of(self.resources)
            rows = plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], rules, actor="test", flow_run_id="r")
            return notifications.claim_all(book, rows, f"run {self.clock():%H:%M:%S}")

    def tells(self) -> None:
        """A run tells what is owed."""
        for claim in self.claims():
            tell(self.resources, claim, self.read_again, flow_run_id=None)

    def looks(self) -> None:
        """A run of `settle`, as often as one is due."""
        for batch in due(self.engine, self.clock()):
            for one in decide_anew(self.resources, batch, self.read_again):
                take_back(self.resources, one)
        with reading(self.engine) as session:
            lost = unsettled.unsettled(session, now=self.clock())
        settled = [settle(self.resources, one) for one in lost]
        for batch in found_late(self.engine, self.clock(), settled):
            for one in decide_anew(self.resources, batch, self.read_again):
                take_back(self.resources, one)
        assert broken(self.engine) == []

    def until(self, moment: datetime) -> None:
        """Time passes to this moment, and whatever is due meanwhile is looked at within a minute."""
        while self.clock() < moment:
            self.passes(MINUTE)
            if settle_due(self.engine, now=self.clock()):
                self.looks()

    def row(self) -> Notification:
        with reading(self.engine) as session:
            return session.exec(select(Notification)).one()

    def attempts(self) -> list[Attempt]:
        with reading(self.engine) as session:
            return list(session.exec(select(Attempt).order_by("started_at")).all())

    def trail(self, action: str) -> list[str]:
        with reading(self.engine) as session:
            return [row.details for row in session.exec(select(Audit).where(Audit.action == action)).all()]
