"""Every table of one ledger, carried into another whole, each after those that it refers to."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, func, insert, inspect, literal, select, text

from duebell.errors import ConfigurationError
from duebell.ledger.failing_at import failing_at
from duebell.ledger.tables import SQLModel

PORTION = 500
"""Rows that are in memory at once."""

TABLES: Sequence[Table] = SQLModel.metadata.sorted_tables
"""All of them, each after those that it refers to."""


def table_with_rows(connection: Connection) -> str | None:
    """The name of one of our tables that holds anything, whatever version made it; else ``None``."""
    there = set(inspect(connection).get_table_names())
    for table in TABLES:
        anything = select(literal(1)).select_from(table).limit(1)
        if table.name in there and connection.execute(anything).first() is not None:
            return table.name
    return None


def emptied(connection: Connection) -> None:
    """Take out every row."""
    for table in reversed(TABLES):
        connection.execute(table.delete())


def carry_over(origin: Connection, copy: Connection) -> None:
    """Copy every row and have new ones counted from behind them; ``copy`` is empty and nothing is committed.

    Raises ``ConfigurationError`` where either database fails, and where the two do not agree afterwards.
    """
    for table in TABLES:
        with closing(_portions(origin, table)) as portions:
            for portion in portions:
                with failing_at(copy.engine):
                    copy.execute(insert(table), portion)
    if copy.dialect.name == "postgresql":
        with failing_at(copy.engine):
            _count_on(copy)
    _agree(counted(origin), counted(copy))


def _portions(origin: Connection, table: Table) -> Generator[list[Mapping[str, Any]]]:
    with failing_at(origin.engine):
        found = origin.execute(select(table), execution_options={"yield_per": PORTION}).mappings()
    with closing(found):
        portions = found.partitions()
        while True:
            with failing_at(origin.engine):
                portion: Sequence[RowMapping] | None = next(portions, None)
            if portion is None:
                return
            yield [dict(row) for row in portion]


def _count_on(copy: Connection) -> None:
    """Rows that were given their numbers have moved no sequence, and the next insert would meet the first."""
    behind = text(
        "SELECT setval(pg_get_serial_sequence(quote_ident(:name), :number), :highest) "
        "WHERE pg_get_serial_sequence(quote_ident(:name), :number) IS NOT NULL"
    )
    for table in TABLES:
        number = table.autoincrement_column
        if number is None:
            continue
        highest = copy.execute(select(func.coalesce(func.max(number), 0))).scalar_one()
        if highest > 0:
            copy.execute(behind, {"name": table.name, "number": number.name, "highest": highest})


def counted(connection: Connection) -> Mapping[str, int]:
    """How many rows each table holds."""
    with failing_at(connection.engine):
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in TABLES
        }


def _agree(origin: Mapping[str, int], copy: Mapping[str, int]) -> None:
    differ = [f"{name} ({rows} and {copy[name]})" for name, rows in origin.items() if copy[name] != rows]
    if differ:
        raise ConfigurationError(
            f"the copy of the ledger lacks rows of {', '.join(differ)}: nothing was moved; see that nothing "
            "else writes to the new database, and give the command again"
        )
