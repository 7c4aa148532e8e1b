"""SendGrid, played inside the process over simulated time. It keeps the truth: what it accepted, and when.

It holds emails in batches, tells of them by events alone, and has no list.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import Engine

from deployments.receiver.sendgrid_events import receipts_of
from duebell.email.messages import TAG
from duebell.email.sendgrid_events import read_events
from duebell.ledger.receipts import keep_receipt
from tests.support_clockwork import Clockwork
from tests.support_fates import AMBIGUOUS, WELL, Fate
from tests.support_played_email import EMAIL_FATES
from tests.support_played_twilio import Disorder, Posted, Remembers, Taken

CLOSES = timedelta(minutes=10)
"""How long before its time an email can be cancelled no more."""
GRID_FATES = (
    *EMAIL_FATES,
    Fate("taken much later, the answer lost", 0.01, taken=True, after=(60, 2_400), answer_after=(20, 21)),
)


@dataclass
class PostedInBatch(Posted):
    """A POST about an invoice, in a batch that is cancelled or is not."""

    discarded: Callable[[], bool] = lambda: False

    def may_come_out(self, now: datetime) -> bool:
        """Whether somebody may yet be told by it, for all that its sender can know."""
        del now
        return self.fate in AMBIGUOUS and not self.is_written_off and not self.discarded()


@dataclass
class PlayedSendGrid(Remembers):
    """Answers as SendGrid does, with what goes wrong drawn by ``chance``."""

    clockwork: Clockwork
    chance: random.Random
    disorder: Disorder
    engine: Engine
    """The ledger that its events come to."""
    fates: tuple[Fate, ...] = GRID_FATES
    most_cancelled: int = 100_000
    messages: list[Taken] = field(default_factory=list[Taken])
    posts: dict[str, list[Posted]] = field(default_factory=lambda: defaultdict(list[Posted]))
    """The POSTs about each invoice, by its number."""
    batches: dict[str, datetime | None] = field(default_factory=dict[str, datetime | None])
    """When each was cancelled."""
    held: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list[datetime]))
    """When the emails of each batch are to go out."""
    of_attempt: Counter[str] = field(default_factory=Counter[str])
    seen: Counter[str] = field(default_factory=Counter[str])
    wrongs: list[str] = field(default_factory=list[str])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the account's."""
        path, last = request.url.path, request.url.path.rpartition("/")[2]
        if path == "/v3/mail/send":
            return self._post(request, json.loads(request.content))
        self.clockwork.step(self.chance.uniform(0.05, 1.0))
        if self.chance.random() < self.disorder.reads_fail:
            raise httpx.ReadTimeout("no answer", request=request)
        if path == "/v1/Emails":  # Twilio's Email API, which knows of none of these
            return httpx.Response(200, json={"emails": []})
        if path == "/v3/mail/batch":
            batch_id = f"batch-{len(self.batches) + 1}"
            self.batches[batch_id] = None
            return httpx.Response(201, json={"batch_id": batch_id})
        if request.method == "GET":
            found = [{"batch_id": last, "status": "cancel"}] if self.batches[last] else []
            return httpx.Response(200, json=found)
        return self._cancel(request, json.loads(request.content)["batch_id"])

    def _cancel(self, request: httpx.Request, batch_id: str) -> httpx.Response:
        now = self.clockwork.now
        asked = [one for one, cancelled in self.batches.items() if cancelled]
        at_once = sum(max(self.held[one], default=now) >= now for one in asked)
        if self.batches[batch_id] or at_once >= self.most_cancelled:
            return httpx.Response(400, json={"errors": []})
        self.batches[batch_id] = now  # too late or not: the answer is the same
        if self.chance.random() < self.disorder.cancels_fail:
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(201, json={"batch_id": batch_id, "status": "cancel"})

    def _post(self, request: httpx.Request, email: dict[str, Any]) -> httpx.Response:
        shares = [fate.share for fate in self.fates]
        fate = self.chance.choices([*self.fates, WELL], [*shares, 1 - sum(shares)])[0]
        send_at = datetime.fromtimestamp(email["send_at"], UTC) if "send_at" in email else None
        batch_id = email.get("batch_id", "")
        posted = PostedInBatch(fate.name, send_at, discarded=lambda: self._discards(batch_id, send_at))
        self.remember(posted, email["content"][0]["value"], email["personalizations"][0]["custom_args"][TAG])
        self.seen[f"email {fate.name}"] += 1
        if fate.taken:
            self.clockwork.at(self.chance.uniform(*fate.after), lambda: self._take(email, posted, batch_id))
        self.clockwork.step(self.chance.uniform(*fate.answer_after) + fate.after[1] * (fate is WELL))
        return self._answer(fate, posted, request)

    def _take(self, email: dict[str, Any], posted: Posted, batch_id: str) -> None:
        now, person = self.clockwork.now, email["personalizations"][0]
        message = Taken(
            f"grid{len(self.messages) + 1:018}",
            person["custom_args"][TAG],
            person["to"][0]["email"],
            email["content"][0]["value"],
            now,
            now,
            send_at=posted.send_at,
            status="scheduled",
        )
        posted.taken.append(message)
        self.messages.append(message)
        if posted.send_at is not None:
            self.held[batch_id].append(posted.send_at)
        if self.chance.random() < self.disorder.queues:
            self._tell_of(message, "processed")
        wait = (posted.send_at - now).total_seconds() if posted.send_at else 0.0
        self.clockwork.at(max(wait, 0.0), lambda: self._go_out(message, batch_id))

    def _go_out(self, message: Taken, batch_id: str) -> None:
        if self._discards(batch_id, message.send_at):
            message.status = "canceled"
            return
        message.status = "delivered"
        for word in ("processed", "delivered"):
            self._tell_of(message, word)

    def _discards(self, batch_id: str, send_at: datetime | None) -> bool:
        """Whether what is in a batch never goes out."""
        cancelled = self.batches.get(batch_id)
        return cancelled is not None and send_at is not None and cancelled <= send_at - CLOSES

    def _tell_of(self, message: Taken, word: str) -> None:
        """An event comes, now or later: SendGrid tries for a day; sometimes it comes twice."""
        event = {
            "event": word,
            "email": message.to,
            "timestamp": int(self.clockwork.now.timestamp()),
            "sg_event_id": f"{message.sid}-{word}-{self.clockwork.seconds}",
            "sg_message_id": f"{message.sid}.recvd-1",
            TAG: message.attempt_id,
        }
        times = 2 if self.chance.random() < self.disorder.receipts_twice else 1
        for _ in range(times):
            self.clockwork.at(self._delay(), lambda: self._ring(json.dumps([event]).encode()))

    def _delay(self) -> float:
        longest = self.disorder.receipts_late
        return self.chance.uniform(
            0, longest * (15 if self.chance.random() < self.disorder.receipts_lost else 1)
        )

    def _ring(self, body: bytes) -> None:
        for heard in receipts_of(read_events(body).events):
            keep_receipt(self.engine, heard, now=self.clockwork.now)

    def _answer(self, fate: Fate, posted: Posted, request: httpx.Request) -> httpx.Response:
        fate.break_off(request)
        if fate.name == "taken, the answer unreadable":
            return httpx.Response(202)
        if fate is WELL:
            return httpx.Response(202, headers={"X-Message-Id": posted.taken[0].sid})
        return httpx.Response(int(fate.name.split(",")[0]), json={"errors": []})
