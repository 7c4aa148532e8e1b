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
from tests.support_fates import AMBIGUOUS, FATES, FOR_HELD_ALONE, WELL, Fate
from tests.support_truth import attempt_of

NUMBER = re.compile(r"INV-[0-9]+")


def numbers_in(text: str) -> list[str]:
    """The invoices that a message is about."""
    found = list(dict.fromkeys(NUMBER.findall(text)))
    assert found, "every message names its invoice"
    return found


LEAD = timedelta(minutes=5)
"""How long before its time to send Twilio still takes a message that it is to hold."""


@dataclass(frozen=True, slots=True)
class Disorder:
    """What goes wrong beside the POST; shares from 0 to 1, lags in seconds."""

    receipts_lost: float = 0.3
    receipts_twice: float = 0.3
    receipts_late: float = 120.0
    list_lag: float = 30.0
    list_hides: float = 0.02
    hides_for: float = 1_500.0
    shown_before: float | None = 240.0
    """How long before its time, at the latest, the list shows what Twilio holds: what it shows later than the
    last looks nobody can take back, and holding rests on it. ``None``: as late as it likes."""
    reads_fail: float = 0.05
    cancels_fail: float = 0.1
    undelivered: float = 0.05
    queues: float = 0.0
    """The share of which Twilio also tells that they are in its queue."""
    fails: float = 0.0
    corrected: float = 0.0
    """The share of those that failed, or came back, which arrived all the same, as is told later."""
    expires: float = 0.0
    """The share that Twilio gives up in its own queue, so that they reach nobody."""
    forgets: float = 0.0
    """The share of what was held of which Twilio tells nothing any more once its time has come."""


ORDERLY = Disorder()


EXPIRED = 30036
"""Twilio's code for what was in its queue for longer than it was valid."""
UNKNOWN_HANDSET = 30005
"""Twilio's code for a number that nobody has; twice of one number, and it is not written to any more."""


@dataclass
class Taken:
    """A message that was accepted."""

    sid: str
    attempt_id: str
    to: str
    body: str
    at: datetime
    listed_from: datetime
    send_at: datetime | None = None
    status: str = "queued"
    code: int | None = None
    had_no_handset: bool = False
    """Whether Twilio has said that nobody has the number, whatever it said later."""
    forgotten: bool = False
    """Whether its record is gone from Twilio, or in an account that is ours no more."""

    @property
    def numbers(self) -> list[str]:
        """The invoices that it is about."""
        return numbers_in(self.body)

    @property
    def number(self) -> str:
        """The first of them."""
        return self.numbers[0]

    @property
    def is_email(self) -> bool:
        """Whether it is an email, which no phone number is told by."""
        return not self.sid.startswith("SM")

    @property
    def went_out(self) -> bool:
        """Whether somebody is told, or will be whatever we do now."""
        return self.status != "scheduled" and not self.reached_nobody

    @property
    def reached_nobody(self) -> bool:
        """Whether Twilio gave its word that it took it back, or gave it up in its queue."""
        return self.status == "canceled" or self.code == EXPIRED

    @property
    def went_at(self) -> datetime:
        """When it went out, if it did."""
        return self.send_at or self.at


@dataclass
class Posted:
    """A POST about an invoice, and what Twilio took of it."""

    fate: str
    send_at: datetime | None
    taken: list[Taken] = field(default_factory=list[Taken])
    is_written_off: bool = False
    """Whether a person has seen that nothing came of it."""

    def may_come_out(self, now: datetime) -> bool:
        """Whether somebody may yet be told by it, for all that its sender can know."""
        if self.is_written_off or self.fate not in AMBIGUOUS:
            return False
        if self.send_at is None or now < self.send_at - LEAD:
            return not self.taken or not all(one.reached_nobody for one in self.taken)
        return any(one.went_out for one in self.taken)


class Remembers:
    """What every played provider keeps: its messages, and the POSTs about each invoice by its number."""

    clockwork: Clockwork
    messages: list[Taken]
    posts: dict[str, list[Posted]]
    of_attempt: Counter[str]
    wrongs: list[str]

    def is_in_the_log(self, number: str) -> bool:
        """Whether a person finds one that may have been read; where not, no POST so far counts any more."""
        if any(number in one.numbers and not one.reached_nobody for one in self.messages):
            return True
        for posted in self.posts[number]:
            posted.is_written_off = True
        return False

    def remember(self, posted: Posted, text: str, attempt_id: str) -> None:
        """Keep a POST, and whether it may say something for the second time."""
        self.of_attempt[attempt_id] += 1
        if self.of_attempt[attempt_id] > 1:
            self.wrongs.append(f"attempt {attempt_id} was posted twice")
        for number in numbers_in(text):
            before = self.posts[number]
            if any(one.may_come_out(self.clockwork.now) for one in before):
                fates = ", ".join(one.fate for one in before)
                self.wrongs.append(f"{number} was posted again after {fates}")
            before.append(posted)


