"""Kills the real worker, over a real Prefect and the whole road, while the books change all the time.

Now and then the receiver is killed in the midst of it, too.
"""

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from prefect.client.schemas.objects import StateType
from sqlalchemy import Engine, text
from sqlmodel import func, select

from deployments.prefect_server import PrefectServer
from deployments.sandbox.credentials import TENANT_ID
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import XeroEvent
from tests.support_crash import LED_TO_BY, SENDING_POINTS
from tests.support_nursery import Nursery, kill, lives, nursery
from tests.support_ports import free_port
from tests.support_prefect import running
from tests.support_road import Road, open_road
from tests.support_stream import Stream

WORKER_POINTS = tuple(point for point in SENDING_POINTS if point not in LED_TO_BY)
"""Where a worker dies by itself; the other fail points lie on its way too rarely, or in the receiver."""
AT_A_POINT = 0.3
"""The share of the kills that are at a fail point: the moments around a POST are short."""
PATIENCE = 20.0
"""Seconds in which a worker has to begin its work, from its start on; then it is killed idle."""
A_ROUND = 10
"""Kills after which the reminders are looked at, and the length of the workers' lives."""
A_RECEIVER = 4
"""Kills of a worker after which the receiver is killed once."""
FLOOR = 0.95

Say = Callable[[str], None]


def kill_the_worker(
    kills: int, workers: int, chance: random.Random, say: Say, database: str | None = None
) -> bool:
    """Kill one of the workers ``kills`` times over a stream of changes; returns whether all is well.

    ``database`` is the ledger's, where it is not to be SQLite in the home.
    """
    changes = {} if database is None else {"DUEBELL_DATABASE_URL": database}
    with tempfile.TemporaryDirectory() as folder:
        server = PrefectServer(Path(folder) / "prefect", free_port())
        with running(server) as prefect, open_road(prefect, Path(folder) / "road", **changes) as road:
            _set_policy(road)
            road.sandbox.script_life("mute", "*7")  # where no receipt settles it, Twilio's list has to
            road.stop("worker")
            with nursery(road.environment, road.home / "logs" / "worker.log") as forking:
                several = [Worker(f"road-{number}") for number in range(workers)]
                hunt = Hunt(road, Stream(road, chance), chance, forking, several)
                hunt.kill(kills)
                return hunt.judged(say, kills, hunt.until_quiet())


def _set_policy(road: Road) -> None:
    """Reminders too, no bound on how many messages an hour has, and looks for lost answers that end soon."""
    path = Path(road.environment["DUEBELL_POLICY"])
    policy = path.read_text(encoding="utf-8")
    changes = {
        "[invoice_overdue]\nenabled = false\n": "[invoice_overdue]\n",
        "after_minutes = [1, 2, 3]\n": "after_minutes = [1, 2]\n",
        "park_after_minutes = 4\n": "park_after_minutes = 3\n",
    }
    for old, new in changes.items():
        assert policy.count(old) == 1, f"the demo's policy holds {old!r} no more"
        policy = policy.replace(old, new)
    limits = "[limits]\nmessages_an_hour = 100000\nbreaker_from = 100000\n"
    path.write_text(f"{policy}\n{limits}", encoding="utf-8")


