"""How the writers of a busy SQLite ledger fare: a worker's threads sending, and a receiver beside them.

Run it by hand: ``make prove-writers`` (seconds, threads of the worker).
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from uuid import UUID

import httpx
from sqlalchemy.exc import OperationalError

from deployments.receiver.app import make_app
from deployments.receiver.server import open_for_answers
from duebell.ledger.engine import migrate, open_ledger
from duebell.ledger.invariants import broken
from duebell.ledger.tables import XeroEvent
from tests.support_facts import accepted, begin, claim, conclude, counted, open_tenant, plan
from tests.support_receiver import TENANT, XERO, delivery, parts, signed_xero, xero_event

RATE = 15
"""Deliveries a second, whether the one before is answered or not; Xero sends them singly."""


@dataclass
class Tally:
    """What one side counted: how long each of its calls took, and what failed."""

    took: list[float] = field(default_factory=list[float])
    failed: Counter[str] = field(default_factory=Counter[str])

    def line(self, seconds: int) -> str:
        """One line to read at a terminal."""
        took = sorted(self.took) or [0.0]
        at = [took[min(len(took) - 1, int(len(took) * share))] for share in (0.5, 0.99)]
        failed = ", ".join(f"{count} {why}" for why, count in self.failed.items()) or "none"
        return (
            f"{len(self.took) / seconds:6.0f}/s, p50 {at[0] * 1000:5.0f} ms, p99 {at[1] * 1000:5.0f} ms, "
            f"max {took[-1] * 1000:5.0f} ms, failed: {failed}"
        )


def worker(url: str, seconds: int, threads: int) -> tuple[Tally, list[int]]:
    """Threads that each plan, claim, begin and conclude messages; also how many each got through."""
    engine, tally, until = open_ledger(url), Tally(), time.monotonic() + seconds
    each = [0] * threads

    def sends(thread: int) -> None:
        while time.monotonic() < until:
            number = thread * 100_000 + each[thread]
            began = time.monotonic()
            try:
                claimed = claim(engine, plan(engine, number).notification_id or 0)
                assert claimed is not None
                begin(engine, claimed, f"a{number}")
                conclude(engine, accepted(number), f"a{number}")
            except OperationalError as error:
                tally.failed[str(error.orig)] += 1
            else:
                tally.took.append(time.monotonic() - began)
            each[thread] += 1

    workers = [Thread(target=sends, args=(number,)) for number in range(threads)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    return tally, each


def receiver(url: str, seconds: int) -> Tally:
    """Xero, and the receiver that keeps what it delivers."""
    app = make_app(parts(open_for_answers(url)))
    tally = Tally()

    async def delivers(client: httpx.AsyncClient, number: int) -> None:
        await asyncio.sleep(number / RATE)
        raw = delivery(xero_event(resourceId=str(UUID(int=number))))
        began = time.monotonic()
        answer = await client.post(XERO, content=raw, headers=signed_xero(raw))
        if answer.status_code == 200:
            tally.took.append(time.monotonic() - began)
        else:
            tally.failed[str(answer.status_code)] += 1

    async def all_of_them() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            await asyncio.gather(*(delivers(client, number) for number in range(RATE * seconds)))

    asyncio.run(all_of_them())
    return tally


def main(seconds: int = 10, threads: int = 32) -> None:
    """Both at once over one file, for so long; prints what each saw."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.db'}"
        engine = open_ledger(url)
        migrate(engine)
        open_tenant(engine, TENANT)
        with get_context("spawn").Pool(2) as pool:
            sending = pool.apply_async(worker, (url, seconds, threads))
            receiving = pool.apply_async(receiver, (url, seconds))
            tally, each = sending.get()
            heard = receiving.get()
        print("messages:  ", tally.line(seconds), f"a thread: {min(each)} to {max(each)}")  # noqa: T201
        print("deliveries:", heard.line(seconds))  # noqa: T201 - it is read at a terminal
        assert counted(engine, XeroEvent) >= len(heard.took), "acknowledged, and not kept"
        print("invariants:", broken(engine) or "all hold")  # noqa: T201
        engine.dispose()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
