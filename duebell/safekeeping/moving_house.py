"""A ledger moves to another database, with all that it knows: nobody is told twice, and a STOP stands.

The order is what makes it safe, wherever it is cut off. While nobody else can read or write the ledger, the
copy is made and marked as not in force, so that it sends nothing. Then the ledger is marked as moved, for
good. Only then is the copy's mark taken off. Given again, the command goes on where it was cut off: a copy
that is not in force was used by nobody, and is made anew.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError
from sqlmodel import Session

from duebell.clock import Clock
from duebell.database_url import without_secrets
from duebell.errors import ConfigurationError
from duebell.failpoints import fail_point
from duebell.ledger import carrying_over, moved, trail
from duebell.ledger.alone import lock_out_others, opened_alone
from duebell.ledger.engine import migrate, open_ledger, reading
from duebell.ledger.failing_at import failing_at
from duebell.ledger.writing import writing

IDENTITY = text(
    "SELECT (SELECT system_identifier FROM pg_control_system()), oid, current_schema() "
    "FROM pg_database WHERE datname = current_database()"
)


def move_house(from_url: str, to_url: str, by: str, clock: Clock) -> int:
    """Move a ledger, with every row and its audit trail; returns how many rows.

    ``by`` is who asked for it, for the audit trail. Raises ``ConfigurationError``, and has moved nothing
    then, where the ledger is not there, is in use, is empty, was moved before or has a broken trail, and
    where the new database is the same, holds anything, cannot be reached or may not be written.
    """
    _refuse_same_file(from_url, to_url)
    with opened_alone(from_url) as ledger, _opened(to_url) as copy:
        _refuse_same_database(ledger, copy)
        with failing_at(ledger):
            migrate(ledger)
        _make_ready(ledger, copy)
        if not _lacks_its_last_step(ledger, copy):
            _carry(ledger, copy, by, clock)
        fail_point("before-the-copy-is-in-force")
        with failing_at(copy), writing(copy, clock()) as book:
            # All but the mark, which is its own.
            rows = sum(carrying_over.counted(book.session.connection()).values()) - 1
            moved.is_in_force(book, without_secrets(ledger.url), rows, by)
    return rows


def _carry(ledger: Engine, copy: Engine, by: str, clock: Clock) -> None:
    """Make the copy, and mark the ledger as moved once all of it is there and holds."""
    with failing_at(ledger), writing(ledger, clock()) as leaving:
        lock_out_others(leaving.session.connection())
        _refuse_unfit(leaving.session)
        with failing_at(copy), writing(copy, clock()) as arriving:
            _make_room(leaving.session, arriving.session)
            carrying_over.carry_over(leaving.session.connection(), arriving.session.connection())
            _require_whole_trail(arriving.session)
            moved.arrives(arriving, without_secrets(ledger.url), by)
            arriving.session.flush()
            fail_point("before-the-copy-commits")
        fail_point("before-the-ledger-is-marked")
        moved.leaves(leaving, without_secrets(copy.url), by)


@contextmanager
def _opened(url: str) -> Generator[Engine]:
    engine = open_ledger(url, stands_still=0)
    try:
        with failing_at(engine), engine.begin():
            pass
        yield engine
    finally:
        engine.dispose()


def _refuse_same_file(from_url: str, to_url: str) -> None:
    origin, copy = make_url(from_url), make_url(to_url)
    if {origin.get_backend_name(), copy.get_backend_name()} != {"sqlite"}:
        return
    if Path(origin.database or "").resolve() == Path(copy.database or "").resolve():
        raise _same(from_url)


def _refuse_same_database(ledger: Engine, copy: Engine) -> None:
    """A server has many names, and one of its databases has one number."""
    if {ledger.dialect.name, copy.dialect.name} == {"postgresql"} and _identity(ledger) == _identity(copy):
        raise _same(ledger.url.render_as_string(hide_password=False))


def _identity(engine: Engine) -> Row[Any] | tuple[object, ...]:
    try:
        with failing_at(engine), engine.connect() as connection:
            return connection.execute(IDENTITY).one()
    except (ConfigurationError, ProgrammingError):  # some hosts let nobody ask the server who it is
        return (engine.url.host, engine.url.port, engine.url.database)


def _same(url: str) -> ConfigurationError:
    return ConfigurationError(f"the ledger is at {without_secrets(url)} already: name another database")


def _is_copy_of(origin: Session, copy: Session) -> bool:
    """Whether it is an unfinished copy of this ledger, which nobody has used."""
    return bool(moved.marks(copy).arriving_from) and trail.origin(copy) == trail.origin(origin)


def _make_ready(ledger: Engine, copy: Engine) -> None:
    """Bring the new database to the newest schema; one that holds anything else is left as it is."""
    with failing_at(copy), copy.connect() as connection:
        name = carrying_over.table_with_rows(connection)
        is_unfinished = moved.is_unfinished(connection)
    if not is_unfinished:
        with failing_at(ledger), reading(ledger) as session:
            _refuse_unfit(session)
        if name is not None:
            raise _not_empty(copy, name)
    with failing_at(copy):
        migrate(copy)


def _lacks_its_last_step(ledger: Engine, copy: Engine) -> bool:
    """Whether the move was cut off when the ledger was marked already, and the copy not yet in force."""
    with failing_at(ledger), reading(ledger) as origin, failing_at(copy), reading(copy) as copied:
        is_marked = moved.marks(origin).away_to == without_secrets(copy.url)
        return is_marked and _is_copy_of(origin, copied)


def _refuse_unfit(session: Session) -> None:
    where, marks = _where(session), moved.marks(session)
    if marks.away_to:
        raise ConfigurationError(
            f"the ledger at {where} was moved to {marks.away_to} before: set DUEBELL_DATABASE_URL to that one"
        )
    if marks.arriving_from:
        raise ConfigurationError(
            f"the ledger at {where} is an unfinished copy of the one at {marks.arriving_from}: move that one"
        )
    if not trail.origin(session):
        raise ConfigurationError(f"the ledger at {where} is empty: there is nothing to move")


def _make_room(origin: Session, copy: Session) -> None:
    """Take an unfinished copy away. What came into the new database meanwhile stays, and nothing is moved."""
    name = carrying_over.table_with_rows(copy.connection())
    if name is None:
        return
    if not _is_copy_of(origin, copy):
        raise _not_empty(copy.connection().engine, name)
    carrying_over.emptied(copy.connection())
    copy.expire_all()


def _require_whole_trail(copy: Session) -> None:
    broken = trail.first_break_of(copy)
    if broken is not None:
        raise ConfigurationError(
            f"the trail was changed at entry {broken}: restore the ledger from a backup before it is moved"
        )


def _where(session: Session) -> str:
    return without_secrets(session.connection().engine.url)


def _not_empty(copy: Engine, name: str | None) -> ConfigurationError:
    return ConfigurationError(
        f"the database at {without_secrets(copy.url)} is not empty (there are rows in its table {name}), and "
        "is left as it is: name a new one"
    )
