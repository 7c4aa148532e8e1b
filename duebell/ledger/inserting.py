"""Inserting what is not there yet, though others may be inserting the same.

SQLAlchemy would compile ON CONFLICT anew each time, which costs more than the insert: what its dialects make
of it takes no part in the cache (``inherit_cache = False`` in ``sqlalchemy.dialects``). So it is kept here.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import TextClause, bindparam, inspect, text
from sqlalchemy.dialects.sqlite import dialect, insert
from sqlmodel import Session, SQLModel


def insert_missing(session: Session, rows: Sequence[SQLModel]) -> None:
    """Add the rows of one table whose keys are not there yet, though others may be adding them as well.

    Give the rows in the order of their keys: two transactions that add the same in two orders would wait for
    each other.
    """
    if rows:
        table: Any = type(rows[0])
        values = [row.model_dump() for row in rows]
        session.connection().execute(_insert(table, tuple(values[0])), values)


def insert_new(session: Session, table: type[Any], values: Mapping[str, Any]) -> Any | None:
    """Add a row, and return its primary key; ``None`` where one with such a key is there already."""
    statement = _insert(table, tuple(values), returns_key=True)
    return session.connection().execute(statement, dict(values)).scalar_one_or_none()


@cache
def _insert(table: Any, names: tuple[str, ...], *, returns_key: bool = False) -> TextClause:
    mapped = inspect(table).local_table
    left_out = {one.name: one.default.arg for one in mapped.columns if one.default and one.name not in names}
    statement = insert(table).on_conflict_do_nothing()
    if returns_key:
        statement = statement.returning(*mapped.primary_key.columns)
    # SQLite and PostgreSQL say it in the same words.
    said = statement.compile(dialect=dialect(paramstyle="named"), column_keys=[*names, *left_out])
    given = [bindparam(one, type_=mapped.columns[one].type) for one in names]
    default = [bindparam(one, value, mapped.columns[one].type) for one, value in left_out.items()]
    return text(str(said)).bindparams(*given, *default)
