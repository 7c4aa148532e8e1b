"""Kills and stops real senders over real HTTP, and counts what was doubled or lost.

    make prove-crash                                              some minutes, both databases
    make prove-crash ARGS="--kills 2000 --database sqlite --only random"
    make prove-crash ARGS="--messages 2000 --only hostile"
    make prove-crash ARGS="--only worker --worker-kills 100"      about half an hour a database

``points`` kills, stops and fails a sender at every fail point, ``random`` kills anywhere, ``hostile`` lets
Twilio drop, fail, refuse and hang, ``receipts`` loses, doubles and shuffles what it tells, ``worker`` kills
the real worker over a real Prefect. What was sent is what the sandbox accepted.
"""

import argparse
import math
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployments.sandbox.control_types import LifeKind
from duebell.ledger.engine import migrate, open_ledger
from tests.support_crash import LED_TO_BY, SENDING_POINTS, Came, Scene, mobile, scene
from tests.support_ledger import POSTGRES, throwaway_database
from tests.support_proofs import commit

MESSAGES = "/2010-04-01/Accounts/*/Messages.json"
PAST_THE_LEASE = 100.0
SPEED = 10.0
RAISED_IN_SHORT = ("before-claims-commit", "after-post")
LONGEST_LIFE = 1.5
"""Seconds that a sender lives on average at most: where little gets done, another may be stopped."""
A_ROUND = 20
"""Kills after which more is owed, and the length of the senders' lives looked at."""
FLOOR = 0.95
"""The least share that has to be told: where everything stands still, nothing is doubled either."""


def say(line: str) -> None:
    """One line of the report."""
    print(line, flush=True)  # noqa: T201 - its purpose


def line(what: str, came: Came, more: str = "") -> str:
    """One run as a line of the table."""
    states = ", ".join(f"{count} {state}" for state, count in came.other.most_common())
    counts = f"owed {came.owed:>5}  sent {came.sent:>5}  doubled {len(came.doubled)}  lost {len(came.lost)}"
    parked = f"parked {came.parked} ({came.parked_though_sent} sent)"
    return f"{what:<22} {counts}  {parked}  {more}  [{states}]"


def finish(
    opened: Scene, what: str, more: str = "", *, floor: float, never_made: int = 0, finals: bool = False
) -> bool:
    """Judge a run that is over, and say what it came to. ``never_made`` is as in ``Came.told``."""
    came, integrity, errors = opened.came(finals=finals), opened.integrity(), opened.errors()
    told = came.told(never_made=never_made)
    say(line(what, came, f"told {told:.1%}  {more}  integrity {integrity}"))
    for wrong in (*came.doubled, *came.lost, *came.broken, *came.disagree, *errors):
        say(f"WRONG {wrong}")
    if told < floor:
        say(f"WRONG only {told:.1%} were told, and {floor:.0%} are the least for this to show anything")
    return came.sound and integrity == "ok" and not errors and told >= floor


def prepare(opened: Scene, point: str) -> None:
    """Have something there that leads a sender to this point."""
    if point in LED_TO_BY:
        opened.sandbox.script_life("mute", mobile(opened.owed))
        opened.owe(1)
        first = opened.start(f"{LED_TO_BY[point]}=kill")
        assert opened.ended_by(first, 300), f"a sender dies {LED_TO_BY[point]}"
        opened.push(PAST_THE_LEASE)
    if point == "before-settling-commits":
        opened.reap()
        opened.push(600)
    opened.owe(1)


def at_every_point(opened: Scene, how: str, points: Sequence[str] = SENDING_POINTS) -> bool:
    """Let a sender die (or be stopped for longer than its lease) at each point, and another go on."""
    for point in points:
        prepare(opened, point)
        pid = opened.start(f"{point}={how}")
        if not opened.ended_by(pid, 300, stopped=how == "stop"):
            say(f"WRONG no sender came to {point}: {dict(opened.states())} {opened.errors()}")
            return False
        opened.push(PAST_THE_LEASE)
        healthy = opened.start()
        if how == "stop":
            time.sleep(1.0)
            opened.awake.add(pid)
        opened.until_quiet(600, hurry=40)
        for one in (healthy, *([pid] if how == "stop" else [])):
            opened.kill(one)
    return finish(opened, f"{how} at {len(points)} points", floor=0)


def raised_at_every_point(opened: Scene, points: Sequence[str] = SENDING_POINTS) -> bool:
    """Let each point raise once, as a mistake in the code would, and the same sender go on alone."""
    for point in points:
        prepare(opened, point)
        pid = opened.start(f"{point}=raise@1")
        if not opened.failed_by(pid, 300):
            say(f"WRONG nothing was raised at {point}: {dict(opened.states())} {opened.errors()}")
            return False
        opened.push(PAST_THE_LEASE)
        opened.until_quiet(600, hurry=40)
        opened.kill(pid)
    return finish(opened, f"raise at {len(points)} points", floor=0)


