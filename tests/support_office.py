"""A ledger with one connected organisation, beside a sandbox: what the commands are tried on."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from deployments.children import ROOT
from deployments.cli import app
from deployments.sandbox import credentials
from deployments.sandbox.control import SandboxControl
from duebell.books.access import unpaced
from duebell.connecting.connecting import connect_custom
from duebell.ledger import tenants
from duebell.ledger.tables import Tenant
from duebell.resources import Resources, open_resources
from duebell.settings import Settings, load
from tests.support_ports import free_port


@dataclass(frozen=True)
class Office:
    """One installation in review, and the sandbox that plays its providers."""

    sandbox: SandboxControl
    engine: Engine
    environment: dict[str, str]

    def run(self, *words: str, typed: str = "", **changes: str) -> Result:
        """Give a command, as a person would; ``changes`` are variables, set to nothing to take them away."""
        environment = {**self.environment, **changes}
        # The runner lays these over the environment, where a variable set to nothing counts as unset.
        return CliRunner().invoke(app, list(words), input=typed, env={**environment, "COLUMNS": "100"})

    def tenant(self) -> Tenant:
        """The organisation as the ledger has it."""
        return tenants.get(self.engine, credentials.TENANT_ID)


def environment_of(home: Path, database: str, url: str) -> dict[str, str]:
    """A whole and sound set of variables, with the sandbox for Xero and Twilio."""
    return {
        "DUEBELL_ENV_FILE": "none",
        "DUEBELL_HOME": str(home),
        "DUEBELL_DATABASE_URL": database,
        "DUEBELL_POLICY": str(ROOT / "deployments" / "demo_policy.toml"),
        "DUEBELL_PUBLIC_URL": "https://duebell.example",
        "PREFECT_SERVER_API_PORT": str(free_port()),
        "XERO_CLIENT_ID": credentials.XERO_CLIENT_ID,
        "XERO_CLIENT_SECRET": credentials.XERO_CLIENT_SECRET,
        "XERO_GRANT": "client_credentials",
        "XERO_WEBHOOK_KEYS": credentials.XERO_WEBHOOK_KEY,
        "XERO_API_URL": url,
        "XERO_IDENTITY_URL": url,
        "TWILIO_ACCOUNT_SID": credentials.TWILIO_ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": credentials.TWILIO_AUTH_TOKEN,
        "TWILIO_FROM": credentials.TWILIO_FROM,
        "TWILIO_API_URL": url,
    }


@contextmanager
def open_office(sandbox: SandboxControl, engine: Engine, home: Path) -> Generator[Office]:
    """Connect the sandbox's organisation to the ledger of ``engine``."""
    sandbox.reset()
    environment = environment_of(home, engine.url.render_as_string(hide_password=False), sandbox.base_url)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            patch.delenv(name)
        resources = open_resources(load(environment, env_file=None))
        try:
            connect_custom(resources, lambda _tenant_id: unpaced, unpaced)
        finally:
            resources.close()
        yield Office(sandbox, engine, environment)


def spoilt(settings: Settings) -> Resources:
    """What a command works with, on a ledger that is none any more once it is open."""
    resources = open_resources(settings)
    resources.engine.dispose()
    file = Path(str(resources.engine.url.database))
    for one in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        one.unlink(missing_ok=True)
    file.write_text("no ledger any more\n" * 99)
    return resources


@pytest.fixture
def office(sandbox: SandboxControl, sqlite_ledger: Engine, tmp_path: Path) -> Generator[Office]:
    """An office beside the file's own sandbox."""
    with open_office(sandbox, sqlite_ledger, tmp_path / "home") as opened:
        yield opened
