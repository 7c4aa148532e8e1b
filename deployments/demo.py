"""The demo: all of Duebell on this machine, against the built-in sandbox, with a home of its own."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Generator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from deployments.children import ROOT, Child, StopAsked, last_lines, module, stop_signals
from deployments.demo_story import play, where_to_look
from deployments.installation import Installation, running
from deployments.sandbox import credentials
from deployments.sandbox.control import SandboxControl
from deployments.starting import started
from deployments.terminal import complain, make_console, note
from deployments.up import INTERRUPTED
from duebell.email.sendgrid_events import EVENTS_PATH
from duebell.errors import ConfigurationError
from duebell.ledger import tenants
from duebell.resources import open_resources
from duebell.settings import Settings, load

MARK = "made-by-the-demo"
"""A file in the demo's home, without which the folder is never emptied. A running demo holds its lock."""

PREFECT_PORT, LISTEN = "4201", "127.0.0.1:8788"
OF_LIVE = ("DUEBELL_", "XERO_", "TWILIO_", "EMAIL_", "SENDGRID_", "PREFECT_")
KEPT = {
    "DUEBELL_HOME",
    "DUEBELL_LISTEN",
    "PREFECT_SERVER_API_PORT",
    "PREFECT_LOGGING_LEVEL",
    "PREFECT_SERVER_LOGGING_LEVEL",
}


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the demo lives: its settings, and what its processes see."""

    settings: Settings
    environment: dict[str, str]
    sandbox: SandboxControl


def main(*, stay: bool) -> int:
    """``duebell demo``; returns the exit status. Without ``stay`` it ends with the story."""
    console = make_console()
    without_live(os.environ)
    try:
        with stop_signals() as stop_asked:
            told = run_demo(console, stop_asked, stay=stay)
            note(console, "stopped")
            if not told:
                return INTERRUPTED if stop_asked.asked.is_set() else 1
    except (ConfigurationError, OSError) as error:
        complain(console, error)
        return 1
    except KeyboardInterrupt:
        note(console, "stopped before it was up")
        return INTERRUPTED
    return 0


def run_demo(console: Console, stop_asked: StopAsked, *, stay: bool) -> bool:
    """Play the story, and stay up until somebody asks to stop; returns whether the story was told.

    Raises ``ConfigurationError`` where it cannot start.
    """
    console.print(Text("Duebell's demo: an invoice is approved in Xero, its customer gets one SMS.", "bold"))
    note(console, "Xero and Twilio are played by a sandbox on this machine: nothing leaves it.")
    began = time.monotonic()
    with fresh_home() as home:
        listen = os.environ.get("DUEBELL_LISTEN", LISTEN)
        sandbox = start_sandbox(home, f"http://{listen}")
        try:
            demo = prepared(home, listen, sandbox_url(sandbox))
        except BaseException:
            sandbox.stop(1.0)
            raise
        installation = Installation(
            demo.settings, demo.environment, partial(note, console), stop_asked, [sandbox]
        )
        with running(installation):
            _let_it_send(demo)
            note(console, f"all of it is up after {time.monotonic() - began:.0f} s")
            told = play(console, installation, demo.settings, demo.sandbox)
            if stay and not stop_asked.asked.is_set():
                console.print(where_to_look(installation, demo.settings))
                installation.stay()
            note(console, "stopping")
        return told


@contextmanager
def fresh_home() -> Generator[Path]:
    """An empty folder for this run of the demo: a sandbox begins anew, so must the ledger beside it.

    Raises ``ConfigurationError`` where it cannot be written, is not the demo's, or another demo is using it.
    """
    chosen = Path(os.environ.get("DUEBELL_HOME") or "~/.duebell").expanduser() / "demo"
    if not chosen.is_absolute():
        raise ConfigurationError(f"DUEBELL_HOME {chosen.parent} is not a whole path: begin it with / or ~")
    with ExitStack() as kept:
        try:
            if chosen.exists() and not (chosen / MARK).is_file():
                raise ConfigurationError(
                    f"{chosen} was not made by the demo: move it away, or set DUEBELL_HOME"
                )
            chosen.mkdir(parents=True, exist_ok=True)
            _lock(kept.enter_context((chosen / MARK).open("w")).fileno(), chosen)
            _empty(chosen)
        except OSError as error:
            raise ConfigurationError(
                f"the demo's folder {chosen} cannot be written ({error.strerror}): set DUEBELL_HOME to a "
                "folder that this user may write to"
            ) from error
        yield chosen


def _lock(descriptor: int, home: Path) -> None:
    """Hold the home until this process ends, however it ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigurationError(
            f"a demo is running in {home} already: stop it with Ctrl-C in its terminal"
        ) from error


def _empty(home: Path) -> None:
    for entry in home.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MARK:
            entry.unlink()


def start_sandbox(home: Path, public_url: str) -> Child:
    """The stand-in for Xero, Twilio and SendGrid, as a process of its own; it calls us at this address."""
    urls = ("--webhook-url", f"{public_url}/webhooks/xero", "--events-url", f"{public_url}{EVENTS_PATH}")
    command = module("deployments.sandbox", *urls)
    sandbox = Child("sandbox", command, {}, home / "logs")
    sandbox.start()
    return sandbox


def sandbox_url(sandbox: Child) -> str:
    """Where it listens, as it says on its first line."""

    def first_line() -> str:
        line = next(iter(last_lines(sandbox.log).splitlines()), "")
        return line if line.startswith("{") else ""

    line = started(first_line, lambda: sandbox.pid is not None)
    if not line:
        raise ConfigurationError(f"the sandbox could not start:\n{last_lines(sandbox.log)}")
    return str(json.loads(line)["base_url"])


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
        **of_sandbox(url),
    }
    # Prefect reads a `.env` by itself; what is said here goes before it.
    os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = (
        f"sqlite+aiosqlite:///{home / 'prefect' / 'prefect.db'}"
    )
    return Demo(load(environment, env_file=None), environment, SandboxControl(url))


def of_sandbox(url: str) -> dict[str, str]:
    """The settings of a Duebell whose providers are all played by the sandbox at this address."""
    return {
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
        "EMAIL_FROM": credentials.EMAIL_FROM,
        "SENDGRID_API_KEY": credentials.SENDGRID_API_KEY,
        "SENDGRID_API_URL": url,
        "SENDGRID_WEBHOOK_KEYS": credentials.SENDGRID_WEBHOOK_KEY,
    }


def _let_it_send(demo: Demo) -> None:
    """A tenant starts in review; the demo is its person who says go."""
    resources = open_resources(demo.settings)
    for tenant in tenants.connected(resources.engine):
        tenants.go_live(
            resources.engine, tenant.tenant_id, "person:demo", release_held=False, now=resources.clock()
        )
    resources.close()


def without_live(environ: MutableMapping[str, str]) -> None:
    """Take every variable of a live installation out of this process, and so out of its children."""
    for name in list(environ):
        if name.startswith(OF_LIVE) and name not in KEPT:
            del environ[name]
