"""Kills the real worker, over a real Prefect and the whole road, while the books change all the time."""

import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sqlmodel import select

from deployments.prefect_server import PrefectServer
from deployments.sandbox.control_types import InvoiceSummary
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.states import NotificationState
from tests.support_prefect import RunningPrefect, free_port, let_go
from tests.support_road import Road, open_road

S = NotificationState
TOLD = {S.ACCEPTED, S.SENT, S.DELIVERED}
SETTLED = "[settle]\nafter_minutes = [1, 2]\npark_after_minutes = 3\n"


def kill_the_worker(kills: int, chance: random.Random, say: Callable[[str], None]) -> bool:
    """Kill it ``kills`` times over a stream of invoices; returns whether all is well at the end."""
    with tempfile.TemporaryDirectory() as folder:
        server = PrefectServer(Path(folder) / "prefect", free_port())
        server.start()
        try:
            server.wait_ready()
            with open_road(RunningPrefect(server), Path(folder) / "road") as road:
                return _over(road, kills, chance, say)
        finally:
            let_go()
            server.stop()


def _over(road: Road, kills: int, chance: random.Random, say: Callable[[str], None]) -> bool:
    policy = Path(road.environment["DUEBELL_POLICY"])
    policy.write_text(f"{policy.read_text(encoding='utf-8')}\n{SETTLED}", encoding="utf-8")
    issued: list[InvoiceSummary] = []
    for _ in range(kills):
        issued += [road.issue(f"{chance.randrange(50, 500)}.00") for _ in range(chance.randrange(1, 4))]
        time.sleep(chance.uniform(0, 6))
        pid = road.children["worker"].pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        road.restart("worker")
    began = time.monotonic()
    while _open_ones(road, issued) and time.monotonic() - began < 1_200:
        time.sleep(1)
    quiet = time.monotonic() - began
    return _judged(road, issued, say, f"{kills} kills of the worker, quiet after {quiet:.0f} s")


def _states(road: Road, issued: list[InvoiceSummary]) -> dict[str, S]:
    with reading(road.engine) as session:
        rows = session.exec(select(Notification)).all()
    wanted = {one.invoice_id for one in issued}
    return {row.subject_id: S(row.state) for row in rows if row.subject_id in wanted}


def _open_ones(road: Road, issued: list[InvoiceSummary]) -> int:
    states = _states(road, issued)
    return sum(states.get(one.invoice_id) not in TOLD | {S.PARKED, S.SKIPPED, S.GIVEN_UP} for one in issued)


def _judged(road: Road, issued: list[InvoiceSummary], say: Callable[[str], None], what: str) -> bool:
    states, sent = _states(road, issued), Counter[str]()
    for message in road.sandbox.accepted_messages():
        sent.update({one.number for one in issued if one.number in message.body.split()})
    doubled = [number for number, count in sent.items() if count > 1]
    lost = [
        one.number
        for one in issued
        if states.get(one.invoice_id) is not S.PARKED
        and (states.get(one.invoice_id) in TOLD) != (sent[one.number] > 0)
    ]
    parked = [one for one in issued if states.get(one.invoice_id) is S.PARKED]
    wrong = broken(road.engine)
    say(
        f"{what}: owed {len(issued)}, sent {len(sent)}, doubled {len(doubled)}, lost {len(lost)},"
        f" parked {len(parked)} ({sum(sent[one.number] > 0 for one in parked)} sent)"
    )
    for one in (*doubled, *lost, *wrong):
        say(f"WRONG {one}")
    open_ones = _open_ones(road, issued)
    return not (doubled or lost or wrong or open_ones)
