"""Prefect's server as our child: its secrets, its end, and what is said when it cannot start."""

import json
import subprocess
import sys
from pathlib import Path
from socket import create_connection

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from deployments.children import StopAsked
from deployments.installation import Installation
from deployments.prefect_process import known_names
from deployments.prefect_server import PrefectServer
from duebell.errors import ConfigurationError
from duebell.settings import load
from tests.support_ports import free_port
from tests.support_prefect import ROOT, RunningPrefect, wait_until


def test_the_server_keeps_its_secrets_to_itself_and_to_its_owner(tmp_path: Path) -> None:
    server, again = PrefectServer(tmp_path, 1), PrefectServer(tmp_path, 1)
    assert server.environment() == again.environment()
    assert server.client_environment()["PREFECT_API_AUTH_STRING"] == server.auth_string
    assert "PREFECT_SERVER_ENCRYPTION_KEY" not in server.client_environment()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("name", ["prefect-auth", "prefect-encryption-key"])
def test_a_secret_that_a_power_cut_emptied_is_named_with_the_mend(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("\n")
    with pytest.raises(ConfigurationError, match=f"{name} is empty: delete it"):
        PrefectServer(tmp_path, 1).environment()


def test_a_taken_port_is_named(tmp_path: Path, prefect_server: RunningPrefect) -> None:
    taken = PrefectServer(tmp_path, prefect_server.server.port)
    with pytest.raises(ConfigurationError, match=f"port {taken.port} .* is taken"):
        taken.start()


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="DUEBELL_HOME"):
        PrefectServer(tmp_path / "file", free_port()).start()


def test_a_server_that_dies_at_its_start_is_told_with_the_path_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_LOGGING_LEVEL", "nonsense")
    server = PrefectServer(tmp_path, free_port())
    server.start()
    try:
        with pytest.raises(ConfigurationError, match=r"prefect-server\.log"):
            server.wait_ready()
    finally:
        server.stop()


def test_a_killed_parent_leaves_no_server_behind(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom deployments.prefect_server import PrefectServer\n"
        "server = PrefectServer(Path(sys.argv[1]), int(sys.argv[2]))\nserver.start()\n"
        "print('started', flush=True)\ntime.sleep(60)\n"
    )
    port = free_port()
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), str(port)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    with parent.stdout as out:
        out.readline()
    marker = f"--port={port}".encode()

    def left() -> list[Path]:
        lines = [path / "cmdline" for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [path for path in lines if holds(path, marker)]

    wait_until(left, "the server is there")
    parent.kill()
    parent.wait()
    wait_until(lambda: not left(), "the server is gone")


def holds(path: Path, marker: bytes) -> bool:
    try:
        return marker in path.read_bytes()
    except OSError:  # it ended while we looked
        return False


STRANGER = Origin("http://stranger.example")
PREFECT = [Subprotocol("prefect")]


def asked_by(prefect: RunningPrefect, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """What a page in the operator's browser is answered, which knows no password and so can send none."""
    url = prefect.api_url.removesuffix("/api") + path
    return httpx.request(method, url, headers=headers, trust_env=False)


def test_f112_a_page_that_had_its_own_name_point_at_this_machine_is_not_answered(
    prefect_server: RunningPrefect,
) -> None:
    for path in ("/", "/runs", "/api/health", "/api/flow_runs/filter", "/docs"):
        for name in ("stranger.example", f"stranger.example:{prefect_server.server.port}", "127.0.0.1.evil"):
            assert asked_by(prefect_server, path, host=name).status_code == 400
    for name in ("localhost", f"127.0.0.1:{prefect_server.server.port}"):
        assert asked_by(prefect_server, "/api/health", host=name).status_code == 200


def test_f112_a_page_from_elsewhere_may_neither_read_nor_change_anything(
    prefect_server: RunningPrefect,
) -> None:
    body = {"origin": STRANGER, "content-type": "text/plain"}
    answers = [
        asked_by(prefect_server, path, method, **body)
        for method, path in (
            ("POST", "/api/flow_runs/filter"),
            ("POST", "/api/events"),
            ("GET", "/api/health"),
        )
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 200]
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    answers.append(asked_by(prefect_server, "/api/flow_runs/filter", "OPTIONS", origin=STRANGER, **asks))
    for answer in answers:
        # No browser keeps anything of it that it would send along by itself the next time.
        assert not {"access-control-allow-origin", "set-cookie", "www-authenticate"} & set(answer.headers)
    own = f"http://localhost:{prefect_server.server.port}"
    allowed = asked_by(prefect_server, "/api/flow_runs/filter", "OPTIONS", origin=own, **asks)
    assert allowed.headers["access-control-allow-origin"] == own


@pytest.mark.parametrize("path", ["/api/events/in", "/api/events/out", "/api/logs/out"])
def test_f112_a_socket_without_the_password_hears_and_says_nothing(
    prefect_server: RunningPrefect, path: str
) -> None:
    url = prefect_server.api_url.replace("http:", "ws:").removesuffix("/api") + path
    with connect(url, origin=STRANGER, subprotocols=PREFECT, proxy=None) as socket:
        socket.send(json.dumps({"type": "auth", "token": "admin:guessed"}))
        with pytest.raises(ConnectionClosed):
            socket.recv(10)
    by_name = url.replace("127.0.0.1", "stranger.example")
    with create_connection(("127.0.0.1", prefect_server.server.port)) as wire, pytest.raises(InvalidStatus):
        connect(by_name, sock=wire, subprotocols=PREFECT)


def test_f112_the_name_under_which_an_operator_serves_the_ui_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_UI_API_URL", "https://runs.example.com/api")
    assert "runs.example.com" in known_names()


def test_the_name_of_the_ui_reaches_the_server_from_whatever_file_the_settings_are_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_SERVER_UI_API_URL", raising=False)
    file = tmp_path / "duebell.env"
    file.write_text(f"DUEBELL_HOME={tmp_path}\nPREFECT_SERVER_UI_API_URL=https://runs.example.com/api\n")
    found: list[PrefectServer] = []

    def begun(server: PrefectServer) -> None:
        found.append(server)
        raise ConfigurationError("that is far enough")

    monkeypatch.setattr(PrefectServer, "start", begun)
    settings = load({"DUEBELL_ENV_FILE": str(file), "DUEBELL_LISTEN": f"127.0.0.1:{free_port()}"})
    installation = Installation(settings, {}, lambda _said: None, StopAsked())
    with pytest.raises(ConfigurationError, match="far enough"):
        installation.start()
    told = found[0].environment()
    assert told["PREFECT_SERVER_UI_API_URL"] == "https://runs.example.com/api", "Prefect's pages ask there"
    monkeypatch.setenv("PREFECT_SERVER_UI_API_URL", told["PREFECT_SERVER_UI_API_URL"])
    assert "runs.example.com" in known_names(), "and our check of names lets them"


def test_a_server_that_no_proxy_serves_is_told_no_other_name(tmp_path: Path) -> None:
    assert "PREFECT_SERVER_UI_API_URL" not in PrefectServer(tmp_path, 1).environment()
