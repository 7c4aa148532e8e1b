"""``duebell up``: all of it on one machine, with real credentials, until Ctrl-C."""

from rich.console import Console
from rich.panel import Panel

from deployments.installation import Installation, running
from duebell.errors import ConfigurationError
from duebell.ledger import tenants
from duebell.resources import open_resources
from duebell.setting_needs import Use
from duebell.settings import Settings, load

NEEDS = (Use.XERO, Use.XERO_WEBHOOKS, Use.TWILIO_WEBHOOKS, Use.SMS)


def main() -> int:
    """Run until somebody asks to stop; returns the exit status."""
    console = Console(highlight=False)
    try:
        settings = load(uses=NEEDS)
        open_resources(settings).close()
        installation = Installation(settings, {}, lambda text: console.print(f"[dim]{text}[/]"))
        with running(installation):
            console.print(_where(installation, settings))
            installation.stay()
            console.print("[dim]stopping[/]")
    except ConfigurationError as error:
        console.print(f"[red]{error}[/]")
        return 1
    except KeyboardInterrupt:
        console.print("[dim]stopped[/]")
    return 0


def _where(installation: Installation, settings: Settings) -> Panel:
    """What a person has to know once it runs."""
    resources = open_resources(settings)
    waiting = [one.name for one in tenants.connected(resources.engine) if one.sending == "review"]
    resources.close()
    lines = [f"Prefect's UI: [bold]{installation.prefect_api_url.removesuffix('/api')}[/]"]
    if installation.login:
        lines.append(f"It asks for a login: [bold]{installation.login}[/]")
    lines += [
        f"Xero's webhooks go to [bold]{settings.public_url}/webhooks/xero[/]",
        f"Logs and ledger: {settings.home}",
    ]
    lines += [f"[yellow]{name} is in review and sends nothing: run `duebell go-live`[/]" for name in waiting]
    return Panel("\n".join(lines), title="Duebell is up", expand=False)
