"""A Prefect of one's own that asks for a password: everything of ours shows it, and nobody reads it."""

import base64
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)

from deployments.connect_pace import prefect_of
from deployments.doctor_prefect import asked
from deployments.installation import client_environment, worker_is_online
from deployments.provision import ensure_tenant_limits
from deployments.receiver.prefect_rest import PrefectRest, prefect_place
from duebell.errors import ConfigurationError
from duebell.settings import Settings, describe, load

PASSWORD = "admin:CANARY wörd, with a comma"
ASKS_FOR = "Basic " + base64.b64encode(PASSWORD.encode()).decode()


class Answers(BaseHTTPRequestHandler):
    """Prefect's server, whose health alone is told to everybody."""

    def do_GET(self) -> None:
        is_let_in = self.path == "/api/health" or self.headers.get("Authorization") == ASKS_FOR
        body = b'{"status": "READY", "id": "one"}' if is_let_in else b"{}"
        answered = 200 if is_let_in else 401
        if not self.path.startswith("/api/"):
            answered = 503 if self.path.startswith("/busy/api/") else 404
        self.send_response(answered)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *_: object) -> None:
        """In silence."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()


def in_environment(url: str, folder: Path) -> Settings:
    given = {"PREFECT_API_URL": url, "PREFECT_API_AUTH_STRING": PASSWORD, "DUEBELL_HOME": str(folder)}
    return load(given, env_file=None)


def in_file(url: str, folder: Path) -> Settings:
    file = folder / "settings"
    file.write_text(f"PREFECT_API_URL={url}\nPREFECT_API_AUTH_STRING='{PASSWORD}'\n", encoding="utf-8")
    return load({"DUEBELL_HOME": str(folder)}, env_file=file)


@pytest.fixture(params=[in_environment, in_file])
def settings(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> Settings:
    return request.param(url, tmp_path)


def without(settings: Settings) -> Settings:
    given = {"PREFECT_API_URL": settings.prefect_api_url, "DUEBELL_HOME": str(settings.home)}
    return load(given, env_file=None)


def test_up_hands_it_to_its_processes_and_sees_that_its_worker_is_online(settings: Settings) -> None:
    given = client_environment(settings)
    assert given == {"PREFECT_API_URL": settings.prefect_api_url, "PREFECT_API_AUTH_STRING": PASSWORD}
    assert worker_is_online(given)
    assert not worker_is_online(client_environment(without(settings)))


def test_receiver_and_nets_are_let_in(settings: Settings) -> None:
    prefect = PrefectRest(prefect_place(settings))
    prefect.create_run("settle/settle", {}, "a key", ())
    prefect.close()


def test_connecting_shows_it_to_prefect_s_own_client(settings: Settings) -> None:
    with prefect_of(settings):
        given = PREFECT_API_AUTH_STRING.value()
    assert getattr(given, "get_secret_value", lambda: given)() == PASSWORD


def test_doctor_tells_that_a_password_is_missing_and_never_the_password(settings: Settings) -> None:
    let_in, refused = asked(settings), asked(without(settings))
    assert (let_in.sound, refused.sound) == (True, False)
    assert "check PREFECT_API_AUTH_STRING" in refused.said
    shown = describe({"PREFECT_API_AUTH_STRING": PASSWORD}, env_file=None)
    assert "CANARY" not in repr((let_in, refused, settings, prefect_place(settings), shown))


def test_doctor_tells_that_an_address_lacks_what_prefect_s_interface_ends_in(
    url: str, tmp_path: Path
) -> None:
    found = asked(in_environment(url.removesuffix("/api"), tmp_path))
    assert not found.sound
    assert "PREFECT_API_URL is to end in /api" in found.said


@pytest.mark.parametrize(
    ("path", "mend"),
    [
        ("/api", "answered 401: check PREFECT_API_AUTH_STRING"),
        ("", "answered 404: PREFECT_API_URL is to end in /api"),
        ("/other/api", "answered 404: another program, or a Prefect of another version, listens there"),
        ("/busy/api", "answered 503: look at its own log, and try again"),
    ],
)
def test_what_prefect_answers_amiss_is_told_with_its_own_mend(url: str, path: str, mend: str) -> None:
    wrong: dict[Any, object] = {
        PREFECT_API_URL: url.removesuffix("/api") + path,
        PREFECT_CLIENT_MAX_RETRIES: 0,
    }
    with temporary_settings(wrong), pytest.raises(ConfigurationError) as told:
        ensure_tenant_limits("any")
    assert mend in str(told.value)
