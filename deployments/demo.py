"""The demo: all of Duebell on this machine, against the built-in sandbox, with a home of its own."""

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from deployments.children import ROOT, Child, last_lines, module
from deployments.demo_story import play
from deployments.installation import Installation, running
from deployments.sandbox import credentials
from deployments.sandbox.control import SandboxControl
from duebell.errors import ConfigurationError
from duebell.ledger import tenants
from duebell.resources import open_resources
from duebell.settings import Settings, load

MARK = "made-by-the-demo"
"""A file in the demo's home, without which the folder is never emptied."""

PREFECT_PORT, LISTEN = "4201", "127.0.0.1:8788"
START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the demo lives: its settings, and what its processes see."""

    settings: Settings
    environment: dict[str, str]
    sandbox: SandboxControl


def run_demo(console: Console, *, stay: bool = True) -> None:
    """Play the story, and stay up until Ctrl-C. Raises ``ConfigurationError`` where it cannot start."""
    home = fresh_home()
    listen = os.environ.get("DUEBELL_LISTEN", LISTEN)
    sandbox = start_sandbox(home, f"http://{listen}/webhooks/xero")
    try:
        demo = prepared(home, listen, sandbox_url(sandbox))
        installation = Installation(
            demo.settings, demo.environment, lambda text: console.print(f"[dim]{text}[/]")
        )
        with running(installation):
            _let_it_send(demo)
            play(console, installation, demo.settings, demo.sandbox)
            if stay:
                installation.stay()
            console.print("[dim]stopping[/]")
    finally:
        sandbox.stop()


def fresh_home() -> Path:
    """An empty folder for this run of the demo: a sandbox begins anew, so must the ledger beside it."""
    chosen = Path(os.environ.get("DUEBELL_HOME", "~/.duebell")).expanduser() / "demo"
    try:
        if chosen.exists():
            if not (chosen / MARK).is_file():
                raise ConfigurationError(
                    f"{chosen} was not made by the demo: move it away, or set DUEBELL_HOME"
                )
            shutil.rmtree(chosen)
        chosen.mkdir(parents=True)
        (chosen / MARK).touch()
    except OSError as error:
        raise ConfigurationError(
            f"the demo's folder {chosen} cannot be written ({error.strerror}): set DUEBELL_HOME to a folder "
            "that this user may write to"
        ) from error
    return chosen


def start_sandbox(home: Path, webhook_url: str) -> Child:
    """The stand-in for Xero and Twilio, as a process of its own."""
    command = module("deployments.sandbox", "--webhook-url", webhook_url)
    sandbox = Child("sandbox", command, {}, home / "logs")
    sandbox.start()
    return sandbox


def sandbox_url(sandbox: Child) -> str:
    """Where it listens, as it says on its first line."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        first = next(iter(last_lines(sandbox.log).splitlines()), "")
        if first.startswith("{"):
            return str(json.loads(first)["base_url"])
        if sandbox.pid is None:
            break
        time.sleep(0.05)
    raise ConfigurationError(f"the sandbox could not start:\n{last_lines(sandbox.log)}")


def prepared(home: Path, listen: str, url: str) -> Demo:
    """The demo's settings. Every variable is the demo's own: nothing of a `.env` or of live is seen."""
    port = os.environ.get("PREFECT_SERVER_API_PORT", PREFECT_PORT)
    environment = {
        "DUEBELL_ENV_FILE": "none",
        "DUEBELL_HOME": str(home),
        "DUEBELL_LISTEN": listen,
        "DUEBELL_PUBLIC_URL": f"http://{listen}",
        "DUEBELL_POLICY": str(ROOT / "deployments" / "demo_policy.toml"),
        "PREFECT_SERVER_API_PORT": port,
        "XERO_CLIENT_ID": credentials.XERO_CLIENT_ID,
        "XERO_CLIENT_SECRET": credentials.XERO_CLIENT_SECRET,
        "XERO_GRANT": "client_credentials",
        "XERO_WEBHOOK_KEYS": credentials.XERO_WEBHOOK_KEY,
        "XERO_API_URL": url,
        "XERO_IDENTITY_URL": url,
        "XERO_LOGIN_URL": url,
        "TWILIO_ACCOUNT_SID": credentials.TWILIO_ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": credentials.TWILIO_AUTH_TOKEN,
        "TWILIO_FROM": credentials.TWILIO_FROM,
        "TWILIO_API_URL": url,
        "TWILIO_ACCOUNTS_URL": url,
        "TWILIO_COMMS_URL": url,
    }
    return Demo(load(environment, env_file=None), environment, SandboxControl(url))


def _let_it_send(demo: Demo) -> None:
    """A tenant starts in review; the demo is its person who says go."""
    resources = open_resources(demo.settings)
    for tenant in tenants.connected(resources.engine):
        tenants.go_live(
            resources.engine, tenant.tenant_id, "person:demo", release_held=False, now=resources.clock()
        )
    resources.close()


def without_ours() -> None:
    """Take every variable of a live installation out of this process, and so out of its children."""
    for name in list(os.environ):
        if name.startswith(("XERO_", "TWILIO_", "EMAIL_", "SENDGRID_", "PREFECT_API_")) or name in {
            "DUEBELL_DATABASE_URL",
            "DUEBELL_ENCRYPTION_KEYS",
            "DUEBELL_POLICY",
            "DUEBELL_TEMPLATES",
            "DUEBELL_SENDING",
            "DUEBELL_PUBLIC_URL",
        }:
            del os.environ[name]


def main(*, stay: bool) -> int:
    """``duebell demo``; returns the exit status."""
    console = Console(highlight=False)
    without_ours()
    try:
        run_demo(console, stay=stay)
    except ConfigurationError as error:
        console.print(f"[red]{error}[/]", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("[dim]stopped[/]")
    except subprocess.SubprocessError as error:
        console.print(f"[red]a process could not be started ({type(error).__name__})[/]")
        return 1
    return 0