@dataclass
class PlayedTwilio(Remembers):
    """Answers as Twilio does, with what goes wrong drawn by ``chance``; ``tell`` is given each callback."""

    clockwork: Clockwork
    chance: random.Random
    tell: Callable[[str, bytes, str], None]
    fates: tuple[Fate, ...] = FATES
    disorder: Disorder = ORDERLY
    follow: Callable[[str, str], None] = lambda _, __: None
    """Has people do what follows on a message, whose address it is given."""
    messages: list[Taken] = field(default_factory=list[Taken])
    posts: dict[str, list[Posted]] = field(default_factory=lambda: defaultdict(list[Posted]))
    """The POSTs about each invoice, by its number."""
    of_attempt: Counter[str] = field(default_factory=Counter[str])
    seen: Counter[str] = field(default_factory=Counter[str])
    wrongs: list[str] = field(default_factory=list[str])
    under_way: int = 0
    """Callbacks that are still to come."""

    def expired(self, number: str) -> bool:
        """Whether a message about an invoice was given up in Twilio's queue."""
        return any(number in one.numbers and one.code == EXPIRED for one in self.messages)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the account's."""
        if request.method == "GET":
            return self._read(request)
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        return self._cancel(request) if "Status" in form else self._post(request, form)

    def _post(self, request: httpx.Request, form: dict[str, str]) -> httpx.Response:
        send_at = _send_at(form)
        attempt_id, fate = attempt_of(form), self._drawn(send_at)
        posted = Posted(fate.name, send_at)
        self.remember(posted, form["Body"], attempt_id)
        self.seen[fate.name] += 1
        for _ in range(fate.copies if fate.taken else 0):  # on its way by now, whatever becomes of its sender
            self.clockwork.at(self.chance.uniform(*fate.after), lambda: self._take(form, posted, fate))
        self.clockwork.step(self.chance.uniform(*fate.answer_after) + fate.after[1] * (fate is WELL))
        return self._answer(fate, posted.taken, request)

    def _cancel(self, request: httpx.Request) -> httpx.Response:
        self.clockwork.step(self.chance.uniform(0.05, 1.0))
        message, fails = self._named(request), self.chance.random() < self.disorder.cancels_fail
        if fails and self.chance.random() < 0.5:
            raise httpx.ReadTimeout("no answer", request=request)
        if message.forgotten:
            return _gone()
        if message.status != "scheduled":
            return httpx.Response(400, json={"code": 30409, "message": "", "status": 400})
        message.status = "canceled"
        self.seen["taken back"] += 1
        if fails:
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(200, json=as_told(message))

    def _drawn(self, send_at: datetime | None) -> Fate:
        drawn = self.chance.random()
        for fate in self.fates:
            drawn -= fate.share
            if drawn < 0:
                return WELL if fate.name in FOR_HELD_ALONE and send_at is None else fate
        return WELL

    def _take(self, form: dict[str, str], posted: Posted, fate: Fate) -> None:
        now, disorder, send_at = self.clockwork.now, self.disorder, posted.send_at
        if send_at is not None and send_at <= now + LEAD:
            self.seen["came too late to be held"] += 1
            return
        lag = self.chance.uniform(0, disorder.list_lag)
        if self.chance.random() < disorder.list_hides:
            lag = self.chance.uniform(disorder.list_lag, disorder.hides_for)
        listed_from = now + timedelta(seconds=max(lag, fate.listed_after))
        if send_at is not None and disorder.shown_before is not None:
            listed_from = min(listed_from, send_at - timedelta(seconds=disorder.shown_before))
        message = Taken(
            sid(len(self.messages) + 1),
            attempt_of(form),
            form["To"],
            form["Body"],
            now,
            listed_from,
            send_at,
            "queued" if send_at is None else "scheduled",
        )
        posted.taken.append(message)
        self.messages.append(message)
        url = form["StatusCallback"].partition("#")[0]
        if fate.follows:
            self.follow(fate.follows, message.to)
        if send_at is None:
            self._live(message, url, fate)
        else:
            self.clockwork.at((send_at - now).total_seconds(), lambda: self._begin(message, url, fate))

    def _begin(self, message: Taken, url: str, fate: Fate) -> None:
        """The time of a message that was held has come."""
        if message.status == "scheduled":
            message.status = "queued"
            # Drawn by itself: what nothing is forgotten in goes on as it would without this.
            own = random.Random(f"{message.sid} {message.at}")  # noqa: S311 - a story, no secret
            message.forgotten = own.random() < self.disorder.forgets
            self._live(message, url, fate)

    def _live(self, message: Taken, url: str, fate: Fate) -> None:
        """Its statuses, one after the other, and what is told of them, in whatever order that arrives."""
        moment, told_within, ended = 0.0, fate.told_within, False
        for status, code in self._course(fate):
            moment += self.chance.expovariate(1 / 3) if told_within is None else self.chance.uniform(0, 0.5)
            if code == EXPIRED:
                moment += self.chance.uniform(60, 3_000)
            self.clockwork.at(moment, lambda to=status, why=code: self._move(message, to, why))
            is_sure = told_within is not None or ended  # nobody asks for what was said to be final
            ended = ended or status in {"failed", "undelivered"}
            if message.forgotten or (not is_sure and self.chance.random() < self.disorder.receipts_lost):
                continue
            for _ in range(2 if self.chance.random() < self.disorder.receipts_twice else 1):
                lateness = told_within or (0.05, self.disorder.receipts_late)
                late = moment + self.chance.uniform(*lateness)
                self.under_way += 1
                self.clockwork.at(late, lambda to=status, why=code: self._ring(message, url, to, why))

    def _course(self, fate: Fate) -> list[tuple[str, int | None]]:
        """The statuses of a message from now on, each with its code."""
        course: list[tuple[str, int | None]] = [("queued", None)] if self._is_so(self.disorder.queues) else []
        if fate.told_within is None and self._is_so(self.disorder.expires):
            return [*course, ("failed", EXPIRED)]
        if self._is_so(self.disorder.fails):
            course += [("sent", None)] if self._is_so(0.5) else []
            course += [("failed", 30008)]
            course += [("undelivered", UNKNOWN_HANDSET)] if self._is_so(self.disorder.corrected) else []
        else:
            comes_back = self.chance.random() < self.disorder.undelivered
            course += [
                ("sent", None),
                ("undelivered", UNKNOWN_HANDSET) if comes_back else ("delivered", None),
            ]
        if course[-1][0] != "delivered" and self._is_so(self.disorder.corrected):
            course += [("delivered", None)]
        return course

    def _is_so(self, share: float) -> bool:
        """Draw, where there is anything to be drawn."""
        return share > 0 and self.chance.random() < share

    def _move(self, message: Taken, status: str, code: int | None) -> None:
        message.status, message.code = status, code
        message.had_no_handset |= code == UNKNOWN_HANDSET

    def _ring(self, message: Taken, url: str, status: str, code: int | None) -> None:
        self.under_way -= 1
        fields = {"MessageSid": message.sid, "MessageStatus": status, "AccountSid": ACCOUNT, "To": message.to}
        fields["ErrorCode"] = str(code or "")
        signature = twilio_signature(ENVIRONMENT["TWILIO_AUTH_TOKEN"], url, fields)
        self.tell(url.partition("?")[2], urlencode(fields).encode(), signature)

    def _answer(self, fate: Fate, taken: list[Taken], request: httpx.Request) -> httpx.Response:
        fate.break_off(request)
        if fate.name == "taken, the answer unreadable":
            return httpx.Response(201, text="<html>Created</html>")
        if fate is WELL and not taken:
            return httpx.Response(400, json={"code": 35115, "message": "", "status": 400})
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
            message = self._named(request)
            return _gone() if message.forgotten else httpx.Response(200, json=as_told(message))
        to, now = request.url.params["To"], self.clockwork.now
        there = [one for one in self.messages if one.to == to and not one.forgotten]
        listed = [as_told(one) for one in there if one.listed_from <= now]
        return httpx.Response(200, json={"messages": listed[::-1], "page_size": 50, "next_page_uri": None})

    def _named(self, request: httpx.Request) -> Taken:
        wanted = request.url.path.rpartition("/")[2].removesuffix(".json")
        return next(one for one in self.messages if one.sid == wanted)


def _gone() -> httpx.Response:
    return httpx.Response(404, json={"code": 20404, "message": "", "status": 404})


def _send_at(form: dict[str, str]) -> datetime | None:
    return datetime.fromisoformat(form["SendAt"]) if "SendAt" in form else None


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
