"""Ledgers for tests: SQLite always, and PostgreSQL where DUEBELL_TEST_POSTGRES_URL names a server."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from duebell.ledger.engine import migrate, open_ledger
from duebell.ledger.tables import SQLModel

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


@contextmanager
def throwaway_database(name: str) -> Generator[str]:
    """The URL of a PostgreSQL database that is dropped at the end."""
    admin = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        admin.dispose()


def emptied(engine: Engine) -> Engine:
    """The same PostgreSQL ledger with every row gone."""
    names = ", ".join(f'"{table.name}"' for table in SQLModel.metadata.sorted_tables)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    return engine
