"""Real processes for the crash proofs: a sandbox, a receiver, senders that die; and what came of it."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import RawValue
from pathlib import Path

import httpx
from sqlalchemy import Engine, text
from sqlmodel import select as select_rows

from deployments.children import ROOT
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.credentials import TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, TWILIO_FROM
from duebell.keys import INVOICE_ISSUED
from duebell.ledger.attempts import reap
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.sending.telling import rules_of
from duebell.states import NotificationState
from tests.support_facts import TENANT, invoice_body, keep_contact, keep_invoice, numbered, open_tenant
from tests.support_send_loop import Place, SwiftClock, start

SENDING_POINTS = (
    "before-taking-back-commits",
    "before-claims-commit",
    "after-claim",
    "before-intent-commits",
    "after-intent",
    "before-post",
    "after-post",
    "after-note",
    "before-record-commits",
    "after-record",
    "before-reaping-commits",
    "before-settling-commits",
)
"""Every fail point of a sender, in the order in which it passes them."""
LED_TO_BY = {
    "before-taking-back-commits": "after-note",
    "before-reaping-commits": "after-post",
    "before-settling-commits": "after-post",
}
"""The fail points that a sender passes only after another has died, and where that one has to die."""
S = NotificationState
ENDED = {
    S.ACCEPTED,
    S.SENT,
    S.DELIVERED,
    S.UNDELIVERED,
    S.FAILED,
    S.SKIPPED,
    S.GIVEN_UP,
    S.PARKED,
}
TOLD = ENDED - {S.SKIPPED, S.GIVEN_UP, S.PARKED}
NUMBER = re.compile(r"INV-[0-9]+")
POLICY = """
[invoice_issued]
opens = "00:00"
closes = "00:00"
[settle]
after_minutes = [1, 2, 4]
park_after_minutes = 6
[limits]
messages_an_hour = 100000
"""


@dataclass(frozen=True)
class Came:
    """What one run came to, by the sandbox's own list and by the ledger."""

    owed: int
    sent: int
    doubled: list[str]
    lost: list[str]
    parked: int
    parked_though_sent: int
    other: Counter[str]
    broken: list[str]
    disagree: list[str]
    """Final states that differ from Twilio's."""

    @property
    def sound(self) -> bool:
        """Whether nothing was doubled, lost or broken; what never came to an end counts as lost."""
        return not (self.doubled or self.lost or self.broken or self.disagree) and self.owed > 0

    def told(self, *, never_made: int = 0) -> float:
        """The share that was told and is known to be: what is parked, or given up, is no progress.

        ``never_made`` leaves out as many as the proof itself let Twilio make nothing of, without saying so.
        """
        return sum(self.other[state.value] for state in TOLD) / max(1, self.owed - never_made)


