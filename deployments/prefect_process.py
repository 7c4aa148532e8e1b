"""Prefect's own command line, with one difference on SQLite: a transaction takes the write lock first.

Prefect 3.8 begins them deferred, so that one which reads and then writes fails at once when another has
written in between (sqlite.org/lang_transaction.html). Its interface then answers 503, and whoever asked waits
about two seconds before asking again: those are the seconds between an event and its message.
"""

import sys
from contextlib import AbstractAsyncContextManager

from prefect.cli import app
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


def begin_with_the_write_lock() -> None:
    """Have every transaction of the server begin as those that Prefect itself opens for update."""
    begin = AioSqliteConfiguration.begin_transaction

    def at_once(
        self: AioSqliteConfiguration, session: AsyncSession, **_wish: bool
    ) -> AbstractAsyncContextManager[AsyncSessionTransaction]:
        return begin(self, session, with_for_update=True)

    # Set by its name: Prefect offers no setting for it, and its own type admits no other function there.
    setattr(AioSqliteConfiguration, begin.__name__, at_once)


if __name__ == "__main__":
    begin_with_the_write_lock()
    sys.exit(app())
