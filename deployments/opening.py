"""What a command opens: the ledger and the clients of this installation; and who gives it."""

import getpass
from collections.abc import Generator
from contextlib import closing, contextmanager

import typer
from sqlalchemy.exc import DatabaseError

from deployments.terminal import complain, make_console
from duebell.database_url import without_secrets
from duebell.errors import ConfigurationError, DuebellError
from duebell.ledger.engine import is_of_the_database
from duebell.ledger.failing import why_failing
from duebell.resources import Resources, open_ledger_alone, open_resources
from duebell.setting_ledger import load_for_ledger
from duebell.settings import load


@contextmanager
def opened() -> Generator[Resources]:
    """The ledger and the clients of this installation; a mistake is told in a sentence, with exit 1."""
    with mistakes_in_a_sentence(), closing(open_resources(load())) as resources:
        yield resources


@contextmanager
def opened_ledger() -> Generator[Resources]:
    """The ledger alone, for the brake and for reading: what else is wrong in the settings is a remark.

    Where the ledger may be another than the one that was meant, that is told at the end, with exit 1.
    """
    with mistakes_in_a_sentence():
        found = load_for_ledger()
        if found.faults:
            faults = "".join(f"\n- {one}" for one in found.faults)
            complain(make_console(), f"The settings have to be mended for anything but this:{faults}")
        with closing(open_ledger_alone(found.settings, is_faulty=bool(found.faults))) as resources:
            yield resources
            where = without_secrets(resources.engine.url)
        if found.is_in_doubt:
            raise ConfigurationError(
                f"That was the ledger at {where}. Whether it is the one that was meant cannot be told before "
                "the settings are mended, or DUEBELL_DATABASE_URL is set: if it is not, nothing was done"
            )


@contextmanager
def mistakes_in_a_sentence() -> Generator[None]:
    """What was wrong inside is told in a sentence, and the command ends with exit 1."""
    try:
        with ledger_in_words():
            yield
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
        raise ConfigurationError(f"the ledger failed: {why_failing(error)}") from error
