"""Connecting at the start: what cannot work is said, and Xero being away keeps nobody down."""

import io
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import update

from deployments.children import StopAsked
from deployments.connect import go_on, main
from deployments.connect_pace import pacing
from deployments.doctor_prefect import asked
from deployments.installation import Installation
from deployments.sandbox import credentials
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from deployments.up import Newcomers, where
from duebell.books.access import unpaced
from duebell.connecting.connecting import connect_custom
from duebell.errors import ConfigurationError
from duebell.ledger import freshness, tenants
from duebell.ledger.tables import Tenant
from duebell.resources import Resources, open_resources
from duebell.settings import Settings, load
from duebell.xero.asking import Pace
from tests.support_ports import free_port
from tests.support_prefect import RunningPrefect


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


def opened(home: Path, sandbox: SandboxControl) -> Resources:
    return open_resources(load(environment(home, sandbox.base_url), env_file=None))


def put_in_place(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_at_the_start_a_consent_that_is_still_to_come_keeps_nobody_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_in_place(monkeypatch, environment(tmp_path, "http://127.0.0.1:9", XERO_GRANT="authorization_code"))

    assert main() == 0
    assert "run `duebell connect` in another terminal" in capsys.readouterr().out


def test_at_the_start_an_address_to_which_no_consent_can_come_back_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    public = "http://127.0.0.1:8787"
    by_consent = {"XERO_GRANT": "authorization_code", "DUEBELL_PUBLIC_URL": public}
    put_in_place(monkeypatch, environment(tmp_path, "http://127.0.0.1:9", **by_consent))

    assert main() == 1
    assert "DUEBELL_PUBLIC_URL" in capsys.readouterr().err


def test_a_custom_connection_connects_no_other_organisation_than_the_one_that_was_named(
    tmp_path: Path,
) -> None:
    with running_sandbox() as sandbox, closing(opened(tmp_path, sandbox)) as resources:
        with pytest.raises(ConfigurationError, match="does not open foo, but: ") as refused:
            connect_custom(resources, lambda _tenant: unpaced, unpaced, ["foo"])
        assert credentials.TENANT_ID in str(refused.value)
        assert tenants.connected(resources.engine) == ()
        named = [f" {credentials.TENANT_ID.upper()}"]
        (connected,) = connect_custom(resources, lambda _tenant: unpaced, unpaced, named)
        assert connected.tenant_id == credentials.TENANT_ID


def test_at_the_start_what_was_consented_to_goes_on_and_a_sync_that_was_cut_off_is_ended(
    tmp_path: Path,
) -> None:
    with running_sandbox() as sandbox, closing(opened(tmp_path, sandbox)) as resources:
        (connected,) = connect_custom(resources, lambda _tenant: unpaced, unpaced)
        limited: list[str] = []

        def pace_of(tenant_id: str) -> Pace:
            limited.append(tenant_id)
            return unpaced

        assert go_on(resources, pace_of) == [f"{connected.name}: connected"]
        with resources.engine.begin() as connection:
            connection.execute(update(Tenant).values(synced_at=None))
        (again,) = go_on(resources, pace_of)
        sandbox.fail_next("status", status=503, times=3, path="/api.xro/2.0/*")
        with resources.engine.begin() as connection:
            connection.execute(update(Tenant).values(synced_at=None))
        (away,) = go_on(resources, pace_of)
        tenants.disconnect(resources.engine, connected.tenant_id, "403", now=resources.clock())
        (closed,) = go_on(resources, pace_of)

    assert f"{connected.known} invoices read" in again
    assert "Xero answered 503" in away
    assert "disconnected, and rests until `duebell connect`" in closed
    assert limited == [connected.tenant_id] * 3, "what is open has its limits at Prefect"


def test_the_customers_of_what_is_open_are_known_before_anybody_is_reminded(tmp_path: Path) -> None:
    with running_sandbox() as sandbox, closing(opened(tmp_path, sandbox)) as resources:
        connect_custom(resources, lambda _tenant: unpaced, unpaced)
        unknown = freshness.unknown_contacts(resources.engine, credentials.TENANT_ID)
        with resources.engine.connect() as connection:
            known = connection.exec_driver_sql("select count(*) from contact").scalar_one()

    assert unknown == []
    assert known > 0


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


def told_by(installation: Installation, resources: Resources) -> str:
    """What `up` shows once it runs, in one line."""
    console = Console(width=200, file=io.StringIO())
    with console.capture() as shown:
        console.print(where(installation, resources.settings, resources))
    return " ".join(shown.get().split())


def test_while_it_is_up_the_next_step_is_told_and_a_newcomer_is_noticed(tmp_path: Path) -> None:
    with running_sandbox() as sandbox, closing(opened(tmp_path, sandbox)) as resources:
        said: list[str] = []
        place = {"PREFECT_API_URL": "http://127.0.0.1:4200/api"}
        installation = Installation(resources.settings, place, said.append, StopAsked())
        newcomers = Newcomers(resources.engine, said.append)
        newcomers.look()
        assert said == []
        assert "Next: run `duebell connect` in another terminal" in told_by(installation, resources)

        (connected,) = connect_custom(resources, lambda _tenant: unpaced, unpaced)
        newcomers.look()
        newcomers.look()
        told = told_by(installation, resources)

    assert said == [f"{connected.name} is connected, and watched from now on"]
    assert "Next: run `duebell connect`" not in told
    assert f"{connected.name} is in review" in told


def limits_at(prefect: RunningPrefect, tenant_id: str) -> set[str]:
    with prefect.client() as client:
        found = client.read_global_concurrency_limits(200, 0)
    return {limit.name for limit in found if limit.name.endswith(tenant_id)}


def test_a_tenant_s_limits_are_made_at_the_server_that_up_started(
    prefect_server: RunningPrefect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING"):
        monkeypatch.delenv(name, raising=False)
    home, port = prefect_server.server.home, str(prefect_server.server.port)
    own = {"DUEBELL_HOME": str(home), "PREFECT_SERVER_API_PORT": port}
    away = {"DUEBELL_HOME": str(tmp_path), "PREFECT_SERVER_API_PORT": str(free_port())}
    with pacing(load(own, env_file=None)) as pace_of, pace_of("by-its-own")():
        pass
    with pacing(load(away, env_file=None)) as pace_of, pace_of("without")():
        pass
    assert limits_at(prefect_server, "by-its-own") == {"xero-rate-by-its-own", "xero-flight-by-its-own"}
    assert limits_at(prefect_server, "without") == set()


def test_a_server_that_comes_up_while_somebody_connects_gets_the_limits_too(
    prefect_server: RunningPrefect, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = iter([False, True])

    def coming_up(_settings: Settings) -> bool:
        return next(answered)

    monkeypatch.setattr("deployments.connect_pace.answers", coming_up)
    home, port = prefect_server.server.home, str(prefect_server.server.port)
    settings = load({"DUEBELL_HOME": str(home), "PREFECT_SERVER_API_PORT": port}, env_file=None)
    with pacing(settings) as pace_of, pace_of("came-up-late")():
        assert limits_at(prefect_server, "came-up-late") == set()
    assert len(limits_at(prefect_server, "came-up-late")) == 2


def test_the_prefect_server_of_another_installation_is_not_taken_for_ones_own(
    prefect_server: RunningPrefect, tmp_path: Path
) -> None:
    """Two on one machine have the same port until one is given another."""
    port = str(prefect_server.server.port)
    settings = load({"DUEBELL_HOME": str(tmp_path), "PREFECT_SERVER_API_PORT": port}, env_file=None)

    with pytest.raises(ConfigurationError, match="PREFECT_SERVER_API_PORT"), pacing(settings):
        pass
    with pytest.raises(ConfigurationError, match="PREFECT_SERVER_API_PORT"):
        asked(settings)