@dataclass
class Scene:
    """A ledger, a sandbox and a receiver, each a process or a file of its own, and the senders."""

    place: Place
    sandbox: SandboxControl
    owed: int = 0
    senders: dict[int, str] = field(default_factory=dict[int, str])
    awake: set[int] = field(default_factory=set[int])
    """Senders that were stopped at a fail point once, and are not to be by it again."""
    _pushed_at: float = field(default_factory=time.monotonic)

    def engine(self) -> Engine:
        """The ledger, to be disposed of before anything is forked."""
        return open_ledger(self.place.environment["DUEBELL_DATABASE_URL"], busy_seconds=60)

    @contextmanager
    def ledger(self) -> Generator[Engine]:
        """The ledger for a moment."""
        engine = self.engine()
        try:
            yield engine
        finally:
            engine.dispose()

    def tick(self) -> None:
        """Keep the sandbox's clock in step with ours, which runs faster, and awake whoever is to be."""
        for pid in self.awake:
            os.kill(pid, signal.SIGCONT)
        now = time.monotonic()
        self.sandbox.shift_clock((now - self._pushed_at) * (self.place.clock.speed - 1))
        self._pushed_at = now

    def push(self, seconds: float) -> None:
        """Push both clocks ahead."""
        self.place.clock.ahead.value += seconds
        self.sandbox.shift_clock(seconds)

    def owe(self, count: int) -> None:
        """Plan ``count`` more messages, each to a customer of its own."""
        resources = self.place.resources()
        now = resources.clock()
        numbers = range(self.owed, self.owed + count)
        for number in numbers:
            keep_contact(resources.engine, numbered(100_000 + number), mobile(number), read_at=now)
            body = invoice_body(
                numbered(number),
                updated_at=now,
                Contact={"ContactID": numbered(100_000 + number)},
                InvoiceNumber=f"INV-{number:06}",
                DateString=f"{now:%Y-%m-%d}T00:00:00",
            )
            keep_invoice(resources.engine, body, read_at=now)
        for first in range(0, count, 25):
            ids = [numbered(number) for number in numbers[first : first + 25]]
            with writing(resources.engine, now) as book:
                rules = rules_of(resources)
                plan_kind(book, TENANT, INVOICE_ISSUED, ids, rules, actor="test", flow_run_id=None)
        resources.close()
        self.owed += count

    def start(self, fail_point: str = "") -> int:
        """Fork one more sender; returns its process id."""
        pid = start(self.place, f"run {len(self.senders)}-{time.monotonic_ns()}", fail_point)
        self.senders[pid] = fail_point
        return pid

    def kill(self, pid: int) -> None:
        """Kill a sender with SIGKILL."""
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.awake.discard(pid)
        del self.senders[pid]

    def ended_by(self, pid: int, seconds: float, *, stopped: bool = False) -> bool:
        """Whether the sender died (or stopped) at its fail point within so many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if found and os.WIFSTOPPED(status):
                return stopped
            if found:
                del self.senders[pid]
                return not stopped and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            time.sleep(0.02)
            self.tick()
        return False

    def failed_by(self, pid: int, seconds: float) -> bool:
        """Whether its fail point raised in this sender within so many seconds; it lives on."""
        raised, until = Path(self.place.environment["DUEBELL_HOME"], f"sender-{pid}.raised"), time.monotonic()
        while not raised.exists() and time.monotonic() < until + seconds:
            time.sleep(0.02)
            self.tick()
        return raised.exists()

    def close(self) -> None:
        """End every sender."""
        for pid in list(self.senders):
            self.kill(pid)

    def open_ones(self) -> int:
        """How many messages have not reached an end."""
        return sum(count for state, count in self.states().items() if S(state) not in ENDED)

    def states(self) -> Counter[str]:
        """How many messages are in which state."""
        with self.ledger() as engine, reading(engine) as session:
            return Counter(session.exec(select_rows(Notification.state)).all())

    def until_quiet(self, seconds: float, *, hurry: float = 0.0) -> float:
        """Wait until every message has reached its end; returns how long that took, by the senders' clock.

        ``hurry``: push the clocks ahead by so many seconds every other second, unless a message is under way,
        whose lease would be over before a busy machine has sent it. Raises ``AssertionError`` where that
        takes longer than ``seconds`` of the world's.
        """
        began, clock = time.monotonic(), self.place.clock
        begun, pushed = clock(), began
        while self.open_ones():
            now = time.monotonic()
            assert now - began < seconds, f"{self.open_ones()} never reached an end: {self.states()}"
            self.tick()
            if hurry and now - pushed > 2 and not self._is_under_way():
                self.push(hurry)
                pushed = now
            time.sleep(0.1)
        return (clock() - begun).total_seconds()

    def _is_under_way(self) -> bool:
        states = self.states()
        return bool(states[S.CLAIMED] or states[S.SENDING])

    def reap(self) -> None:
        """End the leases of the dead without a sender, that would look for their messages soon after."""
        resources = self.place.resources()
        with writing(resources.engine, resources.clock()) as book:
            reap(book, resources.policy.settle.first_look)
        resources.close()

    def attempts(self) -> int:
        """How many attempts were written down so far."""
        with self.ledger() as engine, engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM attempt")).scalar_one())

    def errors(self) -> list[str]:
        """What ended a sender that nobody killed."""
        folder = Path(self.place.environment["DUEBELL_HOME"])
        return [path.read_text() for path in folder.glob("sender-*.error")]

    def integrity(self) -> str:
        """What SQLite says of its file; ``ok`` on PostgreSQL."""
        with self.ledger() as engine, engine.connect() as connection:
            if engine.dialect.name != "sqlite":
                return "ok"
            return str(connection.execute(text("PRAGMA integrity_check")).scalar_one())

    def came(self, *, finals: bool = False) -> Came:
        """What came of it. ``finals``: the final states have to be Twilio's too."""
        accepted = self.sandbox.accepted_messages()
        numbers = Counter(found[0] for one in accepted if (found := NUMBER.search(one.body)))
        last = {found[0]: one.status for one in accepted if (found := NUMBER.search(one.body))}
        with self.ledger() as engine:
            with reading(engine) as session:
                rows = session.exec(select_rows(Notification)).all()
            wrong = broken(engine)
        states = {f"INV-{int(row.invoice_id[-12:], 16):06}": S(row.state) for row in rows}
        all_owed = [f"INV-{number:06}" for number in range(self.owed)]
        lost = [one for one in all_owed if _is_lost(states.get(one), sent=numbers[one] > 0)]
        parked = [one for one, state in states.items() if state is S.PARKED]
        told = {one: state for one, state in states.items() if state in TOLD}
        return Came(
            self.owed,
            len(numbers),
            [number for number, count in numbers.items() if count > 1],
            lost,
            len(parked),
            sum(numbers[one] > 0 for one in parked),
            Counter(state.value for state in states.values()),
            wrong,
            [one for one, state in told.items() if finals and state.value != last.get(one)],
        )


