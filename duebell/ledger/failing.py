"""Why the ledger's database fails, by the kind of failure: a driver's own text may hold users and values."""

import sqlite3
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DatabaseError, OperationalError

from duebell.errors import Transient

BUSY = "another process is writing to it: give the command again"
SAY_WHERE = "see DUEBELL_DATABASE_URL"
FOLDER = "see DUEBELL_DATABASE_URL and DUEBELL_HOME"
DISK = "its disk is full: make room, and give the command again"

OF_SQLITE: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_CANTOPEN: f"its folder is not there, or it may not be opened there: {FOLDER}",
    sqlite3.SQLITE_PERM: f"its file or folder may not be written: {FOLDER}",
    sqlite3.SQLITE_READONLY: f"its file or folder may not be written: {FOLDER}",
    sqlite3.SQLITE_NOTADB: f"its file is no SQLite database: {FOLDER}, or restore a backup",
    sqlite3.SQLITE_CORRUPT: "its file is damaged: restore a backup",
    sqlite3.SQLITE_FULL: DISK,
    sqlite3.SQLITE_IOERR: "its disk cannot be read or written: see that it is there and not full",
}

OF_EVERY_SORT = 0xFF
"""An extended code of SQLite's holds its sort in the lowest byte (sqlite.org/rescode.html)."""

AWAY = f"no server answers there: start it, or {SAY_WHERE}"
ENDED = "the server ended the connection: see that it runs, and give the command again"
NO_LOGIN = f"the server does not let this user and password in: {SAY_WHERE}"
CROWDED = "the server takes no more connections: give the command again, or raise its max_connections"
STARTING = "the server is starting or stopping: give the command again"

OF_POSTGRESQL: Mapping[str, str] = {
    "53100": DISK,
    "53300": CROWDED,
    "40P01": BUSY,
    "55P03": BUSY,
    "57P01": ENDED,
    "57P02": ENDED,
    "57P03": STARTING,
}
"""By SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html)."""

LOST_TO_ANOTHER = frozenset({"40P01", "55P03"})
"""A deadlock, which costs one of those in it, and a wait for a lock that took too long."""

BEFORE_A_STATE = (
    ("connection refused", AWAY),
    ("no such file or directory", AWAY),
    ("timeout expired", AWAY),
    ("no route to host", AWAY),
    ("network is unreachable", AWAY),
    ("failed to resolve host", f"no server of this name is known: {SAY_WHERE}"),
    ("authentication failed", NO_LOGIN),
    ("no password supplied", NO_LOGIN),
    ("no pg_hba.conf entry", NO_LOGIN),
    ("too many", CROWDED),
    ("remaining connection slots", CROWDED),
    ("the database system is", STARTING),
    ("closed the connection", ENDED),
    ("terminating connection", ENDED),
)
"""What libpq tells as words alone, because there is no SQLSTATE before there is a connection."""

UNKNOWN_THERE = (
    ('role "', f"the server knows no such user: make it there, or {SAY_WHERE}"),
    ('database "', f"the server has no such database: make it there, or {SAY_WHERE}"),
)
"""What does not exist, by how libpq begins to name it."""


@contextmanager
def tried_again() -> Generator[None]:
    """Raise ``Transient`` where a transaction was ended in favour of another's: nothing of it stands.

    Not around anything that is done elsewhere than in the ledger: that would be done twice.
    """
    try:
        yield
    except OperationalError as error:
        if isinstance(error.orig, psycopg.Error) and error.orig.sqlstate in LOST_TO_ANOTHER:
            raise Transient(f"the ledger: {BUSY}") from error
        raise


def why_failing(error: DatabaseError) -> str:
    """The reason and its mend, without what the driver quotes; for another kind, the kind alone."""
    cause = error.orig
    why = ""
    if isinstance(cause, sqlite3.Error):
        why = OF_SQLITE.get(getattr(cause, "sqlite_errorcode", -1) & OF_EVERY_SORT, "")
    elif isinstance(cause, psycopg.Error):
        why = OF_POSTGRESQL.get(cause.sqlstate or "", "") or _without_a_state(str(cause).casefold())
    return why or (
        f"{type(cause).__name__}. Check DUEBELL_DATABASE_URL, DUEBELL_HOME and that the folder or server can "
        "be written"
    )


def _without_a_state(told: str) -> str:
    if told.endswith("does not exist"):
        return next((why for sign, why in UNKNOWN_THERE if f"fatal:  {sign}" in told), "")
    return next((why for sign, why in BEFORE_A_STATE if sign in told), "")