@dataclass
class Worker:
    """One worker, by the name that it bears in Prefect."""

    name: str
    pid: int = 0
    point: str = ""
    """The fail point at which it dies; empty for none."""
    born: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Hunt:
    """Workers that are killed, at fail points and anywhere else, while they work where that is possible."""

    road: Road
    stream: Stream
    chance: random.Random
    nursery: Nursery
    workers: list[Worker]
    life: float = 2.0
    """How long a worker goes on once it works, in seconds; kept such that it gets something done."""
    told: int = 0
    at_points: int = 0
    at_work: int = 0
    receivers: int = 0
    began: float = 0.0
    restarted: float = 0.0
    left: list[str] = field(default_factory=list[str])
    """Runs of killed workers that Prefect still shows as Running."""

    def kill(self, kills: int) -> None:
        """Let the books change, and a worker die, so many times; at the end every worker is sound again."""
        self.began = time.monotonic()
        for one in self.workers:
            self._start(one, "")
        for number in range(kills):
            self._fit(number)
            self.stream.step()
            if number % A_ROUND == 1:
                self.road.by_hand("overdue-sweep", tenant_ids=[TENANT_ID])
            if number % A_RECEIVER == A_RECEIVER - 1:
                self._kill_the_receiver()
            one = self.chance.choice(self.workers)
            self._end(one)
            self._start(one, self._next_point())
        for one in self.workers:
            kill(one.pid)
            self._start(one, "")
        self.restarted = time.monotonic()

    def _kill_the_receiver(self) -> None:
        """Kill it while webhooks and receipts come in; what Xero could not deliver, it replays."""
        child = self.road.children["receiver"]
        assert child.pid is not None, "the receiver ended by itself, see its log"
        time.sleep(self.chance.uniform(0, 1))
        os.kill(child.pid, signal.SIGKILL)
        self.road.restart("receiver")
        self.road.sandbox.replay()
        self.receivers += 1

    def _fit(self, number: int) -> None:
        """Have the workers live longer where they got little done in the last round, else shorter."""
        if number and number % A_ROUND == 0:
            told = self.stream.told()
            self.life = min(20.0, self.life * (1.5 if told - self.told < 2 * A_ROUND else 0.8))
            self.told = told

    def _next_point(self) -> str:
        return self.chance.choice(WORKER_POINTS) if self.chance.random() < AT_A_POINT else ""

    def _start(self, one: Worker, point: str) -> None:
        one.point, one.born = point, datetime.now(UTC)
        fail_point = f"{point}=kill" if point else ""
        one.pid = self.nursery.start("--name", one.name, DUEBELL_FAILPOINT=fail_point)

    def _end(self, one: Worker) -> None:
        """Wait until it dies at its fail point or has a run at work, and kill it somewhere in that."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and lives(one.pid):
            if not one.point and self._is_at_work(one.born):
                self.at_work += 1
                time.sleep(self.chance.uniform(0, 2 * self.life))
                break
            time.sleep(0.2)
        if not lives(one.pid):
            assert one.point, f"worker {one.name} ended by itself, see its log"
            self.at_points += 1
        kill(one.pid)

    def _is_at_work(self, born: datetime) -> bool:
        """Whether a run is under way that began after this worker was started."""
        return bool(self._running({"after_": born.isoformat()}))

    def _running(self, started: dict[str, str]) -> list[str]:
        """The names of the runs that are Running and began before or after some time."""
        wanted = {"state": {"type": {"any_": [StateType.RUNNING.value]}}, "start_time": started}
        with self.road.prefect.http() as http:
            found = http.post("/flow_runs/filter", json={"flow_runs": wanted}).raise_for_status()
        return [run["name"] for run in found.json()]

    def until_quiet(self) -> float:
        """Wait until all that is owed has its end; seconds since the last start of a worker."""
        restarted_at, until = datetime.now(UTC), self.restarted + 1_500
        # What is overdue is planned by a sweep, which has to come after the last invoice is known.
        while (self._pending() or not self._is_swept()) and time.monotonic() < until:
            time.sleep(2)
        while (self.stream.open_ones() or self._pending()) and time.monotonic() < until:
            time.sleep(1)
        quiet = time.monotonic() - self.restarted
        self.road.sandbox.settle(30)
        self.left = self._running({"before_": restarted_at.isoformat()})
        return quiet

    def _is_swept(self) -> bool:
        """Whether a sweep plans now what is overdue; one that was killed may still keep others from it."""
        run = self.road.by_hand("overdue-sweep", tenant_ids=[TENANT_ID])
        return self.road.prefect.wait_for(run, seconds=120).state_type is StateType.COMPLETED

    def _pending(self) -> int:
        """How many events of invoices wait. A contact's, handed to a run that died, waits ten minutes."""
        waiting = select(func.count()).where(XeroEvent.state == "pending", XeroEvent.category == "INVOICE")
        with reading(self.road.engine) as session:
            return session.exec(waiting).one()

    def judged(self, say: Say, kills: int, quiet: float) -> bool:
        """Say what it came to, and whether that is well."""
        came, minutes = self.stream.came(), (time.monotonic() - self.began) / 60
        where = f"{self.at_points} at a fail point, {self.at_work} at work"
        times = f"quiet {quiet:.0f} s after the last restart, {minutes:.0f} min in all"
        kinds = f"{kills} kills of {len(self.workers)} worker(s) ({where}), {self.receivers} of the receiver"
        say(f"{kinds}: {came}; {times}")
        wrong = [*came.wrong(), *self._left_behind(), *broken(self.road.engine)]
        if came.progress < FLOOR:
            wrong.append(f"only {came.progress:.1%} were told, and {FLOOR:.0%} are the least")
        for one in wrong:
            say(f"WRONG {one}")
        return not wrong

    def _left_behind(self) -> list[str]:
        """What the killed have left behind for good."""
        integrity = _integrity(self.road.engine)
        return [
            *(f"never ended: {one}" for one in self.stream.open_ones()),
            *(f"still Running, though its worker was killed: {one}" for one in self.left),
            *([] if integrity == "ok" else [f"SQLite says: {integrity}"]),
        ]


def _integrity(engine: Engine) -> str:
    """What SQLite says of its file; ``ok`` on PostgreSQL."""
    if engine.dialect.name != "sqlite":
        return "ok"
    with engine.connect() as connection:
        return str(connection.execute(text("PRAGMA integrity_check")).scalar_one())
