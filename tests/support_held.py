"""A Twilio that holds messages until their time, played over a clock; it keeps the truth of what went out."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
from sqlalchemy import Engine

from duebell.ledger import attempts
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.notifications import Claim
from duebell.ledger.writing import writing
from duebell.states import AttemptState, NotificationState
from tests.support_facts import ACCOUNT, MINUTE, NOW, claim, leg_of, plan, sid
from tests.support_truth import attempt_of

SERVICE = "MG" + "0" * 32
SERVICE_SET = {"TWILIO_MESSAGING_SERVICE_SID": SERVICE, "TWILIO_FROM": ""}
SEND_AT = NOW + 25 * MINUTE
HOLDING = """
[invoice_issued]
sending = "hold"
[invoice_overdue]
sending = "hold"
"""


@dataclass
class Copy:
    """A message that Twilio took."""

    sid: str
    attempt_id: str
    to: str
    body: str
    at: datetime
    listed_from: datetime
    send_at: datetime | None
    cancelled: bool = False

    def status(self, now: datetime) -> str:
        """Where it stands."""
        if self.cancelled:
            return "canceled"
        return "scheduled" if self.send_at is not None and now < self.send_at else "sent"


@dataclass
class HoldingTwilio:
    """Answers as Twilio does. ``fates`` are of the next POSTs, ``cancel_fates`` of the next cancellations:
    ``lost`` is done and not answered, ``vanished`` neither; ``ignored`` is a message that is sent at once.
    """

    clock: Callable[[], datetime]
    lead: timedelta = timedelta(minutes=5)
    lag: timedelta = timedelta(0)
    lists_fail: int = 0
    """How many of the next lists are not answered."""
    lists_left: int | None = None
    """After how many more none is answered; None for never."""
    fates: list[str] = field(default_factory=list[str])
    cancel_fates: list[str] = field(default_factory=list[str])
    copies: list[Copy] = field(default_factory=list[Copy])
    forms: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    before_post: Callable[[], None] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the account's."""
        if request.method == "GET":
            return self._read(request)
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if "Status" in form:
            return self._cancel(request)
        return self._create(request, form)

    def went_out(self) -> list[Copy]:
        """What people have by now."""
        return [one for one in self.copies if one.status(self.clock()) == "sent"]

    def duplicate(self, hidden: timedelta = timedelta(0)) -> None:
        """Have the last POST arrive once more, as may happen on the way; the list hides it for so long."""
        last = self.copies[-1]
        listed_from = last.listed_from + hidden
        self.copies.append(replace(last, sid=sid(len(self.copies) + 1), listed_from=listed_from))

    def _create(self, request: httpx.Request, form: dict[str, str]) -> httpx.Response:
        self.forms.append(form)
        fate = self.fates.pop(0) if self.fates else "taken"
        if self.before_post is not None:
            self.before_post()
        now = self.clock()
        send_at = datetime.fromisoformat(form["SendAt"]) if "SendAt" in form and fate != "ignored" else None
        if send_at is not None and send_at <= now + self.lead:
            return httpx.Response(400, json={"code": 35115, "message": "", "status": 400})
        if fate == "vanished":
            raise httpx.ReadTimeout("no answer", request=request)
        number = sid(len(self.copies) + 1)
        listed_from = now + self.lag
        copy = Copy(number, attempt_of(form), form["To"], form["Body"], now, listed_from, send_at)
        self.copies.append(copy)
        if fate == "lost":
            raise httpx.ReadTimeout("no answer", request=request)
        status = "scheduled" if send_at is not None else "accepted"
        return httpx.Response(201, json=self._told(copy) | {"status": status})

    def _read(self, request: httpx.Request) -> httpx.Response:
        now = self.clock()
        if not request.url.path.endswith("/Messages.json"):
            return httpx.Response(200, json=self._told(self._named(request)))
        if self.lists_fail or self.lists_left == 0:
            self.lists_fail = max(0, self.lists_fail - 1)
            raise httpx.ReadTimeout("no answer", request=request)
        self.lists_left = None if self.lists_left is None else self.lists_left - 1
        to = request.url.params["To"]
        listed = [self._told(one) for one in self.copies if one.to == to and one.listed_from <= now]
        return httpx.Response(200, json={"messages": listed[::-1], "page_size": 50, "next_page_uri": None})

    def _cancel(self, request: httpx.Request) -> httpx.Response:
        copy = self._named(request)
        fate = self.cancel_fates.pop(0) if self.cancel_fates else "taken"
        if fate == "vanished":
            raise httpx.ReadTimeout("no answer", request=request)
        if copy.status(self.clock()) != "scheduled":
            return httpx.Response(400, json={"code": 30409, "message": "", "status": 400})
        copy.cancelled = True
        if fate == "lost":
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(200, json=self._told(copy))

    def _named(self, request: httpx.Request) -> Copy:
        wanted = request.url.path.rpartition("/")[2].removesuffix(".json")
        return next(one for one in self.copies if one.sid == wanted)

    def _told(self, copy: Copy) -> dict[str, Any]:
        return {
            "sid": copy.sid,
            "account_sid": ACCOUNT,
            "status": copy.status(self.clock()),
            "direction": "outbound-api",
            "to": copy.to,
            "body": copy.body,
            "error_code": None,
            "date_created": format_datetime(copy.at),
        }


def begin_held(
    engine: Engine, claimed: Claim, attempt_id: str, *, now: datetime = NOW, send_at: datetime = SEND_AT
) -> None:
    """Write an attempt down whose message Twilio is to hold."""
    with writing(engine, now) as book:
        assert attempts.begin(
            book,
            claimed,
            attempt_id,
            leg=leg_of(book, claimed),
            text="a text",
            read_at=now,
            flow_run_id=None,
            send_at=send_at,
        )


def held_off(engine: Engine, number: int = 1, attempt_id: str = "a1", *, now: datetime = NOW) -> Claim:
    """A notification whose message is being posted, to be held."""
    claimed = claim(engine, plan(engine, number, now=now).notification_id or 0, now=now)
    assert claimed is not None
    begin_held(engine, claimed, attempt_id, now=now)
    return claimed


def scheduled(number: int = 1) -> Conclusion:
    """Twilio holds the message."""
    return Conclusion(
        AttemptState.ACCEPTED, NotificationState.SCHEDULED, sid=sid(number), provider_status="scheduled"
    )
