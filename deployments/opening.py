"""What a command opens: the ledger and the clients of this installation."""

from collections.abc import Generator
from contextlib import contextmanager

import typer

from deployments.terminal import complain, make_console
from duebell.errors import ConfigurationError, DuebellError
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
