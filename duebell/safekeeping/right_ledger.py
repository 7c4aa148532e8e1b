"""Whether the ledger that the settings name is the one that was meant.

An empty database beside a ledger with a history is none: it knows neither whom it told nor who said STOP.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session, select

from duebell.database_url import without_secrets
from duebell.errors import ConfigurationError
from duebell.ledger import moved, trail
from duebell.ledger.engine import reading
from duebell.ledger.tables import Notification, Tenant
from duebell.ledger.turns import OF_EVERY_SORT
from duebell.safekeeping.journal import Journal
from duebell.settings import Settings

OWN_FILE = "duebell.db"
REMEMBERED = ("SELECT 1 FROM notification LIMIT 1", "SELECT 1 FROM preference LIMIT 1")
"""Whether anybody was told anything, and whether anybody wants nothing."""


def refuse_another(settings: Settings, engine: Engine, journal: Journal) -> None:
    """Raise ``ConfigurationError`` where nothing may be sent by what this ledger says.

    It was moved away, it is a copy that was not finished, or it is empty although this home has a ledger with
    a history, or a side journal of messages that another one knows.
    """
    where = without_secrets(engine.url)
    with reading(engine) as session:
        marks = moved.marks(session)
        is_empty, origin = _is_empty(session), trail.origin(session)
    if marks.away_to:
        raise ConfigurationError(
            f"the ledger at {where} was moved to {marks.away_to}: set DUEBELL_DATABASE_URL to that one"
        )
    if marks.arriving_from:
        raise ConfigurationError(
            f"the ledger at {where} is an unfinished copy of the one at {marks.arriving_from}: give "
            "`duebell move-ledger` again"
        )
    if is_empty:
        _refuse_beside(engine, settings.home / OWN_FILE)
        _refuse_unknown(where, journal, origin)


def _is_empty(session: Session) -> bool:
    found = (select(Tenant.tenant_id).limit(1), select(Notification.notification_id).limit(1))
    return all(session.exec(one).first() is None for one in found)


def _refuse_beside(engine: Engine, own: Path) -> None:
    is_own = engine.dialect.name == "sqlite" and Path(engine.url.database or "").resolve() == own.resolve()
    if is_own or not _remembers(own):
        return
    raise ConfigurationError(
        f"the ledger at {without_secrets(engine.url)} is empty, and the one in {own} knows whom it told: "
        f"`duebell move-ledger --from sqlite:///{own.as_posix()}` moves it there. Where another was meant, "
        f"mend DUEBELL_DATABASE_URL; to begin anew, take {own} away"
    )


def _remembers(file: Path) -> bool:
    """Whether a ledger in this file holds anything that must not be forgotten. The file is left as it is."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            return any(connection.execute(asked).fetchone() for asked in REMEMBERED)
    except sqlite3.Error as error:  # no file, no database, none of ours; or it is being moved right now
        return getattr(error, "sqlite_errorcode", 0) & OF_EVERY_SORT == sqlite3.SQLITE_BUSY


def _refuse_unknown(where: str, journal: Journal, origin: str) -> None:
    if journal.knows_another_than(origin):
        raise ConfigurationError(
            f"the ledger at {where} is empty, and the side journal in {journal.folder} knows messages of "
            "another one: set DUEBELL_DATABASE_URL to that one, or restore it from a backup. To begin anew, "
            f"take {journal.folder} away"
        )
