"""A ledger that nobody else has open, and that nobody else can read or write until it is let go of."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

from psycopg.errors import LockNotAvailable
from sqlalchemy import DDL, Connection, Engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from duebell.database_url import without_secrets
from duebell.errors import ConfigurationError
from duebell.ledger.carrying_over import TABLES
from duebell.ledger.engine import open_ledger
from duebell.ledger.failing_at import failing_at
from duebell.ledger.turns import OF_EVERY_SORT

PATIENCE = 3.0
"""Seconds that others get to let go: a process that was just ended is seen for a moment longer."""

LOOKS = 30

CLOSE = DDL("LOCK TABLE %(fullname)s IN ACCESS EXCLUSIVE MODE")
OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@contextmanager
def opened_alone(url: str) -> Generator[Engine]:
    """The ledger at ``url``, which has to be there. On SQLite it is closed to all others from now on.

    On PostgreSQL :func:`lock_out_others` does that, for the length of a transaction. Give it one connection
    at a time. Raises ``ConfigurationError`` where it is not there, and where another process has it open.
    """
    _require_file(url)
    engine = open_ledger(url, busy_seconds=PATIENCE, stands_still=0)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _exclusively, insert=True)
    try:
        with failing_at(engine), _in_use(engine), engine.begin():
            pass
        yield engine
    finally:
        engine.dispose()


def lock_out_others(connection: Connection) -> None:
    """Keep everybody out of every table until this transaction ends; who comes meanwhile waits for its end.

    Raises ``ConfigurationError`` where another process has the ledger open, on whatever machine it runs.
    """
    if connection.dialect.name != "postgresql":
        return
    with failing_at(connection.engine), _in_use(connection.engine):
        for table in TABLES:
            connection.execute(CLOSE.against(table))
        others = 0
        for _ in range(LOOKS):
            # What others do is seen as it was when this transaction first looked (PostgreSQL's manual, 28.2).
            connection.execute(text("SELECT pg_stat_clear_snapshot()"))
            others = connection.execute(OTHERS).scalar_one()
            if not others:
                return
            sleep(PATIENCE / LOOKS)
    raise _said(connection.engine, f"{others} other connections")


def _exclusively(connection: Any, _record: Any) -> None:
    # Every process that has a ledger in WAL mode open holds a shared lock on it, for as long as it has; this
    # needs the lock that none of them allows (sqlite.org/pragma.html#pragma_locking_mode).
    connection.execute("PRAGMA locking_mode = EXCLUSIVE").close()


def _require_file(url: str) -> None:
    """What is only looked at is not made."""
    file = make_url(url).database
    if make_url(url).get_backend_name() == "sqlite" and not (file and Path(file).is_file()):
        raise ConfigurationError(f"there is no ledger at {without_secrets(url)}: name one that is")


@contextmanager
def _in_use(engine: Engine) -> Generator[None]:
    try:
        yield
    except OperationalError as error:
        cause = error.orig
        is_busy = isinstance(cause, LockNotAvailable) or (
            isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode & OF_EVERY_SORT == sqlite3.SQLITE_BUSY
        )
        if not is_busy:
            raise
        raise _said(engine, "another process") from error


def _said(engine: Engine, who: str) -> ConfigurationError:
    return ConfigurationError(
        f"the ledger at {without_secrets(engine.url)} is in use by {who}: end `duebell up`, and every "
        "receiver, worker and command that works with it, on every machine; then give the command again"
    )
