"""The thread in which the ledger is written to while callers wait."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from duebell.clock import Clock
from duebell.errors import Transient
from duebell.failpoints import fail_point
from duebell.ledger.writing import Writing, writing

T = TypeVar("T")

TOGETHER = 50
"""The most calls that share one transaction: what one of them breaks, the others have to do again."""

log = logging.getLogger("duebell.receiver")


class LedgerBusy(Transient):
    """The ledger could not be written to in time: what was not committed must not be acknowledged."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call that somebody waits for; its future is cancelled once nobody does."""

    call: Callable[[Writing], Any]
    answer: Future[Any] = field(default_factory=Future[Any])

    def is_given_up(self) -> bool:
        return self.answer.cancelled()

    def tell(self, result: object) -> None:
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_result(result)

    def fail(self, error: Exception) -> None:
        if self.answer.set_running_or_notify_cancel():
            self.answer.set_exception(error)


class LedgerThread:
    """Writes for callers that wait, those who came together in one transaction, and gives up in time.

    One thread, because writers take turns anyway (SQLite's lock, the chain of the audit trail on PostgreSQL):
    four brought no more through and made the slowest answers two to four times slower. Nobody is answered
    before the transaction that holds their call is on disk. A call that nobody waits for any longer is not
    begun, so that nothing piles up while the ledger hangs.
    """

    def __init__(self, engine: Engine, clock: Clock, seconds: float) -> None:
        self._engine = engine
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="receiver-ledger")
        self._seconds = seconds
        self._asked: deque[_Asked] = deque()

    async def commit(self, call: Callable[[Writing], T]) -> T:
        """What ``call`` returns, once its transaction is on disk; ``call`` may be begun more than once.

        Raises ``LedgerBusy`` where the ledger fails or takes too long. It may be written all the same
        then, which is harmless: everything that comes here may come twice.
        """
        asked = _Asked(call)
        self._asked.append(asked)
        try:
            self._begin(self._commit_what_waits)
        except LedgerBusy:
            asked.answer.cancel()
            raise
        return await self._in_time(asyncio.wrap_future(asked.answer))

    async def alone(self, call: Callable[[], T]) -> T:
        """What ``call`` returns that makes its own transaction, or only reads. Raises as ``commit`` does."""
        return await self._in_time(asyncio.wrap_future(self._begin(call)))

    def _begin(self, call: Callable[[], T]) -> Future[T]:
        try:
            return self._pool.submit(call)
        except RuntimeError as error:  # the machine gives no thread, or we are closing
            raise LedgerBusy("the ledger could not be written to (no thread)") from error

    async def _in_time(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._seconds):
                return await answer
        except TimeoutError:
            why = "too slow"
        except SQLAlchemyError as error:
            why = type(error).__name__
        # Raised here, outside the handlers: SQLAlchemy's error carries the statement's parameters.
        raise LedgerBusy(f"the ledger could not be written to ({why})")

    def close(self) -> None:
        """Begin nothing more; a call that is under way ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _commit_what_waits(self) -> None:
        """Commit all that waits, or nothing where an earlier look took it."""
        waiting: list[_Asked] = []
        while self._asked and len(waiting) < TOGETHER:
            waiting.append(self._asked.popleft())
        self._commit([one for one in waiting if not one.is_given_up()])

    def _commit(self, group: Sequence[_Asked]) -> None:
        if not group:
            return
        has_begun = False
        try:
            fail_point("receiver-before-commit")
            with writing(self._engine, self._clock()) as book:
                has_begun = True
                results = [one.call(book) for one in group]
            fail_point("receiver-after-commit")
        except Exception as error:  # noqa: BLE001 -- whatever it is, it belongs to who asked, and not to this thread
            self._failed(group, error, is_shared=has_begun and len(group) > 1)
        else:
            for one, result in zip(group, results, strict=True):
                one.tell(result)

    def _failed(self, group: Sequence[_Asked], error: Exception, *, is_shared: bool) -> None:
        """Hand the failure over; one in a shared transaction may be another's, so each is tried by itself."""
        if is_shared:
            log.warning("%d calls failed together (%s): each alone", len(group), type(error).__name__)
        for one in group:
            if not is_shared:
                one.fail(error)
            elif not one.is_given_up():
                self._commit([one])
