"""Statements that are built once and asked with other values each time.

To build a statement costs more than SQLite takes to answer it, and a message takes a hundred of them.
"""

from collections.abc import Callable
from functools import cache, wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec, TypeVar, TypeVarTuple, cast, overload

from sqlalchemy import BindParameter, CursorResult, Executable, ScalarResult, bindparam
from sqlalchemy.engine import TupleResult
from sqlalchemy.sql.dml import UpdateBase
from sqlmodel import Session
from sqlmodel.sql.expression import Select, SelectOfScalar

Values = ParamSpec("Values")
Found = TypeVar("Found")
Columns = TypeVarTuple("Columns")


@overload
def built_once(
    build: Callable[Values, SelectOfScalar[Found]],
) -> Callable[Concatenate[Session, Values], ScalarResult[Found]]: ...


@overload
def built_once(
    build: Callable[Values, Select[*Columns]],
) -> Callable[Concatenate[Session, Values], TupleResult[tuple[*Columns]]]: ...


@overload
def built_once(
    build: Callable[Values, UpdateBase],
) -> Callable[Concatenate[Session, Values], CursorResult[Any]]: ...


def built_once(build: Callable[..., Executable]) -> Callable[..., Any]:
    """Have what builds a statement ask it, with the session before its values.

    ``build`` is called once. Its arguments stand for the values of every later time, so it can write them
    into the statement and no more: compare a value that may be ``None`` in a statement of its own, for in SQL
    nothing equals it. What changes rows goes past the session, and rows that it has read stay as they were.
    """
    places = {name: f"given_{name}" for name in signature(build).parameters}

    @cache
    def built() -> Executable:
        given: dict[str, BindParameter[Any]] = {name: bindparam(place) for name, place in places.items()}
        return build(**given)

    @wraps(build)
    def ask(session: Session, *values: Any, **named: Any) -> Any:
        by_name = dict(zip(places, values, strict=False), **named)
        params = {place: by_name[name] for name, place in places.items()}
        statement = built()
        if isinstance(statement, UpdateBase):
            session.flush()
            return session.connection().execute(statement, params)
        return session.exec(cast("SelectOfScalar[Any]", statement), params=params)

    return ask
