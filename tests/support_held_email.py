"""A SendGrid that holds emails until their time, played over a clock, and an office that writes by it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from duebell.ledger import unsettled
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.ledger.tables import Attempt
from duebell.settling.confirming import confirm
from tests.support_facts import invoice_body, keep_contact, keep_invoice
from tests.support_watching import Office

EMAIL = "accounts@rimu.example"
FIRST_LOOK = timedelta(minutes=1)
PAID = {"AmountDue": 0, "AmountPaid": 115, "Status": "PAID"}
"""What Xero says of the invoice once it is paid."""
SENDGRID_SET = {
    "EMAIL_PROVIDER": "sendgrid",
    "EMAIL_FROM": "Kauri Books <books@kauri.example>",
    "SENDGRID_API_KEY": "SG.test-only",
    "SENDGRID_WEBHOOK_KEYS": "",
}
HOLDING_EMAILS = """
[hold]
emails = true
[invoice_issued]
sending = "hold"
channels = ["email"]
opens = "00:00"
closes = "00:00"
"""


@dataclass
class HeldEmail:
    """An email that SendGrid took."""

    sid: str
    tag: str
    text: str
    send_at: datetime | None
    batch_id: str

    def as_receipt(self, word: str, raw: dict[str, Any]) -> NewReceipt:
        return NewReceipt(self.sid, word, None, self.tag, json.dumps(raw), provider="sendgrid")


@dataclass
class HoldingSendGrid:
    """Answers as SendGrid does. ``fates`` are of the next emails, ``cancel_fates`` of the next cancellations:
    ``lost`` is done and not answered, ``vanished`` neither, ``late`` is taken when ``arrive`` is called.
    """

    clock: Callable[[], datetime]
    fates: list[str] = field(default_factory=list[str])
    cancel_fates: list[str] = field(default_factory=list[str])
    most_cancelled: int = 10
    batch_status: int = 201
    batches: dict[str, datetime | None] = field(default_factory=dict[str, datetime | None])
    """When each was cancelled."""
    emails: list[HeldEmail] = field(default_factory=list[HeldEmail])
    under_way: list[HeldEmail] = field(default_factory=list[HeldEmail])
    before_answer: Callable[[], None] | None = None
    before_cancel: Callable[[], None] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the account's."""
        path, last = request.url.path, request.url.path.rpartition("/")[2]
        if path == "/v3/mail/batch":
            return self._create_batch()
        if path == "/v3/mail/send":
            return self._take(request)
        if path == "/v1/Emails":  # Twilio's Email API, which knows of none of these
            return httpx.Response(200, json={"emails": []})
        if request.method == "GET":
            found = [{"batch_id": last, "status": "cancel"}] if self.batches[last] else []
            return httpx.Response(200, json=found)
        return self._cancel(request, json.loads(request.content)["batch_id"])

    def went_out(self) -> list[HeldEmail]:
        """What people have by now."""
        return [one for one in self.emails if one.send_at is None or self._went_out(one, one.send_at)]

    def _went_out(self, one: HeldEmail, send_at: datetime) -> bool:
        cancelled = self.batches[one.batch_id]
        in_time = cancelled is not None and cancelled <= send_at - timedelta(minutes=10)
        return send_at <= self.clock() and not in_time

    def arrive(self) -> None:
        """What was under way reaches SendGrid."""
        self.emails += self.under_way
        self.under_way.clear()

    def _create_batch(self) -> httpx.Response:
        if self.batch_status != 201:
            return httpx.Response(self.batch_status, json={"errors": []})
        batch_id = f"batch-{len(self.batches) + 1}"
        self.batches[batch_id] = None
        return httpx.Response(201, json={"batch_id": batch_id})

    def _take(self, request: httpx.Request) -> httpx.Response:
        fate = self.fates.pop(0) if self.fates else "taken"
        body = json.loads(request.content)
        at = body.get("send_at")
        number = len(self.emails) + len(self.under_way) + 1
        email = HeldEmail(
            f"grid-{number}",
            body["personalizations"][0]["custom_args"]["n"],
            body["content"][0]["value"],
            None if at is None else datetime.fromtimestamp(at, UTC),
            body.get("batch_id", ""),
        )
        if fate in {"taken", "lost"}:
            self.emails.append(email)
        elif fate == "late":
            self.under_way.append(email)
        if self.before_answer is not None:
            self.before_answer()
        if fate != "taken":
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(202, headers={"X-Message-Id": email.sid})

    def _cancel(self, request: httpx.Request, batch_id: str) -> httpx.Response:
        if self.before_cancel is not None:
            self.before_cancel()
        fate = self.cancel_fates.pop(0) if self.cancel_fates else "taken"
        if fate == "vanished":
            raise httpx.ReadTimeout("no answer", request=request)
        if self.batches[batch_id] or sum(map(bool, self.batches.values())) >= self.most_cancelled:
            return httpx.Response(400, json={"errors": []})
        self.batches[batch_id] = self.clock()  # too late or not: the answer is the same
        if fate == "lost":
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(201, json={"batch_id": batch_id, "status": "cancel"})


@dataclass
class EmailOffice(Office):
    """The customer is written to by email, which SendGrid holds."""

    policy: str = HOLDING_EMAILS
    variables: dict[str, Any] = field(default_factory=lambda: dict(SENDGRID_SET))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.grid = HoldingSendGrid(self.clock)
        http = httpx.Client(transport=httpx.MockTransport(self.grid))
        self.resources = replace(self.resources, twilio_http=http)

    def read_again(self, _tenant: str, _invoices: Sequence[str], _since: datetime) -> None:
        """Xero, asked for the invoice and its contact."""
        if self.xero_is_away:
            raise self.xero_is_away
        keep_invoice(self.engine, invoice_body(**self.invoice), read_at=self.clock())
        keep_contact(self.engine, mobile="", EmailAddress=EMAIL, read_at=self.clock())

    def looks(self) -> None:
        """A run of `settle`; what failed in it is tried again by the next."""
        super().looks()
        for one in self.silent():
            confirm(self.resources, one)
        assert broken(self.engine) == []

    def silent(self) -> list[unsettled.Unconfirmed]:
        with reading(self.engine) as session:
            return unsettled.held_too_long(session, self.clock())

    def hears(self, email: HeldEmail, word: str, at: datetime | None = None) -> None:
        """SendGrid tells of an email, and when that happened."""
        raw = {"event": word, "timestamp": int((at or self.clock()).timestamp()), "email": EMAIL}
        keep_receipt(self.engine, email.as_receipt(word, raw), now=self.clock())

    def attempt(self) -> Attempt:
        """The latest."""
        return self.attempts()[-1]
