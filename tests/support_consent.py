"""A person at Xero's consent page, and an installation that waits for them."""

import logging
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from deployments.cli import app
from deployments.sandbox import credentials
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.xero_people import PERSON
from duebell.connecting.consent_answer import CALLBACK_PATH
from duebell.ledger import consents, tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Tenant, TokenSet
from duebell.resources import Resources, open_resources
from duebell.settings import load
from tests.support_office import environment_of
from tests.support_ports import free_port

OTHER = "5a4db0c5-0000-4000-8000-000000000002"
OTHER_NAME = "Kea Street Roasters"
OTHER_PERSON = "5a4db0c5-0000-4000-8000-00000000000b"


class Form(HTMLParser):
    """The hidden fields of a page's form."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a hidden field."""
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.fields[given["name"] or ""] = given["value"] or ""


@dataclass
class Person:
    """Whoever is asked: takes the place of the browser that `duebell connect` opens."""

    tenants: Sequence[str] = (credentials.TENANT_ID,)
    decision: str = "allow"
    person: str = PERSON
    asked: list[str] = field(default_factory=list[str])
    sent_back: list[str] = field(default_factory=list[str])
    pages: list[httpx.Response] = field(default_factory=list[httpx.Response])

    def __call__(self, url: str) -> bool:
        """Open the page and act there; a browser writes nothing of it into our log."""
        ours = logging.getLogger("httpx")
        ours.disabled = True
        try:
            self.act(url)
        finally:
            ours.disabled = False
        return True

    def act(self, url: str) -> None:
        """Decide, and follow Xero back."""
        self.sent_back.append(self.decide(url))
        self.come_back()

    def come_back(self) -> None:
        """Load the address that Xero sent the browser to."""
        self.pages.append(httpx.get(self.sent_back[-1], trust_env=False, timeout=20))

    def decide(self, url: str) -> str:
        """Decide on the page; returns the address to which Xero sends the browser."""
        self.asked.append(url)
        with httpx.Client(trust_env=False, timeout=60) as browser:
            page = browser.get(url)
            assert page.status_code == 200, page.text
            form = {**Form(page.text).fields, "decision": self.decision, "person": self.person}
            answer = browser.post(url.partition("?")[0], data={**form, "tenant": list(self.tenants)})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]


@dataclass
class Newcomer:
    """An installation that was never connected, with the sandbox for Xero and a person beside it."""

    sandbox: SandboxControl
    engine: Engine
    environment: dict[str, str]
    patch: pytest.MonkeyPatch

    def run(self, person: Person, *words: str, typed: str = "", **changes: str) -> Result:
        """``duebell connect``, while this person sits at the browser."""
        self.patch.setenv("DISPLAY", ":0")
        self.patch.setattr("webbrowser.open", person)
        return self.command("connect", *words, typed=typed, **changes)

    def command(self, *words: str, typed: str = "", **changes: str) -> Result:
        """Any command."""
        environment = {**self.environment, **changes, "COLUMNS": "100"}
        return CliRunner().invoke(app, list(words), input=typed, env=environment)

    def resources(self) -> Resources:
        """What a run of this installation works with."""
        return open_resources(load(self.environment, env_file=None))

    def standing(self) -> dict[str, str]:
        """Every tenant with its state."""
        return {tenant.tenant_id: tenant.state for _, tenant in consents.standing(self.engine)}

    def tenant(self, tenant_id: str = credentials.TENANT_ID) -> Tenant:
        """A tenant as the ledger has it."""
        return tenants.get(self.engine, tenant_id)

    def token_set(self, tenant_id: str = credentials.TENANT_ID) -> TokenSet:
        """The set that a tenant rests on."""
        with reading(self.engine) as session:
            return session.get_one(TokenSet, self.tenant(tenant_id).token_set_id)


@contextmanager
def newcomer(sandbox: SandboxControl, engine: Engine, home: Path) -> Generator[Newcomer]:
    """Nothing is connected, and two organisations could be."""
    sandbox.reset()
    sandbox.add_tenant(OTHER, OTHER_NAME)
    port = free_port()
    public = f"http://localhost:{port}"
    sandbox.settings(redirect_uris=[f"{public}{CALLBACK_PATH}"])
    environment = environment_of(home, engine.url.render_as_string(hide_password=False), sandbox.base_url)
    environment |= {
        "XERO_GRANT": "authorization_code",
        "XERO_LOGIN_URL": sandbox.base_url,
        "DUEBELL_LISTEN": f"127.0.0.1:{port}",
        "DUEBELL_PUBLIC_URL": public,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            patch.delenv(name)
        yield Newcomer(sandbox, engine, environment, patch)
