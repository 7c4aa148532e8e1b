"""Connecting in the browser: a person consents on Xero's page, and chooses what Duebell is to watch."""

import os
import sys
import time
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployments.connect import told
from deployments.connect_listener import callback_taken
from deployments.connect_pace import pacing
from deployments.prefect_own import require_ours
from deployments.terminal import complain, note
from duebell.books.access import unpaced
from duebell.connecting import consent
from duebell.connecting.connecting import Offer, connect_one, named, offers
from duebell.connecting.consent import Asked, Consented
from duebell.errors import ConfigurationError, DuebellError
from duebell.ledger import consents, tenants
from duebell.resources import Resources

LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Choice:
    """What was said on the command line about which organisations to connect; nothing means: ask."""

    every: bool = False
    tenant_ids: tuple[str, ...] = ()


def connect_by_consent(console: Console, resources: Resources, choice: Choice) -> bool:
    """Ask a person, and connect what they choose; returns whether all of it was connected.

    Raises ``ConfigurationError`` where nothing can be connected, and what Xero's answers raise.
    """
    require_ours(resources.settings)  # before anybody is asked: a consent is used up once
    consented = consent_of_a_person(console, resources)
    offered = offers(resources, consented, unpaced)
    chosen = choose(console, offered, choice)
    whole = True
    with pacing(resources.settings) as pace_of:
        for one in chosen:
            connection = one.connection
            try:
                pace = pace_of(connection.tenant_id)
                note(console, told(connect_one(resources, connection, consented.token_set_id, pace)))
            except DuebellError as error:
                complain(console, f"{connection.tenant_name}: {error}")
                whole = False
    _say_what_follows(console, resources)
    return whole


def consent_of_a_person(console: Console, resources: Resources) -> Consented:
    """Show Xero's page, wait for the answer, and turn it into tokens.

    Raises ``ConfigurationError`` where nobody answers, or they say no.
    """
    with callback_taken(resources, lambda text: note(console, text)):
        asked = consent.ask(resources)
        url = asked.url.get_secret_value()
        # First, because a browser that cannot be opened may take its time to say so.
        console.print("Agree on Xero's page. If it does not open by itself, open this address in a browser:")
        console.print(Text(url), soft_wrap=True)  # in one piece, so that it can be copied
        open_page(url)
        wait_for_answer(resources, asked)
    return consent.redeem(resources, asked)


def open_page(url: str) -> None:
    """Open a browser where there is a screen: without one, Python takes a text browser of the terminal."""
    on_linux = sys.platform.startswith("linux")
    if not on_linux or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        webbrowser.open(url)


def wait_for_answer(resources: Resources, asked: Asked) -> None:
    """Return once the browser came back. Raises ``ConfigurationError`` where it takes too long."""
    while resources.clock() < asked.expires:
        if consents.is_answered(resources.engine, asked.state_hash):
            return
        time.sleep(LOOK_SECONDS)
    minutes = consent.OPEN_FOR.total_seconds() / 60
    raise ConfigurationError(
        f"no answer came within {minutes:.0f} minutes: run `duebell connect` again, and check that "
        f"{resources.settings.public_url} leads here"
    )


def choose(console: Console, offered: Sequence[Offer], choice: Choice) -> list[Offer]:
    """Which of them to connect. One alone is taken without asking. Raises ``ConfigurationError``."""
    if choice.tenant_ids:
        opened = [one.connection for one in offered]
        wanted = [named(opened, tenant_id, "consent").tenant_id for tenant_id in choice.tenant_ids]
        return [one for tenant_id in wanted for one in offered if one.connection.tenant_id == tenant_id]
    if choice.every or len(offered) == 1:
        return list(offered)
    console.print("The consent opens these organisations:")
    console.print(_table(offered))
    try:
        numbers = typer.prompt(
            "Which is Duebell to watch? Numbers with commas, or all",
            default=",".join(str(number) for number in suggested(offered)),
            value_proc=lambda said: numbers_in(said, len(offered)),
        )
    except typer.Abort as error:
        raise ConfigurationError(
            "nothing was chosen: run `duebell connect` again, with --all or --tenant ID if nobody can answer"
        ) from error
    return [offered[number - 1] for number in numbers]


def suggested(offered: Sequence[Offer]) -> list[int]:
    """The numbers that are offered as the answer: what was just added, else what is new, else everything."""
    numbered = list(enumerate(offered, start=1))
    added = [number for number, one in numbered if one.added]
    new = [number for number, one in numbered if not one.connected]
    return added or new or [number for number, _ in numbered]


def numbers_in(said: str, most: int) -> list[int]:
    """The numbers that a person typed. Raises ``typer.BadParameter``, upon which they are asked again."""
    if said.strip().lower() == "all":
        return list(range(1, most + 1))
    words = [word.strip() for word in said.split(",") if word.strip()]
    numbers = [int(word) for word in words if word.isascii() and word.isdigit() and 1 <= int(word) <= most]
    if not words or len(numbers) != len(words):
        raise typer.BadParameter(f"write numbers from 1 to {most} with commas between, or all")
    return list(dict.fromkeys(numbers))


def _table(offered: Sequence[Offer]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for number, one in enumerate(offered, start=1):
        remark = "connected" if one.connected else "just added" if one.added else ""
        table.add_row(
            Text(f"{number:>3}"),
            Text(one.connection.tenant_name),
            Text(one.connection.tenant_id, "dim"),
            remark,
        )
    return table


def _say_what_follows(console: Console, resources: Resources) -> None:
    for tenant in tenants.connected(resources.engine):
        if tenant.sending == "review":
            note(console, f"{tenant.name} is in review and sends nothing: `duebell go-live` lets it send")
