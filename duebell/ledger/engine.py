"""Opens the ledger, and gives out transactions that mean the same on SQLite and PostgreSQL."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from psycopg.errors import IdleInTransactionSessionTimeout, InsufficientPrivilege
from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlmodel import Session

from duebell.database_url import without_secrets
from duebell.errors import ConfigurationError
from duebell.ledger.failing import why_failing
from duebell.ledger.turns import TURNS, Turns, begin_immediate

MIGRATIONS = Path(__file__).parent / "migrations"

STANDS_STILL = 15.0
"""Seconds after which PostgreSQL ends a transaction whose process does nothing."""


def open_ledger(url: str, *, busy_seconds: float = 30.0, stands_still: float = STANDS_STILL) -> Engine:
    """An engine for the ledger at ``url``; the schema is as it was found.

    ``busy_seconds`` is how long a writer waits for those before it. The receiver passes less, because Xero
    waits five seconds for its answer. ``stands_still`` is how long a writer may do nothing in the middle of a
    transaction on PostgreSQL.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return _open_postgresql(url, busy_seconds, stands_still)
    engine = create_engine(
        url,
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
        execution_options={TURNS: Turns(busy_seconds)},
        hide_parameters=True,  # an error's text goes to Prefect; addresses and words stay in the ledger
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def ledger_that_is_there(url: str) -> Engine | None:
    """The ledger at ``url`` with the newest schema; none where it is a file that is not there yet.

    For who only looks: what is only looked at is not made. Raises what :func:`migrate` raises.
    """
    file = make_url(url).database
    if make_url(url).get_backend_name() == "sqlite" and not (file and Path(file).is_file()):
        return None
    engine = open_ledger(url)
    migrate(engine)
    return engine


def _open_postgresql(url: str, busy_seconds: float, stands_still: float) -> Engine:
    # A process that is stopped, or whose machine is gone, would keep its locks, and with them everybody else,
    # for as long as its connection seems to live: by default for hours
    # (postgresql.org/docs/current/runtime-config-client.html). Readers hold up nobody, and may compute long.
    limits = (
        f"SET LOCAL lock_timeout = {busy_seconds * 1_000:.0f};"
        f"SET LOCAL idle_in_transaction_session_timeout = {stands_still * 1_000:.0f}"
    )
    # One that waits for another's migration waits for as long as that takes, and one that a slow machine
    # computes long for between two statements is not ended half-way.
    none = "SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"

    def limit(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get("reads_only", False):
            connection.exec_driver_sql(none if options.get("migrates", False) else limits)

    engine = create_engine(
        url, pool_pre_ping=True, pool_size=10, connect_args={"connect_timeout": 5}, hide_parameters=True
    )
    event.listen(engine, "begin", limit)
    event.listen(engine, "handle_error", _without_values)
    event.listen(engine, "handle_error", _as_busy, retval=True)
    return engine


def _without_values(context: ExceptionContext) -> None:
    """Take out of an error's text what was to be written: PostgreSQL quotes the key or the whole row.

    In place, because the error is told as the cause of SQLAlchemy's own, and both end in Prefect's database.
    """
    error, told = context.original_exception, context.sqlalchemy_exception
    if not isinstance(error, psycopg.Error) or error.sqlstate is None:
        return
    quotes_a_value = error.sqlstate.startswith(DATA_EXCEPTION)
    said = "" if quotes_a_value else error.diag.message_primary
    error.args = (said or f"SQLSTATE {error.sqlstate}",)
    if isinstance(told, DBAPIError):
        told.args = (f"({type(error).__module__}.{type(error).__name__}) {error}", *told.args[1:])


DATA_EXCEPTION = "22"
"""The class of errors that begin with a value (postgresql.org/docs/current/errcodes-appendix.html)."""


def _as_busy(context: ExceptionContext) -> OperationalError | None:
    """What a busy database raises, for a transaction that was ended meanwhile: it can be repeated."""
    ended = context.original_exception
    if not isinstance(ended, IdleInTransactionSessionTimeout):
        return None
    return OperationalError(context.statement, None, ended, hide_parameters=True)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # FULL, because NORMAL may lose the last commits at a power cut, and an intent must not vanish
    # after its POST (sqlite.org/pragma.html#pragma_synchronous).
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once with SQLITE_BUSY, whatever the
    # timeout, when another has written in between (sqlite.org/lang_transaction.html).
    reads_only = connection.get_execution_options().get("reads_only", False)
    if reads_only:
        connection.exec_driver_sql("BEGIN")
    else:
        begin_immediate(connection)


@contextmanager
def reading(engine: Engine) -> Generator[Session]:
    """A consistent view that changes nothing and, on SQLite, waits for no writer."""
    with Session(engine.execution_options(reads_only=True), expire_on_commit=False) as session:
        yield session


@contextmanager
def at_one_moment(engine: Engine) -> Generator[Session]:
    """The same over several statements: what is committed between them is not seen.

    PostgreSQL takes a new view for each otherwise (postgresql.org/docs/current/transaction-iso.html).
    """
    same = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with reading(engine.execution_options(**same)) as session:
        yield session


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version; safe to call by several processes at once.

    Raises ``ConfigurationError`` where the database cannot be reached, where its user may make no tables, and
    where it was made by a newer Duebell or by another program.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.execution_options(migrates=True).begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(718293)")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DatabaseError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            raise _may_make_no_tables(engine) from error
        if not is_of_the_database(error):
            raise
        where = without_secrets(engine.url)
        raise ConfigurationError(f"the ledger at {where} cannot be opened: {why_failing(error)}") from error
    except command.util.CommandError as error:
        raise _made_by_others(engine) from error


def is_of_the_database(error: DatabaseError) -> bool:
    """Whether the database itself failed or is none; what fails of what was asked is a fault of ours."""
    return type(error) in {OperationalError, DatabaseError}  # the latter: "file is not a database"


def _may_make_no_tables(engine: Engine) -> ConfigurationError:
    # Since PostgreSQL 15 that is so for everybody but the database's owner.
    where = without_secrets(engine.url)
    return ConfigurationError(
        f"the ledger at {where} cannot be made or brought up to date: its user may not. Make that user the "
        f"owner of the database, or run there: GRANT CREATE ON SCHEMA public TO {engine.url.username}"
    )


def _made_by_others(engine: Engine) -> ConfigurationError:
    # Prefect, for one, keeps the version of its tables under the same name.
    if inspect(engine).has_table("xero_event"):
        return ConfigurationError(
            "the ledger was made by a newer version of Duebell: install that version, or restore a backup"
        )
    where = without_secrets(engine.url)
    return ConfigurationError(
        f"the database at {where} is that of another program, such as Prefect: give the ledger one of its "
        "own (DUEBELL_DATABASE_URL)"
    )