def mobile(number: int) -> str:
    """The customer of the ``number``-th invoice."""
    return f"+64211{number:06}"


def _is_lost(state: NotificationState | None, *, sent: bool) -> bool:
    """Whether the ledger does not know what became of a message."""
    if state is None or state not in ENDED:
        return True
    return state is not S.PARKED and (state in TOLD) != sent


@contextmanager
def scene(url: str, folder: Path, *, speed: float) -> Generator[Scene]:
    """The sandbox and the receiver, running over the migrated ledger at ``url``."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    (folder / "policy.toml").write_text(POLICY)
    with _sandbox(folder) as sandbox:
        environment = {
            "DUEBELL_HOME": str(folder),
            "DUEBELL_DATABASE_URL": url,
            "DUEBELL_POLICY": str(folder / "policy.toml"),
            "DUEBELL_LISTEN": f"127.0.0.1:{port}",
            "DUEBELL_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "TWILIO_API_URL": sandbox.base_url,
            "TWILIO_ACCOUNT_SID": TWILIO_ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": TWILIO_AUTH_TOKEN,
            "TWILIO_FROM": TWILIO_FROM,
        }
        engine = open_ledger(url)
        open_tenant(engine)
        engine.dispose()
        with _receiver(environment, folder):
            # Not before: while the receiver starts, nobody would keep the sandbox's clock in step with it.
            ahead = RawValue("d", 0.0)  # one with a lock is held for ever by a sender that dies as it reads
            clock = SwiftClock(time.time(), speed, ahead)
            opened = Scene(Place(environment, clock), sandbox)
            try:
                yield opened
            finally:
                opened.close()


@contextmanager
def _sandbox(folder: Path) -> Generator[SandboxControl]:
    command = [sys.executable, "-m", "deployments.sandbox", "--callback-step-seconds", "0.05"]
    with _child(command, {}, folder / "sandbox.log", stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        ready, _, _ = select.select([child.stdout], [], [], 60)
        assert ready, (folder / "sandbox.log").read_text()
        control = SandboxControl(json.loads(child.stdout.readline())["base_url"])
        try:
            yield control
        finally:
            control.close()


@contextmanager
def _receiver(environment: dict[str, str], folder: Path) -> Generator[None]:
    """The real receiver, with Prefect away."""
    away = {"PREFECT_API_URL": "http://127.0.0.1:1/api", "PREFECT_HOME": str(folder / "prefect")}
    command = [sys.executable, "-m", "deployments.receiver"]
    url = f"{environment['DUEBELL_PUBLIC_URL']}/healthz"

    def answers() -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(url, trust_env=False, timeout=60).status_code == 200
        return False

    with _child(command, {**environment, **away}, folder / "receiver.log") as child:
        until = time.monotonic() + 60
        while not answers():
            lives = child.poll() is None and time.monotonic() < until
            assert lives, (folder / "receiver.log").read_text()
            time.sleep(0.1)
        yield


@contextmanager
def _child(
    command: list[str], environment: dict[str, str], log: Path, stdout: int | None = None
) -> Generator["subprocess.Popen[bytes]"]:
    with log.open("wb") as file:
        child = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=stdout or file, stderr=file
        )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
