"""Twilio, played inside the process over simulated time. It keeps the truth: what it accepted, and when.

What it does wrong is drawn by a seed. The truth is never read from the ledger.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode

import httpx

from deployments.sandbox.callbacks import twilio_signature
from tests.support_clockwork import Clockwork
from tests.support_facts import ACCOUNT, ENVIRONMENT, sid
from tests.support_truth import attempt_of

NUMBER = re.compile(r"INV-[0-9]+")


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one POST: whether it is taken, after how long, and what its sender sees, and when."""

    name: str
    share: float
    taken: bool = False
    after: tuple[float, float] = (0.05, 0.5)
    answer_after: tuple[float, float] = (0.1, 1.5)


FATES = (
    Fate("no connection", 0.03),
    Fate("lost on the way", 0.02, answer_after=(10, 11)),
    Fate("taken, the answer lost", 0.03, taken=True, answer_after=(10, 11)),
    Fate("taken late, the answer lost", 0.01, taken=True, after=(5, 90), answer_after=(20, 21)),
    Fate("500, not taken", 0.01),
    Fate("503, taken", 0.01, taken=True),
    Fate("taken, the answer unreadable", 0.003, taken=True),
    Fate("429", 0.04),
    Fate("21211", 0.003),
    Fate("21610", 0.002),
)
WELL = Fate("taken", 1.0, taken=True)
AMBIGUOUS = {one.name for one in FATES if one.taken} | {"lost on the way", "500, not taken", WELL.name}
"""After these a message may exist: no other POST may follow for the same piece of news."""


@dataclass(frozen=True, slots=True)
class Disorder:
    """What goes wrong beside the POST; shares from 0 to 1, lags in seconds."""

    receipts_lost: float = 0.3
    receipts_twice: float = 0.3
    receipts_late: float = 120.0
    list_lag: float = 30.0
    list_hides: float = 0.02
    hides_for: float = 1_500.0
    reads_fail: float = 0.05
    undelivered: float = 0.05


@dataclass
class Taken:
    """A message that was accepted."""

    sid: str
    attempt_id: str
    number: str
    to: str
    body: str
    at: datetime
    listed_from: datetime
    status: str = "queued"
    code: int | None = None


