"""Whose turn it is to write to a SQLite ledger: the writers of one process stand in line.

SQLite lets one writer in at a time, and one that waits asks again at ever longer intervals
(sqlite.org/c3ref/busy_timeout.html). Among many it is a lottery, in which some lose until they give up. So
the threads of a process stand in line, one of them at a time asks, and it asks often.
"""

import sqlite3
from collections import deque
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import Event, Lock
from time import monotonic

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

TURNS = "turns"
"""The execution option under which an engine carries its line; one of PostgreSQL has none."""

OFTEN = 30
"""Milliseconds that SQLite itself may wait before it is asked anew: it sleeps 1, 2, 5 and 10 ms in them."""

OF_EVERY_SORT = 0xFF
"""What all the sorts of one error have in common: a database that another process repairs after a crash is as
busy as one that is written to (sqlite.org/rescode.html)."""

STALL = 5.0
"""Seconds of waiting, in line or for another process, that are told: a person who waits would have left."""

TOLD_EVERY = 60.0
"""Seconds between two entries of the audit trail about such waits, however many there were."""

OVERDUE = 2.0
"""Seconds in line after which a thread is handed the turn. Before, whoever is awake may go first: to wake
the next one costs more than a transaction does on a busy machine, and the ledger would lie idle meanwhile."""


@dataclass(eq=False)
class _Place:
    """A thread's place in the line."""

    since: float = field(default_factory=monotonic)
    rung: Event = field(default_factory=Event)
    is_called: bool = False


class Turns:
    """The line of a process. ``seconds`` is how long one waits in it, and then once more for other processes.

    Nobody in it waits much longer than ``OVERDUE`` beyond the transactions of those who came before.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._guard = Lock()
        self._line: deque[_Place] = deque()
        self._is_taken = False
        self._stalls: list[float] = []
        self._told_at = -TOLD_EVERY

    def waited(self, seconds: float) -> None:
        """Note a wait, where it was long."""
        if seconds >= STALL:
            self._stalls.append(seconds)

    def stalls_to_tell(self) -> tuple[int, float] | None:
        """How many long waits there were and the longest (seconds), once a minute; for who has the turn."""
        if not self._stalls or monotonic() - self._told_at < TOLD_EVERY:
            return None
        told = len(self._stalls), max(self._stalls)
        self._stalls, self._told_at = [], monotonic()
        return told

    @contextmanager
    def one(self) -> Generator[None]:
        """Hold the turn inside. Raises ``OperationalError``, as SQLite would, where it comes too late."""
        began = monotonic()
        has_come = self._take()
        self.waited(monotonic() - began)
        if not has_come:
            locked = sqlite3.OperationalError("database is locked: too many writers came before")
            raise OperationalError("BEGIN IMMEDIATE", None, locked)
        try:
            yield
        finally:
            self._call_next()

    def _take(self) -> bool:
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            place = _Place()
            self._line.append(place)
        return self._wait(place)

    def _wait(self, place: _Place) -> bool:
        until, is_late = place.since + self.seconds, False
        while not is_late:
            is_late = not place.rung.wait(max(0.0, until - monotonic()))
            with self._guard:
                place.rung.clear()
                if place.is_called:
                    return True
                is_free = not self._is_taken
                if is_free or is_late:
                    self._line.remove(place)
                if is_free:
                    self._is_taken = True
                    return True
        return False

    def _call_next(self) -> None:
        with self._guard:
            self._is_taken = False
            if not self._line:
                return
            first = self._line[0]
            if monotonic() - first.since > OVERDUE:
                self._is_taken = first.is_called = True
                self._line.popleft()
            first.rung.set()


def stalls_of(engine: Engine) -> tuple[int, float] | None:
    """The long waits that are to be told now; never any on PostgreSQL."""
    turns: Turns | None = engine.get_execution_options().get(TURNS)
    return None if turns is None else turns.stalls_to_tell()


def turn_of(engine: Engine) -> AbstractContextManager[None]:
    """The turn to write; at once on PostgreSQL, where writers do not stand in each other's way."""
    turns: Turns | None = engine.get_execution_options().get(TURNS)
    return nullcontext() if turns is None else turns.one()


def begin_immediate(connection: Connection) -> None:
    """Begin to write as soon as no other process does. Raises ``OperationalError`` where that is too late."""
    turns: Turns = connection.get_execution_options()[TURNS]
    sqlite: sqlite3.Connection = connection.connection.driver_connection  # pyright: ignore[reportAssignmentType]  # what connects is sqlite3
    began = monotonic()
    until = began + turns.seconds
    sqlite.execute(f"PRAGMA busy_timeout = {OFTEN}").close()
    try:
        while monotonic() < until:
            try:
                sqlite.execute("BEGIN IMMEDIATE").close()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & OF_EVERY_SORT != sqlite3.SQLITE_BUSY:
                    break
            else:
                return
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # what fails here is told as any statement's failure
    finally:
        turns.waited(monotonic() - began)
        sqlite.execute(f"PRAGMA busy_timeout = {int(turns.seconds * 1000)}").close()
