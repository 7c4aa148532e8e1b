"""Customers all over the world, and a Twilio whose queue is hours slow: what arrives when, what expires."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import holidays
import httpx
from sqlalchemy import Engine
from sqlmodel import select

from duebell.keys import INVOICE_ISSUED
from duebell.ledger.engine import reading
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.ledger.tables import Attempt
from tests.support_facts import ACCOUNT, Hand, keep_contact, numbered, open_tenant, resources_over, sid
from tests.support_overdue import Office, Phones, due

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STEP = timedelta(minutes=20)
FIRST_NUMBER = 2_345_000
ISSUED, REMINDED = (time(8), time(21)), (time(9), time(17))
POLICY = "[limits]\nmessages_an_hour = 100000\nbreaker_from = 100000\n[invoice_overdue]\ngap_days = 0\n"


@dataclass(frozen=True, slots=True)
class Home:
    """Where some customers live, and how their numbers of seven more digits begin."""

    zone: str
    country: str
    prefix: str


HOMES = (
    Home("Pacific/Auckland", "NZ", "+6421"),
    Home("Pacific/Chatham", "NZ", "+6422"),
    Home("Australia/Sydney", "AU", "+6149"),
    Home("Australia/Perth", "AU", "+6148"),
    Home("Europe/London", "GB", "+44771"),
    Home("America/New_York", "US", "+1212"),
    Home("America/Los_Angeles", "US", "+1213"),
    Home("Asia/Singapore", "SG", "+658"),
)
"""An Australian number does not tell Sydney from Perth, nor a New Zealand one the main land from Chatham."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A message in Twilio's queue: when its turn comes, and when it is too late for it."""

    sid: str
    attempt_id: str
    to: str
    turn: datetime
    ends: datetime


@dataclass
class SlowTwilio:
    """Takes everything at once and sends it hours later, if it is still valid then."""

    clock: Hand
    chance: random.Random
    slow: timedelta = 9 * HOUR
    heeds_validity: bool = True
    queue: list[Queued] = field(default_factory=list[Queued])
    arrived: list[tuple[Queued, datetime]] = field(default_factory=list[tuple[Queued, datetime]])
    expired: list[Queued] = field(default_factory=list[Queued])
    taken: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        form = parse_qs(request.content.decode())
        self.taken += 1
        now, seconds = self.clock(), int(form.get("ValidityPeriod", ["36000"])[0])
        attempt_id = parse_qs(urlsplit(form["StatusCallback"][0]).query)["n"][0]
        waits = self.slow if self.chance.random() < 0.2 else self.chance.uniform(0, 1) * self.slow
        ends = now + (timedelta(seconds=seconds) if self.heeds_validity else DAY)
        one = Queued(sid(self.taken), attempt_id, form["To"][0], now + waits, ends)
        self.queue.append(one)
        body = {"sid": one.sid, "status": "queued", "account_sid": ACCOUNT}
        return httpx.Response(201, json=body)

    def passes(self, engine: Engine) -> None:
        """What has come to its turn, or to its end, is told of by signed receipts."""
        now = self.clock()
        ready = [one for one in self.queue if min(one.turn, one.ends) <= now]
        self.queue = [one for one in self.queue if min(one.turn, one.ends) > now]
        for one in ready:
            in_time = one.turn < one.ends
            if in_time:
                self.arrived.append((one, one.turn))
            else:
                self.expired.append(one)
            status, code = ("delivered", None) if in_time else ("failed", 30036)
            keep_receipt(engine, NewReceipt(one.sid, status, code, one.attempt_id, "{}"), now=now)


@dataclass
class World:
    """The business, its customers' homes, and what was promised to each of them."""

    office: Office
    twilio: SlowTwilio
    chance: random.Random
    homes: dict[str, Home] = field(default_factory=dict[str, Home])
    reminded: set[str] = field(default_factory=set[str])
    waiting: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]])

    def populate(self, customers: int, days: int) -> None:
        """So many customers, half with an invoice that becomes overdue, half with one that is issued."""
        began = self.office.clock.now
        for number in range(1, customers + 1):
            home = HOMES[number % len(HOMES)]
            address = f"{home.prefix}{FIRST_NUMBER + number}"
            self.homes[address] = home
            contact = numbered(500_000 + number)
            keep_contact(self.office.engine, contact, address, read_at=began)
            at = began + self.chance.uniform(0, days) * DAY
            if number % 2:
                self.reminded.add(address)
                self._keeps(number, due(at.date() - DAY))
            else:
                self.waiting.append((at, number))
        self.waiting.sort()

    def _keeps(self, number: int, fields: dict[str, Any]) -> None:
        contact = {"ContactID": numbered(500_000 + number)}
        self.office.keeps(number, **(fields | {"Contact": contact}))

    def live(self, days: int) -> None:
        """Every twenty minutes of so many days: receipts, what is issued, the net, and each hour a sweep."""
        ends = self.office.clock.now + days * DAY
        while self.office.clock.now < ends:
            self.twilio.passes(self.office.engine)
            self._issue()
            self.office.nets()
            if self.office.clock.now.minute < STEP.total_seconds() / 60:
                self.office.day()
            self.office.clock.now += STEP

    def _issue(self) -> None:
        now = self.office.clock.now
        while self.waiting and self.waiting[0][0] <= now:
            _, number = self.waiting.pop(0)
            issued = f"{now.date().isoformat()}T00:00:00"
            self._keeps(number, {"DateString": issued})
            self.office.tells([numbered(number)], INVOICE_ISSUED)

    def outside(self) -> Iterator[str]:
        """Each message that arrived at an hour or on a day that is not its reader's, by an own calendar."""
        for one, at in self.twilio.arrived:
            home = self.homes[one.to]
            there = at.astimezone(ZoneInfo(home.zone))
            is_reminder = one.to in self.reminded
            opens, closes = REMINDED if is_reminder else ISSUED
            free = there.weekday() > 4 or there.date() in national(home.country, there.year)
            if (is_reminder and free) or not opens <= there.time() < closes:
                yield f"{one.sid} arrived at {there:%a %d %b %H:%M} in {home.zone}"

    def tries(self) -> Counter[int]:
        """How many messages were posted once, twice and so on."""
        with reading(self.office.engine) as session:
            posted = Counter(session.exec(select(Attempt.notification_id)).all())
        return Counter(posted.values())


@cache
def national(country: str, year: int) -> frozenset[date]:
    """The days that the whole of a country keeps in that year."""
    return frozenset(holidays.country_holidays(country, years=year))


def world_over(engine: Engine, folder: Path, now: datetime, seed: int) -> World:
    """A business over this ledger, at this moment."""
    open_tenant(engine)
    (folder / "policy.toml").write_text(POLICY)
    chance, clock = random.Random(seed), Hand(now)  # noqa: S311 - it guards nothing
    twilio = SlowTwilio(clock, chance)
    resources = resources_over(engine, clock, twilio=twilio, DUEBELL_POLICY=str(folder / "policy.toml"))
    return World(Office(resources, clock, Phones()), twilio, chance)
