"""Prefect's own command line, with two differences: who may ask its server, and how it begins on SQLite.

A page on the internet can have its own name point at this machine, and then the browser takes Prefect's
server for a part of that page (DNS rebinding). So only what asks for a name of an operator's is answered.

On SQLite a transaction takes the write lock first. Prefect 3.8 begins them deferred, so that one which reads
and then writes fails at once when another has written in between (sqlite.org/lang_transaction.html). Its
interface then answers 503, and whoever asked waits about two seconds before asking again: those are the
seconds between an event and its message.
"""

import os
import sys
from contextlib import AbstractAsyncContextManager
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from prefect.cli import app
from prefect.server.api import server
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction
from starlette.middleware.trustedhost import TrustedHostMiddleware

# How Prefect's server asks itself, over no network, for what its automations do
# (prefect/server/api/clients.py). No page on the internet can bear a name without a dot.
ITSELF = ("prefect-in-memory", "ephemeral-prefect")

# Where an operator serves Prefect's UI under another name, one of these has to hold that name anyway.
NAMES_IN = ("PREFECT_SERVER_UI_API_URL", "PREFECT_UI_API_URL", "PREFECT_API_URL")


def begin_with_the_write_lock() -> None:
    """Have every transaction of the server begin as those that Prefect itself opens for update."""
    begin = AioSqliteConfiguration.begin_transaction

    def at_once(
        self: AioSqliteConfiguration, session: AsyncSession, **_wish: bool
    ) -> AbstractAsyncContextManager[AsyncSessionTransaction]:
        return begin(self, session, with_for_update=True)

    # Set by its name: Prefect offers no setting for it, and its own type admits no other function there.
    setattr(AioSqliteConfiguration, begin.__name__, at_once)


def answer_to_known_names_alone() -> None:
    """Have the server refuse whatever was asked of another name than this machine's, sockets too."""
    create, names = server.create_app, known_names()

    @wraps(create)
    def guarded(*args: Any, **kwargs: Any) -> FastAPI:
        made = create(*args, **kwargs)
        if not any(one.cls is TrustedHostMiddleware for one in made.user_middleware):
            made.add_middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)
        return made

    setattr(server, create.__name__, guarded)


def known_names() -> list[str]:
    """The names under which Prefect's server may be asked."""
    given = {urlsplit(os.environ.get(variable, "")).hostname for variable in NAMES_IN}
    return sorted({"127.0.0.1", "localhost", *ITSELF} | {name for name in given if name})


if __name__ == "__main__":
    begin_with_the_write_lock()
    answer_to_known_names_alone()
    sys.exit(app())
