"""Opens the ledger, and gives out transactions that mean the same on SQLite and PostgreSQL."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlmodel import Session

from duebell.errors import ConfigurationError
from duebell.ledger.turns import TURNS, Turns, begin_immediate

MIGRATIONS = Path(__file__).parent / "migrations"


def open_ledger(url: str, *, busy_seconds: float = 30.0) -> Engine:
    """An engine for the ledger at ``url``; the schema is as it was found.

    ``busy_seconds`` is how long a writer waits for those before it on SQLite. The receiver passes less,
    because Xero waits five seconds for its answer.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, pool_size=10, connect_args={"connect_timeout": 5})
    engine = create_engine(
        url,
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
        execution_options={TURNS: Turns(busy_seconds)},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


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


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version; safe to call by several processes at once.

    Raises ``ConfigurationError`` where the database cannot be reached or was made by a newer Duebell.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(718293)")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DatabaseError as error:
        if type(error) not in {OperationalError, DatabaseError}:  # the latter: "file is not a database"
            raise
        where = engine.url.render_as_string(hide_password=True)
        raise ConfigurationError(
            f"the ledger at {where} cannot be opened ({type(error.orig).__name__}): "
            "check DUEBELL_DATABASE_URL, DUEBELL_HOME and that the folder or server can be written"
        ) from error
    except command.util.CommandError as error:
        raise ConfigurationError(
            "the ledger was made by a newer version of Duebell: install that version, or restore a backup"
        ) from error
