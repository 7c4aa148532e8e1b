"""The URL of a database, as SQLAlchemy reads it and as a person may see it."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError


def is_readable(url: str) -> bool:
    """Whether the URL can be read as it was meant: what follows an @ in a password is taken for the host."""
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        return False
    return "@" not in (parts.host or "")


def without_secrets(url: str | URL) -> str:
    """Where the database is: neither user nor password, which may hold any sign, nor options."""
    parts = make_url(url)
    where = URL.create(parts.drivername, host=parts.host, port=parts.port, database=parts.database)
    return where.render_as_string(hide_password=False)
