"""Ledgers for tests: SQLite always, and PostgreSQL where DUEBELL_TEST_POSTGRES_URL names a server."""

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url

from duebell.ledger.engine import migrate, open_ledger
from duebell.ledger.tables import SQLModel
from duebell.ledger.turns import TURNS, Turns

POSTGRES = os.environ.get("DUEBELL_TEST_POSTGRES_URL", "")
NO_POSTGRES = "no PostgreSQL: set DUEBELL_TEST_POSTGRES_URL to the URL of a server to test on"


def migrated_file(folder: Path) -> Path:
    """A SQLite ledger with the newest schema and nothing in it, to be copied."""
    path = folder / "template.db"
    engine = open_ledger(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


def copied(template: Path, folder: Path) -> Engine:
    """A ledger of its own on SQLite."""
    path = folder / "ledger.db"
    shutil.copyfile(template, path)
    return open_ledger(f"sqlite:///{path}")


def hurried(engine: Engine) -> Engine:
    """The same SQLite ledger without the wait for the disk, for tests that open hundreds."""
    return _with_pragma(engine, "synchronous = OFF")


def backwards(engine: Engine) -> Engine:
    """The same SQLite ledger, which gives the rows of a statement that asks for no order the other way round.

    PostgreSQL gives them in any (sqlite.org/pragma.html#pragma_reverse_unordered_selects).
    """
    return _with_pragma(engine, "reverse_unordered_selects = ON")


def _with_pragma(engine: Engine, pragma: str) -> Engine:
    def set_it(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA {pragma}").close()

    event.listen(engine, "connect", set_it)
    return engine


class SqliteLedgers:
    """Empty ledgers, one after the other, without the wait for the disk.

    They are opened by the same engine, which so knows its statements already: to compile them anew takes a
    third of a test's time. Each is a file of its own, and an engine of its own over that one: whoever is left
    over from the one before, or listens to it, has nothing to do with it.
    """

    def __init__(self, template: Path, opened: Callable[[Engine], Engine] = hurried) -> None:
        self._template = template
        self._path = template
        self._engine = opened(open_ledger(f"sqlite:///{template}"))
        event.listen(self._engine, "do_connect", self._to_this_one)

    def _to_this_one(self, _dialect: Any, _record: Any, args: list[Any], _named: dict[str, Any]) -> None:
        args[:] = [str(self._path)]

    def fresh(self, folder: Path) -> Engine:
        """An empty ledger in this folder, where there is none; the one before is of no more use."""
        self._engine.dispose()
        self._path = folder / "ledger.db"
        shutil.copyfile(self._template, self._path)
        self._engine.url = self._engine.url.set(database=str(self._path))
        return self._engine.execution_options(**{TURNS: Turns(30.0)})

    def close(self) -> None:
        """Let go of the last of them."""
        self._engine.dispose()


@contextmanager
def throwaway_database(name: str) -> Generator[str]:
    """The URL of a PostgreSQL database that is dropped at the end, and that waits for no disk: what a commit
    keeps outlives any client that is killed, and the server itself is not.
    """
    admin = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
        connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    try:
        yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        admin.dispose()


def emptied(engine: Engine) -> Engine:
    """The same PostgreSQL ledger with every row gone, and its ids counted from one.

    Row by row: to truncate tables has PostgreSQL make each of them anew on the disk, which takes longer than
    most tests.
    """
    with engine.begin() as connection:
        for table in reversed(SQLModel.metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(text(COUNT_FROM_ONE))
    return engine


COUNT_FROM_ONE = """
SELECT setval(pg_get_serial_sequence(quote_ident(table_name), column_name), 1, false)
FROM information_schema.columns
WHERE table_schema = 'public' AND pg_get_serial_sequence(quote_ident(table_name), column_name) IS NOT NULL
"""
