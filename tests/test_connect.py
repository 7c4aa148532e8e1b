"""Connecting at the start: what cannot work is said, and Xero being away keeps nobody down."""

from pathlib import Path

import pytest

from deployments.connect import main
from deployments.sandbox import credentials
from deployments.sandbox.server import running_sandbox
from duebell.access import unpaced
from duebell.connecting import connect_custom
from duebell.resources import open_resources
from duebell.settings import load


def environment(home: Path, url: str, **more: str) -> dict[str, str]:
    return {
        "DUEBELL_ENV_FILE": "none",
        "DUEBELL_HOME": str(home),
        "XERO_CLIENT_ID": credentials.XERO_CLIENT_ID,
        "XERO_CLIENT_SECRET": credentials.XERO_CLIENT_SECRET,
        "XERO_GRANT": "client_credentials",
        "XERO_API_URL": url,
        "XERO_IDENTITY_URL": url,
        **more,
    }


def put_in_place(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_the_browser_s_way_is_refused_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_in_place(monkeypatch, environment(tmp_path, "http://127.0.0.1:9", XERO_GRANT="authorization_code"))

    assert main() == 1
    assert "set XERO_GRANT=client_credentials" in capsys.readouterr().err


def test_with_xero_away_a_first_connection_fails_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_in_place(monkeypatch, environment(tmp_path, "http://127.0.0.1:9"))

    assert main() == 1
    assert capsys.readouterr().err.strip()


def test_with_xero_away_what_was_connected_before_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_sandbox() as sandbox:
        resources = open_resources(load(environment(tmp_path, sandbox.base_url), env_file=None))
        (connected,) = connect_custom(resources, lambda _tenant: unpaced, unpaced)
        resources.close()
    put_in_place(monkeypatch, environment(tmp_path, "http://127.0.0.1:9"))

    assert main() == 0
    assert f"going on with {connected.name}, connected before" in capsys.readouterr().out


def test_connecting_again_keeps_the_history_and_reads_nothing_anew(tmp_path: Path) -> None:
    with running_sandbox() as sandbox:
        resources = open_resources(load(environment(tmp_path, sandbox.base_url), env_file=None))
        (first,) = connect_custom(resources, lambda _tenant: unpaced, unpaced)
        asked = len(sandbox.requests())
        (second,) = connect_custom(resources, lambda _tenant: unpaced, unpaced)
        paths = [one.path for one in sandbox.requests()[asked:]]
        resources.close()

    assert first.known > 0
    assert (second.known, second.news) == (0, 0)
    assert "/api.xro/2.0/Invoices" not in paths
