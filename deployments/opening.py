"""What a command opens: the ledger and the clients of this installation."""

from collections.abc import Generator
from contextlib import contextmanager

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
        resources = open_resources(load())
        try:
            yield resources
        finally:
            resources.close()
    except (ConfigurationError, DuebellError) as error:
        complain(make_console(), error)
        raise typer.Exit(1) from error
    except DatabaseError as error:
        if not is_of_the_database(error):
            raise
        complain(make_console(), _failed(error))
        raise typer.Exit(1) from error


def _failed(error: DatabaseError) -> str:
    why = " ".join(str(error.orig).split())
    return (
        f"the ledger failed: {why}. See that its disk is not full, or that its server answers "
        "(DUEBELL_DATABASE_URL, DUEBELL_HOME), and give the command again"
    )