@dataclass
class PlayedTwilio:
    """Answers as Twilio does, with what goes wrong drawn by ``chance``; ``tell`` is given each callback."""

    clockwork: Clockwork
    chance: random.Random
    tell: Callable[[str, bytes, str], None]
    fates: tuple[Fate, ...] = FATES
    disorder: Disorder = field(default_factory=Disorder)
    messages: list[Taken] = field(default_factory=list[Taken])
    posts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list[str]))
    """What became of the POSTs about each invoice, by its number."""
    of_attempt: Counter[str] = field(default_factory=Counter[str])
    seen: Counter[str] = field(default_factory=Counter[str])
    wrongs: list[str] = field(default_factory=list[str])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the account's."""
        return self._post(request) if request.method == "POST" else self._read(request)

    def _post(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        number, attempt_id, fate = number_in(form["Body"]), attempt_of(form), self._drawn()
        self._look_for_a_second(number, attempt_id)
        self.posts[number].append(fate.name)
        self.seen[fate.name] += 1
        taken: list[Taken] = []
        if fate.taken:  # it is on its way by now, whatever becomes of its sender
            self.clockwork.at(self.chance.uniform(*fate.after), lambda: taken.append(self._take(form)))
        self.clockwork.step(self.chance.uniform(*fate.answer_after) + fate.after[1] * (fate is WELL))
        return self._answer(fate, taken, request)

    def _drawn(self) -> Fate:
        drawn = self.chance.random()
        for fate in self.fates:
            drawn -= fate.share
            if drawn < 0:
                return fate
        return WELL

    def _look_for_a_second(self, number: str, attempt_id: str) -> None:
        self.of_attempt[attempt_id] += 1
        if self.of_attempt[attempt_id] > 1:
            self.wrongs.append(f"attempt {attempt_id} was posted twice")
        before = self.posts[number]
        if any(one in AMBIGUOUS for one in before):
            self.wrongs.append(f"{number} was posted again after {', '.join(before)}")

    def _take(self, form: dict[str, str]) -> Taken:
        now, disorder = self.clockwork.now, self.disorder
        lag = self.chance.uniform(0, disorder.list_lag)
        if self.chance.random() < disorder.list_hides:
            lag = self.chance.uniform(disorder.list_lag, disorder.hides_for)
        message = Taken(
            sid(len(self.messages) + 1),
            attempt_of(form),
            number_in(form["Body"]),
            form["To"],
            form["Body"],
            now,
            now + timedelta(seconds=lag),
        )
        self.messages.append(message)
        self._live(message, form["StatusCallback"].partition("#")[0])
        return message

    def _live(self, message: Taken, url: str) -> None:
        """Its statuses, one after the other, and what is told of them, in whatever order that arrives."""
        ends = (
            ("undelivered", 30005)
            if self.chance.random() < self.disorder.undelivered
            else ("delivered", None)
        )
        moment = 0.0
        for status, code in (("sent", None), ends):
            moment += self.chance.expovariate(1 / 3)
            self.clockwork.at(moment, lambda to=status, why=code: self._move(message, to, why))
            if self.chance.random() < self.disorder.receipts_lost:
                continue
            for _ in range(2 if self.chance.random() < self.disorder.receipts_twice else 1):
                late = moment + self.chance.uniform(0.05, self.disorder.receipts_late)
                self.clockwork.at(late, lambda to=status, why=code: self._ring(message, url, to, why))

    def _move(self, message: Taken, status: str, code: int | None) -> None:
        message.status, message.code = status, code

    def _ring(self, message: Taken, url: str, status: str, code: int | None) -> None:
        fields = {"MessageSid": message.sid, "MessageStatus": status, "AccountSid": ACCOUNT, "To": message.to}
        fields["ErrorCode"] = str(code or "")
        signature = twilio_signature(ENVIRONMENT["TWILIO_AUTH_TOKEN"], url, fields)
        self.tell(url.partition("?")[2], urlencode(fields).encode(), signature)

    def _answer(self, fate: Fate, taken: list[Taken], request: httpx.Request) -> httpx.Response:
        if fate.name == "no connection":
            raise httpx.ConnectError("no connection", request=request)
        if "lost" in fate.name:
            raise httpx.ReadTimeout("no answer", request=request)
        if fate.name == "taken, the answer unreadable":
            return httpx.Response(201, text="<html>Created</html>")
        if fate is WELL:
            return httpx.Response(201, json=as_told(taken[0]))
        status = int(fate.name.split(",")[0])
        status, code = (400, status) if status > 1_000 else (status, 20429 if status == 429 else 20500)
        return httpx.Response(status, json={"code": code, "message": "", "status": status})

    def _read(self, request: httpx.Request) -> httpx.Response:
        self.clockwork.step(self.chance.uniform(0.05, 1.0))
        if self.chance.random() < self.disorder.reads_fail:
            raise httpx.ReadTimeout("no answer", request=request)
        if not request.url.path.endswith("/Messages.json"):
            wanted = request.url.path.rpartition("/")[2].removesuffix(".json")
            found = next(one for one in self.messages if one.sid == wanted)
            return httpx.Response(200, json=as_told(found))
        to, now = request.url.params["To"], self.clockwork.now
        listed = [as_told(one) for one in self.messages if one.to == to and one.listed_from <= now]
        return httpx.Response(200, json={"messages": listed[::-1], "page_size": 50, "next_page_uri": None})


def number_in(body: str) -> str:
    """The invoice that a message is about."""
    found = NUMBER.search(body)
    assert found, "every message names its invoice"
    return found[0]


def as_told(message: Taken) -> dict[str, object]:
    """A message as Twilio tells of it."""
    return {
        "sid": message.sid,
        "account_sid": ACCOUNT,
        "status": message.status,
        "direction": "outbound-api",
        "to": message.to,
        "body": message.body,
        "error_code": message.code,
        "date_created": f"{message.at:%a, %d %b %Y %H:%M:%S +0000}",
    }
