"""Writers of a SQLite ledger take turns: none starves, and what one breaks is not another's loss."""

import asyncio
import fcntl
import multiprocessing
import sqlite3
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from deployments.receiver.ledger_thread import LedgerBusy, LedgerThread
from duebell.ledger.engine import open_ledger
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Receipt, RejectedDelivery
from duebell.ledger.trail import Stalls, stalls
from duebell.ledger.turns import OVERDUE, STALL, TURNS, Turns
from duebell.ledger.writing import Writing, writing
from tests.support_facts import MINUTE, NOW, at_once, counted

THREADS, EACH, BESIDE = 24, 6, 20


def write_many(url: str) -> None:
    """Another process that writes to the same ledger, one transaction after the other."""
    engine = open_ledger(url)
    for number in range(BESIDE):
        keep(engine, f"beside {number}")
    engine.dispose()


def repair(index: str, begun: Event, ended: Event) -> None:
    """Another process that repairs the ledger after a crash, as SQLite does (sqlite.org/walformat.html)."""
    with Path(index).open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 8, 120)
        file.write(bytes(136))
        file.flush()
        begun.set()
        ended.wait()


def keep(engine: Engine, name: str) -> None:
    with writing(engine, NOW) as book:
        book.session.add(RejectedDelivery(sha256=name, received_at=NOW, reason="", raw=b""))


def test_every_thread_gets_its_turns_beside_another_process(sqlite_ledger: Engine) -> None:
    url = sqlite_ledger.url.render_as_string()
    other = multiprocessing.get_context("spawn").Process(target=write_many, args=(url,))
    other.start()

    def writes(thread: int) -> int:
        for number in range(EACH):
            keep(sqlite_ledger, f"{thread} {number}")
        return EACH

    assert at_once(THREADS, writes) == [EACH] * THREADS
    other.join()
    assert other.exitcode == 0
    assert counted(sqlite_ledger, RejectedDelivery) == THREADS * EACH + BESIDE


def test_who_waits_for_long_is_handed_the_turn_before_who_came_later() -> None:
    turns, order = Turns(60), list[str]()
    stop = threading.Event()

    def greedy() -> None:
        while not stop.is_set():
            with turns.one():
                time.sleep(0.01)

    def patient(name: str) -> None:
        with turns.one():
            order.append(name)

    with turns.one():
        threads = [threading.Thread(target=patient, args=(name,)) for name in ("first", "second", "third")]
        for one in threads:
            one.start()
            time.sleep(0.05)
        others = [threading.Thread(target=greedy) for _ in range(2)]
        for one in others:
            one.start()
        time.sleep(OVERDUE)
    for one in threads:
        one.join()
    stop.set()
    for one in others:
        one.join()
    assert order == ["first", "second", "third"]


def test_a_turn_that_does_not_come_in_time_is_told_as_sqlite_tells_it() -> None:
    turns = Turns(0.05)
    refused: list[Exception] = []

    def late() -> None:
        try:
            with turns.one():
                pass
        except OperationalError as error:
            refused.append(error)

    with turns.one():
        waiting = threading.Thread(target=late)
        waiting.start()
        waiting.join()
    with turns.one():
        assert "database is locked" in str(refused[0])


def test_a_ledger_that_another_holds_is_waited_for_and_given_up_in_time(sqlite_ledger: Engine) -> None:
    url = sqlite_ledger.url.render_as_string()
    impatient = open_ledger(url, busy_seconds=0.2)
    holder = sqlite3.connect(str(sqlite_ledger.url.database), isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError, match="database is locked"):
        keep(impatient, "too late")
    threading.Timer(0.3, holder.rollback).start()
    keep(sqlite_ledger, "in time")
    assert counted(sqlite_ledger, RejectedDelivery) == 1
    holder.close()
    impatient.dispose()


def together(engine: Engine, *names: str) -> list[str]:
    """What callers that come at the same time hear: ``kept``, or the name of their error."""

    def call(name: str, book: Writing) -> None:
        if name == "breaks":
            raise LookupError(name)
        keep_in(book, name)

    async def ask() -> list[str]:
        thread = LedgerThread(engine, lambda: NOW, 10)
        asked = (thread.commit(lambda book, name=name: call(name, book)) for name in names)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        thread.close()
        return ["kept" if one is None else type(one).__name__ for one in answers]

    return asyncio.run(ask())


def keep_in(book: Writing, name: str) -> None:
    book.session.add(Receipt(sid=name, status="sent", received_at=NOW))


def test_what_callers_bring_together_is_kept_and_one_that_breaks_costs_the_others_nothing(
    ledger: Engine,
) -> None:
    assert together(ledger, "a", "breaks", "b", "a", "c") == [
        "kept",
        "LookupError",
        "kept",
        "LedgerBusy",
        "kept",
    ]
    assert counted(ledger, Receipt) == 3
    assert broken(ledger) == []


def test_a_call_that_nobody_waits_for_any_longer_is_not_begun(sqlite_ledger: Engine) -> None:
    async def ask() -> None:
        thread, goes_on = LedgerThread(sqlite_ledger, lambda: NOW, 2.0), threading.Event()
        hanging = asyncio.create_task(thread.alone(lambda: goes_on.wait(60)))
        await asyncio.sleep(0)
        with pytest.raises(LedgerBusy, match="too slow"):
            await thread.commit(lambda book: keep_in(book, "given up"))
        with pytest.raises(LedgerBusy, match="too slow"):
            await hanging
        goes_on.set()
        await thread.commit(lambda book: keep_in(book, "kept"))
        thread.close()

    asyncio.run(ask())
    assert counted(sqlite_ledger, Receipt) == 1


def test_a_long_wait_is_noted_once_a_minute_and_counted_for_doctor(sqlite_ledger: Engine) -> None:
    turns: Turns = sqlite_ledger.get_execution_options()[TURNS]
    for seconds in (STALL - 1, STALL, STALL + 2):
        turns.waited(seconds)
    keep(sqlite_ledger, "a")
    turns.waited(STALL)  # told with the next minute's
    keep(sqlite_ledger, "b")
    assert stalls(sqlite_ledger, NOW - MINUTE) == Stalls(2, STALL + 2)
    assert stalls(sqlite_ledger, NOW + MINUTE) == Stalls(0, 0.0)
    assert broken(sqlite_ledger) == []


def test_a_ledger_that_another_process_repairs_after_a_crash_is_a_busy_one(sqlite_ledger: Engine) -> None:
    engine = open_ledger(sqlite_ledger.url.render_as_string(), busy_seconds=0.2)
    keep(engine, "before")
    context = multiprocessing.get_context("spawn")
    begun, ended = context.Event(), context.Event()
    index = f"{engine.url.database}-shm"
    other = context.Process(target=repair, args=(index, begun, ended), daemon=True)
    other.start()
    begun.wait()
    with pytest.raises(OperationalError, match="locked"):
        keep(engine, "meanwhile")
    ended.set()
    other.join()
    keep(engine, "afterwards")

    assert counted(engine, RejectedDelivery) == 2
    engine.dispose()
