"""Which ledger failed, where a step has two of them open."""

from collections.abc import Generator
from contextlib import contextmanager

from psycopg.errors import InsufficientPrivilege, InvalidSchemaName
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError

from duebell.database_url import without_secrets
from duebell.errors import ConfigurationError
from duebell.ledger.engine import is_of_the_database
from duebell.ledger.failing import why_failing


@contextmanager
def failing_at(engine: Engine) -> Generator[None]:
    """Raises ``ConfigurationError`` with the place, in place of what this ledger's database raises inside."""
    try:
        yield
    except DatabaseError as error:
        where = without_secrets(engine.url)
        if isinstance(error.orig, InsufficientPrivilege | InvalidSchemaName):
            raise ConfigurationError(
                f"the user of the ledger at {where} may not do what is needed there: make that user the "
                "owner of the database, its schema and its tables"
            ) from error
        if isinstance(error, DataError | IntegrityError):
            # Each table has its own statement, and its name is all that may be told of the row.
            raise ConfigurationError(
                f"the ledger at {where} does not take a row ({type(error.orig).__name__} at: "
                f"{(error.statement or '').partition('(')[0].strip()}): nothing was changed there"
            ) from error
        if not is_of_the_database(error):
            raise
        raise ConfigurationError(f"the ledger at {where} failed: {why_failing(error)}") from error
