"""What a command opens: the ledger and the clients of this installation; and who gives it."""

import getpass
from collections.abc import Generator
from contextlib import closing, contextmanager

import typer
from sqlalchemy.exc import DatabaseError

from deployments.terminal import complain, make_console
from duebell.errors import ConfigurationError, DuebellError
from duebell.ledger.engine import is_of_the_database
from duebell.resources import Resources, open_resources
from duebell.settings import load


@contextmanager
def opened() -> Generator[Resources]:
    """The ledger and the clients of this installation; a mistake is told in a sentence, with exit 1."""
    try:
        with ledger_in_words(), closing(open_resources(load())) as resources:
            yield resources
    except (ConfigurationError, DuebellError) as error:
        complain(make_console(), error)
        raise typer.Exit(1) from error


def by_whom() -> str:
    """Who gives the command, for the audit trail."""
    return f"person:{getpass.getuser()}"


@contextmanager
def ledger_in_words() -> Generator[None]:
    """Raises ``ConfigurationError`` where the ledger fails inside: its disk is full, its server is gone."""
    try:
        yield
    except DatabaseError as error:
        if not is_of_the_database(error):
            raise
        why = " ".join(str(error.orig).split())
        raise ConfigurationError(
            f"the ledger failed: {why}. See that its disk is not full, or that its server answers "
            "(DUEBELL_DATABASE_URL, DUEBELL_HOME), and give the command again"
        ) from error
