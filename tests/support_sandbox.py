"""The sandbox's Xero as a test calls it, and a listener on loopback for what the sandbox posts."""

import base64
import hashlib
import hmac
import http.server
import json
import ssl
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from deployments.sandbox import credentials as known
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.credentials import TENANT_ID, XERO_CLIENT_ID, XERO_CLIENT_SECRET
from deployments.sandbox.server import running_sandbox

Row = dict[str, Any]
API = "/api.xro/2.0"
TLS = ssl.create_default_context()  # made once, because each client would make its own, slowly
AREAS = ("invoices", "payments", "contacts", "settings")
READ = " ".join(f"accounting.{area}.read" for area in AREAS)
WRITE = " ".join(f"accounting.{area}" for area in AREAS)


@pytest.fixture(scope="module")
def running() -> Generator[SandboxControl]:
    """A sandbox for the tests of one file."""
    with running_sandbox() as control:
        yield control


@pytest.fixture
def sandbox(running: SandboxControl) -> SandboxControl:
    """The same, as it is at its start."""
    running.reset()
    return running


@pytest.fixture
def twilio(sandbox: SandboxControl) -> Iterator[httpx.Client]:
    """A client of the sandbox's Twilio, with its credentials."""
    auth = (known.TWILIO_ACCOUNT_SID, known.TWILIO_AUTH_TOKEN)
    with httpx.Client(base_url=sandbox.base_url, auth=auth, verify=TLS, timeout=60) as client:
        yield client


def access(sandbox: SandboxControl, scope: str = READ) -> str:
    """An access token of these scopes."""
    answer = httpx.post(
        f"{sandbox.base_url}/connect/token",
        data={"grant_type": "client_credentials", "scope": scope},
        auth=(XERO_CLIENT_ID, XERO_CLIENT_SECRET),
        verify=TLS,
        timeout=60,
    )
    assert answer.status_code == 200
    return answer.json()["access_token"]


def xero_client(sandbox: SandboxControl, scope: str = READ) -> httpx.Client:
    """A client of the accounting API for the sandbox's own organisation; the caller closes it."""
    headers = {
        "Authorization": f"Bearer {access(sandbox, scope)}",
        "Accept": "application/json",
        "Xero-Tenant-Id": TENANT_ID,
    }
    return httpx.Client(base_url=sandbox.base_url + API, headers=headers, verify=TLS, timeout=60)


def rows(answer: httpx.Response, plural: str) -> list[Row]:
    """The records of an answer."""
    assert answer.status_code == 200, answer.text
    return answer.json()[plural]


def invoice_id(sandbox: SandboxControl, number: str) -> str:
    """The id of an invoice of the sandbox's company."""
    return next(one.invoice_id for one in sandbox.invoices() if one.number == number)


def contact_id(sandbox: SandboxControl, name: str) -> str:
    """The id of a contact of the sandbox's company."""
    return next(one.contact_id for one in sandbox.contacts() if one.name == name)


def rung(sandbox: SandboxControl) -> list[tuple[str, str, str]]:
    """What Xero rang about so far: category, type and id."""
    return [(event.category, event.type, event.resource_id) for event in sandbox.events()]


def signed(body: bytes, key: str) -> str:
    """Xero's signature of a body."""
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


@dataclass(frozen=True)
class Heard:
    """A request as the listener got it."""

    path: str
    headers: dict[str, str]
    body: bytes

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def json(self) -> Row:
        return json.loads(self.body)


@dataclass
class Listener:
    """What came in, and what is answered: a fixed status, or what ``judge`` says of the request."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list[Heard])
    statuses: list[int] = field(default_factory=list[int])
    check_key: str = ""
    cookie: bool = False
    down: bool = False

    def judge(self, heard: Heard) -> int:
        self.heard.append(heard)
        if self.down:
            return 503
        if self.check_key:
            good = signed(heard.body, self.check_key) == heard.headers["x-xero-signature"]
            return 200 if good else 401
        return self.statuses.pop(0) if self.statuses else 200


@contextmanager
def listening() -> Generator[Listener]:
    """A listener on a free port."""
    state = Listener()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(state.judge(Heard(self.path, headers, body)))
            if state.cookie:
                self.send_header("Set-Cookie", "session=1")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is printed."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}/hooks"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        server.shutdown()
        thread.join()
