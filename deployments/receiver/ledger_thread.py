"""The thread in which the ledger is written to while callers wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from duebell.errors import Transient
from duebell.failpoints import fail_point

T = TypeVar("T")


class LedgerBusy(Transient):
    """The ledger could not be written to in time: what was not committed must not be acknowledged."""


class LedgerThread:
    """Runs writing calls of the ledger one after the other, and gives up waiting in time for an answer.

    One thread, because writers take turns anyway (SQLite's lock, the chain of the audit trail on PostgreSQL):
    four brought no more through and made the slowest answers two to four times slower. A call that nobody
    waits for any longer is not begun, so that nothing piles up while the ledger hangs.
    """

    def __init__(self, seconds: float) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="receiver-ledger")
        self._seconds = seconds

    async def commit(self, call: Callable[[], T]) -> T:
        """What ``call`` returns, once its transaction is on disk.

        Raises ``LedgerBusy`` where the ledger fails or takes too long. It may be written all the same
        then, which is harmless: everything that comes here may come twice.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.get_running_loop().run_in_executor(self._pool, _committed, call)
        except TimeoutError:
            why = "too slow"
        except SQLAlchemyError as error:
            why = type(error).__name__
        # Raised here, outside the handlers: SQLAlchemy's error carries the statement's parameters.
        raise LedgerBusy(f"the ledger could not be written to ({why})")

    def close(self) -> None:
        """Begin nothing more; a call that is under way ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _committed(call: Callable[[], T]) -> T:
    fail_point("receiver-before-commit")
    result = call()
    fail_point("receiver-after-commit")
    return result
