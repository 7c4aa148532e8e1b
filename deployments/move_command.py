"""``duebell move-ledger``: the ledger moves to another database, as when a firm has outgrown SQLite."""

from typing import Annotated

import typer
from rich.text import Text

from deployments.opening import by_whom, mistakes_in_a_sentence
from deployments.terminal import make_console, note
from duebell.clock import system_clock
from duebell.database_url import without_secrets
from duebell.errors import ConfigurationError
from duebell.safekeeping.moving_house import move_house
from duebell.setting_ledger import load_for_ledger, readable_url


def move_ledger(
    to: Annotated[
        str,
        typer.Option("--to", metavar="URL", help="the new database; without it, DUEBELL_DATABASE_URL"),
    ] = "",
    origin: Annotated[
        str,
        typer.Option("--from", metavar="URL", help="the ledger as it is; without it, DUEBELL_DATABASE_URL"),
    ] = "",
) -> None:
    """Move the ledger to another, empty database, with all that it knows. Stop `duebell up` before.

    With DUEBELL_DATABASE_URL set to the new database, --from is enough, and no password stands in a command.
    """
    console = make_console()
    with mistakes_in_a_sentence():
        if not origin and not to:
            raise ConfigurationError(
                "it is not said where the ledger moves: say --to with the URL of the new database, or set "
                "DUEBELL_DATABASE_URL to that and say --from with the URL of the old one"
            )
        from_url, to_url = _meant(origin, "--from"), _meant(to, "--to")
        where = without_secrets(to_url)
        note(console, f"moving the ledger at {without_secrets(from_url)} to {where}")
        console.print(_told(move_house(from_url, to_url, by_whom(), system_clock), where))


def _told(rows: int, where: str) -> Text:
    return Text(
        f"{rows} rows were moved, and the audit trail is whole. The old ledger sends nothing any more.\n"
        f"Now let DUEBELL_DATABASE_URL name the ledger at {where}, and start Duebell again. The old one "
        "holds people's data: delete it once the new one has a backup."
    )


def _meant(given: str, option: str) -> str:
    """The URL that was given, or that of the settings. Raises ``ConfigurationError``."""
    if given:
        return readable_url(given, option).get_secret_value()
    found = load_for_ledger()
    if found.is_in_doubt:
        faults = "".join(f"\n- {one}" for one in found.faults)
        raise ConfigurationError(
            f"where the ledger is cannot be told before the settings are mended:{faults}"
        )
    return found.settings.database_url.get_secret_value()
