"""Two places for a ledger, on each pair of databases, and a ledger with something in every table."""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, DateTime, Engine, LargeBinary, Table, create_engine, insert, select, text
from sqlalchemy.types import TypeDecorator

from duebell.audit import Entry
from duebell.ledger.engine import migrate, open_ledger
from duebell.ledger.tables import SQLModel
from duebell.ledger.writing import writing
from tests.support_facts import NOW
from tests.support_ledger import NO_POSTGRES, POSTGRES, throwaway_database

TABLES: Sequence[Table] = SQLModel.metadata.sorted_tables
TRAIL = "audit"


@dataclass(frozen=True)
class Houses:
    """Where a ledger is, and where it is to be."""

    old: str
    new: str


@contextmanager
def opened(url: str) -> Generator[Engine]:
    """A ledger with the newest schema, that nobody has open afterwards."""
    engine = open_ledger(url)
    try:
        migrate(engine)
        yield engine
    finally:
        engine.dispose()


def emptied_database(url: str) -> str:
    """A PostgreSQL database without a table."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return url


@pytest.fixture(scope="session")
def plots() -> Generator[tuple[str, str]]:
    """Two databases of a PostgreSQL server."""
    if not POSTGRES:
        pytest.skip(NO_POSTGRES)
    name = f"duebell_house_{os.getpid()}"
    with throwaway_database(f"{name}_old") as old, throwaway_database(f"{name}_new") as new:
        yield old, new


def houses_on(request: pytest.FixtureRequest, folder: Path, old: str, new: str) -> Houses:
    """Places on these two kinds of database."""
    urls = [f"sqlite:///{folder}/old.db", f"sqlite:///{folder}/new.db"]
    for place, kind in enumerate((old, new)):
        if kind == "postgresql":
            urls[place] = emptied_database(request.getfixturevalue("plots")[place])
    return Houses(*urls)


def filled(engine: Engine, rows: int = 3) -> None:
    """Put rows into every table there is, also into one that was made after this was written."""
    with engine.begin() as connection:
        for table in TABLES:
            if table.name != TRAIL:
                made = [_row(table, number) for number in range(rows)]
                connection.execute(insert(table), made)
    for number in range(rows):
        with writing(engine, NOW + timedelta(microseconds=number)) as book:
            book.audit(
                Entry("test", "filled", "ledger", str(number), details={"name": "Ān\u2028a", "n": 1.5})
            )


def _row(table: Table, number: int) -> Mapping[str, Any]:
    return {column.name: _value(column, number) for column in table.columns}


def _value(column: Column[Any], number: int) -> Any:
    """A value of the column's type, the same for a key and for what refers to it; every second one empty
    where it may be.
    """
    for key in column.foreign_keys:
        return _value(key.column, number)
    if column.nullable and number % 2:
        return None
    kind: Any = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    if isinstance(kind, LargeBinary):
        return bytes([number, 0, 255])
    if isinstance(kind, DateTime):
        return datetime(2026, 3, 29, 1, 59, 59, 123456 + number, tzinfo=UTC)
    values: dict[type[Any], Any] = {int: 1000 + number, bool: bool(number % 2), float: number + 0.1}
    return values.get(kind.python_type, f'{column.name} {number} “é”\n🜁 {{"a": "\\u0000"}}')


def contents(engine: Engine) -> Mapping[str, list[tuple[Any, ...]]]:
    """Every row of every table, in the order of their keys."""
    with engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in TABLES
        }
