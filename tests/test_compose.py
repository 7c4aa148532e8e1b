"""What the compose file says is what the code says: settings, modules, packages and paths."""

import re
import tomllib
from importlib.util import find_spec

import pytest
from prefect.settings import Settings as PrefectSettings
from prefect.settings.legacy import _get_settings_fields  # pyright: ignore[reportPrivateUsage] - a list of all
from prefect_redis.client import RedisMessagingSettings

from deployments.prefect_server import BOTH_SIDES, CLIENT, OPERATORS_CHOICE, SERVER
from deployments.receiver.app import XERO_PATH
from deployments.worker import FINISHES_WITHIN
from duebell.connecting.consent_answer import CALLBACK_PATH
from duebell.email.sendgrid_events import EVENTS_PATH
from duebell.settings import load
from duebell.twilio.callbacks import STATUS_PATH
from duebell.twilio.inbound import INBOUND_PATH
from tests.support_compose import FILE, GIVEN, ROOT, compose_file, interpolated, services
from tests.support_road import played_by

LEASES = "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"


def _environment(name: str) -> dict[str, str]:
    return services()[name]["environment"]


@pytest.mark.parametrize("name", ["prefect-database", "prefect-server", "prefect-services"])
def test_prefects_servers_have_the_settings_that_up_gives_its_own(name: str) -> None:
    own = {**BOTH_SIDES, **SERVER, **OPERATORS_CHOICE}
    said = _environment(name)
    # Leases in a folder are of one machine; there are two servers here.
    assert said[LEASES] == "prefect_redis.lease_storage"
    assert {one: said.get(one) for one in own if one != LEASES} == {
        one: value for one, value in own.items() if one != LEASES
    }


@pytest.mark.parametrize("name", ["provision", "connect", "receiver", "worker-1", "worker-2"])
def test_what_asks_prefect_has_the_settings_that_up_gives_its_children(name: str) -> None:
    own = {**BOTH_SIDES, **CLIENT}
    said = _environment(name)
    assert {one: said.get(one) for one in own} == own


def test_what_prefect_keeps_in_memory_by_itself_is_in_redis_where_there_are_two_servers() -> None:
    by_itself = {name: str(one.value()) for name, one in _get_settings_fields(PrefectSettings).items()}
    in_memory = re.compile(r"prefect\.server\..*\bmemory|memory://.*")
    kept = {
        name
        for name, value in by_itself.items()
        if name.startswith("PREFECT_SERVER_") and in_memory.fullmatch(value)
    }
    said = _environment("prefect-server")
    assert len(kept) == 6
    assert {name for name in kept if "redis" in said.get(name, "")} == kept


def test_every_variable_of_prefects_is_one_that_prefect_reads() -> None:
    known = set(_get_settings_fields(PrefectSettings))
    known |= {f"PREFECT_REDIS_MESSAGING_{name.upper()}" for name in RedisMessagingSettings.model_fields}
    known.add("PREFECT_SERVER_ENCRYPTION_KEY")  # no setting: prefect/server/utilities/encryption.py reads it
    said = {name for service in services().values() for name in service.get("environment", {})}
    assert {name for name in said if name.startswith("PREFECT_")} <= known


def test_duebells_variables_make_whole_settings() -> None:
    said = {**played_by("http://localhost:1"), **GIVEN, **_environment("receiver")}
    settings = load(said, env_file=None)
    assert settings.database_url.get_secret_value().endswith("@postgres:5432/duebell")
    assert settings.prefect_api_url == "http://prefect:4200/api"


def test_every_command_runs_a_module_that_is_there() -> None:
    modules = {
        service["command"][2] if service["command"][0] == "python" else service["command"][0]
        for service in services().values()
        if service["image"] == "duebell"
    }
    assert modules == {"prefect"} | {
        f"deployments.{name}" for name in ("connect", "prefect_process", "provision", "receiver", "worker")
    }
    assert all(find_spec(name) for name in modules)


def test_the_image_holds_every_package_and_what_the_locks_and_the_deployments_need() -> None:
    lines = services()["receiver"]["build"]["dockerfile_inline"].splitlines()
    copied = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    assert copied == {
        *("requirements.lock", "pyproject.toml", "README.md", "prefect.yaml"),
        *("duebell", "tasks", "flows", "deployments"),
    }
    assert all((ROOT / name).exists() for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert copied >= set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_each_worker_has_a_name_of_its_own_and_may_finish_its_runs() -> None:
    workers = {name: one for name, one in services().items() if name.startswith("worker")}
    assert [one["command"][-2:] for one in workers.values()] == [["--name", name] for name in workers]
    assert len(workers) == 2
    for one in workers.values():
        assert int(one["stop_grace_period"].removesuffix("s")) > FINISHES_WITHIN


def test_the_world_reaches_what_xero_and_the_providers_call_and_nothing_else() -> None:
    said = compose_file()["configs"]["caddyfile"]["content"]
    (called,) = [line.split()[2:] for line in said.splitlines() if "@called path" in line]
    assert sorted(called) == sorted([XERO_PATH, STATUS_PATH, INBOUND_PATH, EVENTS_PATH, CALLBACK_PATH])
    assert services()["proxy"]["ports"] == ["80:80", "443:443", "127.0.0.1:4200:4200"]
    assert [name for name, one in services().items() if "ports" in one] == ["proxy"]


def test_no_secret_has_a_value_of_the_files_own() -> None:
    text = FILE.read_text(encoding="utf-8")
    for name in ("POSTGRES_PASSWORD", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_ENCRYPTION_KEY"):
        others = {one: value for one, value in GIVEN.items() if one != name}
        with pytest.raises(KeyError, match=name):
            interpolated(text, others)
