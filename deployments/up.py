"""``duebell up``: all of it on one machine, with real credentials, until Ctrl-C."""

from functools import partial

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from deployments.children import stop_signals
from deployments.installation import Installation, running
from deployments.terminal import complain, make_console, note
from duebell.errors import ConfigurationError
from duebell.ledger import tenants
from duebell.resources import open_resources
from duebell.setting_needs import Use
from duebell.settings import Settings, load

NEEDS = (Use.XERO, Use.XERO_WEBHOOKS, Use.TWILIO_WEBHOOKS, Use.SMS)
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
    open_resources(settings).close()
    with stop_signals() as stop_asked:
        with running(Installation(settings, {}, partial(note, console), stop_asked)) as installation:
            console.print(where(installation, settings))
            installation.stay()
            note(console, "stopping")
        note(console, "stopped")
    return 0


def where(installation: Installation, settings: Settings) -> Panel:
    """What a person has to know once it runs."""
    resources = open_resources(settings)
    waiting = [one.name for one in tenants.connected(resources.engine) if one.sending == "review"]
    resources.close()
    lines = [Text.assemble("Prefect's UI: ", (installation.prefect_api_url.removesuffix("/api"), "bold"))]
    if installation.login:
        lines.append(Text.assemble("It asks for a login: ", (installation.login, "bold")))
    lines += [
        Text.assemble("Xero's webhooks go to ", (f"{settings.public_url}/webhooks/xero", "bold")),
        Text(f"Logs and ledger: {settings.home}"),
    ]
    lines += [
        Text(f"{name} is in review and sends nothing: run `duebell go-live`", "yellow") for name in waiting
    ]
    return Panel(Text("\n").join(lines), title="Duebell is up. Ctrl-C stops all of it", expand=False)
