"""A business whose messages go wrong by faults of its own setup, over a played Twilio."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import Engine
from sqlmodel import select

from duebell.keys import INVOICE_ISSUED
from duebell.ledger import channel_stops, dispatch
from duebell.ledger.engine import reading
from duebell.ledger.notifications import claim_all
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Audit, Notification
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.resources import Resources
from duebell.sending.telling import rules_of, tell
from duebell.states import NotificationState
from tests.support_facts import (
    ACCOUNT,
    CONTACT,
    OTHER_CONTACT,
    TENANT,
    Hand,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    read_contacts_anew,
    receipt,
    resources_over,
    sid,
)

S = NotificationState
ABROAD = "+12025550123"
EMAIL = "rimu@example.com"
SMS, TO_US, OURS_TO_US = "channel:sms", "channel:sms:US", "channel:sms:US:from:-"
OTHER = "+64210009999"
"""The sender of invoices in Australian dollars."""
MINUTE = timedelta(minutes=1)


class Twilio:
    """A Twilio that refuses with a code, for each country or sender until it is mended; ``asked`` are its
    POSTs.
    """

    def __init__(self) -> None:
        self.refuses: dict[str, tuple[int, int]] = {}
        self.mail = 202
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/Emails":
            self.asked.append("email")
            if self.mail != 202:
                return httpx.Response(self.mail, json={"message": "no"})
            return httpx.Response(202, json={"operationId": f"comms_operation_{len(self.asked):026}"})
        form = httpx.QueryParams(request.content.decode())
        to, sender = form["To"], form["From"]
        self.asked.append(to)
        for beginning, (status, code) in self.refuses.items():
            if to.startswith(beginning) or sender == beginning:
                return httpx.Response(status, json={"code": code, "message": "no", "status": status})
        body = {"sid": sid(len(self.asked)), "status": "queued", "account_sid": ACCOUNT}
        return httpx.Response(201, json=body)


class Shop:
    """A business whose invoices are told one by one, on a clock that is moved."""

    def __init__(self, engine: Engine, folder: Path, channels: str = '"sms"') -> None:
        self.engine, self.clock, self.twilio = engine, Hand(), Twilio()
        lines = f'[invoice_issued]\nopens = "00:00"\ncloses = "00:00"\nchannels = [{channels}]\n'
        lines += f'[[rule]]\nwhen = {{ currency = "AUD" }}\nthen = {{ sender = "{OTHER}" }}\n'
        self.currencies: dict[int, str] = {}
        (folder / "policy.toml").write_text(lines)
        self.resources: Resources = resources_over(
            engine,
            self.clock,
            twilio=self.twilio,
            DUEBELL_POLICY=str(folder / "policy.toml"),
            EMAIL_FROM="bills@kauri.example",
        )
        open_tenant(engine)
        keep_contact(engine, EmailAddress=EMAIL)
        keep_contact(engine, OTHER_CONTACT, ABROAD, EmailAddress="us@example.com")

    def issues(self, *numbers: int, contact: str = CONTACT) -> None:
        for number in numbers:
            currency = self.currencies.get(number, "NZD")
            body = invoice_body(numbered(number), Contact={"ContactID": contact}, CurrencyCode=currency)
            keep_invoice(self.engine, body, read_at=self.clock.now)

    def tells(self, *numbers: int) -> list[str]:
        """A run for these invoices; returns how each of what it claimed stands then."""
        ids, now = [numbered(number) for number in numbers], self.clock.now
        with writing(self.engine, now) as book:
            rules = rules_of(self.resources)
            rows = plan_kind(book, TENANT, INVOICE_ISSUED, ids, rules, actor="test", flow_run_id=None)
            claims = claim_all(book, rows, f"run {now}")
        return [tell(self.resources, claim, self._reads, flow_run_id="r").state for claim in claims]

    def _reads(self, _tenant_id: str, invoice_ids: Sequence[str], _since: datetime) -> None:
        read_contacts_anew(self.engine, invoice_ids, self.clock.now)
        for invoice_id in invoice_ids:
            with reading(self.engine) as session:
                wanted = select(Notification.contact_id).where(Notification.invoice_id == invoice_id)
                contact = session.exec(wanted).first()
            self.issues(int(invoice_id[-4:], 16) & 0xFFF, contact=contact or CONTACT)

    def due(self) -> list[int]:
        """The invoices that the net would start runs for now."""
        runs = dispatch.due(self.engine, now=self.clock.now)
        return [int(one[-4:], 16) & 0xFFF for run in runs for one in run.invoice_ids]

    def later(self, wait: timedelta) -> None:
        self.clock.now += wait

    def stands(self, number: int) -> tuple[str, str]:
        with reading(self.engine) as session:
            wanted = select(Notification).where(Notification.invoice_id == numbered(number))
            row = session.exec(wanted).one()
            return row.state, row.reason

    def stopped(self) -> list[str]:
        return [stop.scope for stop in channel_stops.stops(self.engine)]

    def trail(self) -> list[str]:
        with reading(self.engine) as session:
            wanted = select(Audit.action).where(Audit.subject_type == "brake").order_by("sequence")
            return list(session.exec(wanted).all())


def refused(shop: Shop, status: int, code: int, to: str = "+") -> None:
    shop.twilio.refuses[to] = (status, code)


def mended(shop: Shop, when: datetime) -> list[str]:
    """A person has mended the setup and says so; returns the channels that are tried again."""
    with writing(shop.engine, when) as book:
        return channel_stops.lift_all(book, "person:test", "")


def came_back(shop: Shop, number: int, code: int, status: str = "undelivered") -> None:
    keep_receipt(shop.engine, receipt(status, number, code=code), now=shop.clock.now)
