"""``duebell up``: all of it on one machine, with real credentials, until Ctrl-C."""

import os
from collections.abc import Mapping
from contextlib import closing
from functools import partial

from rich.console import Console
from rich.panel import Panel
from rich.text import Text
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from deployments.children import stop_signals
from deployments.installation import Installation, Say, running
from deployments.opening import ledger_in_words
from deployments.terminal import complain, make_console, note
from duebell.errors import ConfigurationError
from duebell.ledger import tenants
from duebell.resources import Resources, open_resources
from duebell.setting_needs import Use
from duebell.setting_sources import CHOICE_OF_FILE, chosen_everywhere
from duebell.settings import Settings, load

NEEDS = (Use.XERO, Use.XERO_WEBHOOKS, Use.TWILIO_WEBHOOKS, Use.SMS, Use.EMAIL_WHERE_ON)
INTERRUPTED = 130


def main() -> int:
    """Run until somebody asks to stop; returns the exit status."""
    console = make_console()
    try:
        return run_up(console)
    except (ConfigurationError, OSError) as error:
        complain(console, error)
        return 1
    except KeyboardInterrupt:
        note(console, "stopped before it was up")
        return INTERRUPTED


def run_up(console: Console) -> int:
    """Run until somebody asks to stop. Raises ``ConfigurationError`` where it cannot start."""
    settings = load(uses=NEEDS)
    say = partial(note, console)
    with closing(open_resources(settings)) as resources, stop_signals() as stop_asked:
        wanted = Installation(settings, for_children(settings), say, stop_asked)
        with running(wanted) as installation, ledger_in_words():
            newcomers = Newcomers(resources.engine, say)
            console.print(where(installation, settings, resources))
            installation.stay(newcomers.look)
            note(console, "stopping")
        note(console, "stopped")
    return 0


def for_children(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What lets the children, who run in the checkout, find the files that we found in our folder."""
    return {
        CHOICE_OF_FILE: chosen_everywhere(environ),
        "DUEBELL_POLICY": str(settings.policy),
        "DUEBELL_TEMPLATES": str(settings.templates),
    }


class Newcomers:
    """Says which organisations were connected while Duebell runs; nothing has to be restarted for them."""

    def __init__(self, engine: Engine, say: Say) -> None:
        self._engine = engine
        self._say = say
        self._known = self._synced().keys()

    def look(self) -> None:
        """Say who has come since the last look. A ledger that cannot be read now is looked at again later."""
        try:
            synced = self._synced()
        except SQLAlchemyError:
            return
        for tenant_id in synced.keys() - self._known:
            self._say(f"{synced[tenant_id]} is connected, and watched from now on")
        self._known = synced.keys()

    def _synced(self) -> dict[str, str]:
        return {one.tenant_id: one.name for one in tenants.connected(self._engine) if one.synced_at}


def where(installation: Installation, settings: Settings, resources: Resources) -> Panel:
    """What a person has to know once it runs."""
    connected = tenants.connected(resources.engine)
    waiting = [one.name for one in connected if one.sending == "review"]
    lines = [Text.assemble("Prefect's UI: ", (installation.prefect_api_url.removesuffix("/api"), "bold"))]
    if installation.login:
        lines.append(Text.assemble("It asks for a login: ", (installation.login, "bold")))
    lines += [
        Text.assemble("Xero's webhooks go to ", (f"{settings.public_url}/webhooks/xero", "bold")),
        Text(f"Logs and ledger: {settings.home}"),
    ]
    if not connected:
        lines.append(Text("Next: run `duebell connect` in another terminal", "yellow"))
    lines += [
        Text(f"{name} is in review and sends nothing: run `duebell go-live`", "yellow") for name in waiting
    ]
    return Panel(Text("\n").join(lines), title="Duebell is up. Ctrl-C stops all of it", expand=False)