@dataclass
class Hunt:
    """Senders that are killed anywhere, and now and then one that is stopped past its lease."""

    opened: Scene
    workers: int
    chance: random.Random
    mean: float = 0.3
    """How long a sender lives, in seconds; kept such that they get something done before they die."""
    stops: int = 0
    attempts: int = 0
    asleep: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def prepare(self) -> bool:
        """Have enough to send, and a fitting length of life; returns whether that could be done now.

        Not while a sender is stopped: it may hold the database's lock, and only we can wake it.
        """
        if self.asleep:
            return False
        attempts = self.opened.attempts()
        self.mean = min(LONGEST_LIFE, self.mean * (1.3 if attempts - self.attempts < 30 else 0.8))
        self.attempts = attempts
        if self.opened.open_ones() < 100:
            self.opened.owe(60)
        return True

    def kill_one(self) -> None:
        """Let the senders go on for a while, and kill one of them."""
        while len(self.opened.senders) - len(self.asleep) < self.workers:
            self.opened.start()
        time.sleep(self.chance.uniform(0, 2 * self.mean) / self.workers)
        self.opened.tick()
        self.wake(time.monotonic())
        awake = sorted(set(self.opened.senders) - {pid for _, pid in self.asleep})
        if self.chance.random() < 0.02 and len(awake) > 1:
            self._stop(awake.pop())
        self.opened.kill(self.chance.choice(awake))

    def _stop(self, pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        self.asleep.append((time.monotonic() + PAST_THE_LEASE / SPEED, pid))
        self.stops += 1

    def wake(self, now: float) -> None:
        """Let those go on whose sleep is over."""
        for _, pid in [one for one in self.asleep if one[0] <= now]:
            os.kill(pid, signal.SIGCONT)
        self.asleep = [one for one in self.asleep if one[0] > now]


def at_random(opened: Scene, kills: int, workers: int, chance: random.Random) -> bool:
    """Kill senders anywhere until so many were killed, and let others end what they left."""
    hunt = Hunt(opened, workers, chance)
    since = A_ROUND
    for killed in range(kills):
        if killed % 500 == 499:
            say(f"{killed + 1} kills, {hunt.attempts} attempts")
        since = 0 if since >= A_ROUND and hunt.prepare() else since + 1
        hunt.kill_one()
    hunt.wake(math.inf)
    for _ in range(workers):
        opened.start()
    quiet = opened.until_quiet(600)
    opened.close()
    more = f"{kills} kills, {hunt.stops} stops, {workers} senders, quiet after {quiet:.0f} s of their clock"
    return finish(opened, "kill at random", more, floor=FLOOR)


def _drawn(chance: random.Random) -> dict[str, Any] | None:
    """The fault that one POST meets, if any."""
    drawn = chance.random()
    if drawn < 0.2:
        return {"kind": "drop_after"}
    if drawn < 0.3:
        taken = chance.random() < 0.5
        return {"kind": "status", "status": chance.choice([500, 502, 503]), "process": taken}
    if drawn < 0.4:
        return {"kind": "status", "status": 429, "body": '{"code": 20429, "message": "", "status": 429}'}
    return {"kind": "delay", "seconds": 4} if drawn < 0.45 else None


def hostile(opened: Scene, messages: int, workers: int, chance: random.Random) -> bool:
    """Twilio takes and drops 20 %, answers 5xx on 10 %, 429 on 10 %, and hangs on 5 %."""
    faults = dict[int, dict[str, Any]]()
    for position in range(int(messages * 1.3)):
        fault = _drawn(chance)
        if fault is not None:  # a request that meets a fault counts for no other fault's ``skip``
            opened.sandbox.fail_next(**fault, method="POST", path=MESSAGES, skip=position - len(faults))
            faults[position] = fault
    opened.owe(messages)
    for _ in range(workers):
        opened.start()
    quiet = opened.until_quiet(3_600)
    opened.sandbox.settle(30)
    opened.close()
    seen = [one.status for one in opened.sandbox.requests() if one.method == "POST"]
    lost, failed = seen.count(None), sum(one is not None and one >= 500 for one in seen)
    never_made = sum(at < len(seen) and fault.get("process") is False for at, fault in faults.items())
    kinds = f"{lost} without an answer, {failed} 5xx ({never_made} made nothing), {seen.count(429)} 429"
    more = f"{len(seen)} POSTs: {kinds}; {quiet:.0f} s"
    return finish(opened, "a hostile Twilio", more, floor=FLOOR, never_made=never_made)


def receipts(opened: Scene, messages: int, workers: int) -> bool:
    """30 % of the messages have no receipt, 30 % each of them twice, 20 % last to first."""
    lives: dict[LifeKind, str] = {"mute": "012", "repeated": "345", "unordered": "67"}
    for life, digits in lives.items():
        for digit in digits:
            opened.sandbox.script_life(life, f"*{digit}")
    for digit in "258":
        opened.sandbox.script_life("undelivered", f"*9{digit}", 30005)
    opened.owe(messages)
    for _ in range(workers):
        opened.start()
    opened.until_quiet(1_800)
    opened.sandbox.settle(60)
    opened.push(3_700)  # after an hour Twilio is asked for what it did not tell
    until = time.monotonic() + 300
    while opened.came(finals=True).disagree and time.monotonic() < until:
        time.sleep(0.3)
    opened.close()
    return finish(opened, "lost, doubled receipts", floor=FLOOR, finals=True)


Scenario = Callable[[Scene], bool]


def scenarios(wanted: argparse.Namespace, workers: int) -> dict[str, list[Scenario]]:
    """What is to be shown, by name."""
    chance = random.Random(wanted.seed)  # noqa: S311 - it guards nothing
    kills, stops = ("after-intent", "after-post"), ("after-intent",)
    return {
        "short": [
            lambda one: (
                at_every_point(one, "kill", kills)
                and at_every_point(one, "stop", stops)
                and raised_at_every_point(one, RAISED_IN_SHORT)
            )
        ],
        "points": [
            lambda one: at_every_point(one, "kill"),
            lambda one: at_every_point(one, "stop"),
            raised_at_every_point,
        ],
        "random": [lambda one: at_random(one, wanted.kills, workers, chance)],
        "hostile": [lambda one: hostile(one, wanted.messages, workers, chance)],
        "receipts": [lambda one: receipts(one, wanted.messages, workers)],
    }


@contextmanager
def new_scene(database: str) -> Generator[Scene]:
    """A scene over an empty ledger."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if database == "sqlite":
            url = f"sqlite:///{place}/ledger.db"
            _migrated(url)
            with scene(url, place, speed=SPEED) as opened:
                yield opened
            return
        with throwaway_database(f"duebell_crash_{os.getpid()}") as url:
            _migrated(url)
            with scene(url, place, speed=SPEED) as opened:
                yield opened


def _migrated(url: str) -> None:
    engine = open_ledger(url)
    migrate(engine)
    engine.dispose()


def main(arguments: Sequence[str] | None = None) -> int:
    """Show what was asked for; returns 1 where anything was doubled, lost or broken."""
    wanted = _options(arguments)
    say(f"seed {wanted.seed}, commit {commit()}")
    databases = ["sqlite", "postgresql"] if wanted.database == "both" else [wanted.database]
    sound = True
    for database in databases:
        if database == "postgresql" and not POSTGRES:
            say("postgresql is left out: set DUEBELL_TEST_POSTGRES_URL")
            continue
        say(f"on {database}")
        workers = wanted.workers or (3 if database == "postgresql" else 2)
        for name, several in scenarios(wanted, workers).items():
            for one in several if name in wanted.only else ():
                with new_scene(database) as opened:
                    sound = one(opened) and sound
        if "worker" in wanted.only:
            sound = the_worker(wanted, database) and sound
    return 0 if sound else 1


def the_worker(wanted: argparse.Namespace, database: str) -> bool:
    """Kill the real worker: one over SQLite, and of three over PostgreSQL now this one and now that."""
    # Only here is Prefect needed, and it takes seconds to load.
    from tests.prove_crash_worker import kill_the_worker

    chance, kills = random.Random(wanted.seed), wanted.worker_kills  # noqa: S311 - the same
    if database == "sqlite":
        return kill_the_worker(kills, wanted.workers or 1, chance, say)
    with throwaway_database(f"duebell_crash_worker_{os.getpid()}") as url:
        return kill_the_worker(kills, wanted.workers or 3, chance, say, url)


NAMES = ("points", "random", "hostile", "receipts", "worker")
"""All that is shown where nothing else is asked for; ``short`` is for the suite."""


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make prove-crash", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--kills", type=int, default=100, help="of bare senders, at random")
    parser.add_argument("--messages", type=int, default=200, help="in hostile and in receipts")
    parser.add_argument("--worker-kills", type=int, default=5, help="of the real worker")
    parser.add_argument(
        "--workers", type=int, default=0, help="at once; 2 senders or 1 worker on SQLite, 3 on PostgreSQL"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=["short", *NAMES], default=list(NAMES))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
