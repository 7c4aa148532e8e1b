"""What every test gets: no way out to the network, and a clean environment."""

import os
import socket
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from duebell.ledger.engine import migrate, open_ledger
from tests.support_ledger import (
    NO_POSTGRES,
    POSTGRES,
    SqliteLedgers,
    backwards,
    emptied,
    hurried,
    migrated_file,
    throwaway_database,
)

# A slow machine is no counterexample.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")

pytest_plugins = [
    "tests.support_prefect",
    "tests.support_road",
    "tests.support_sandbox",
    "tests.support_office",
    "tests.support_houses",
]

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "reference"
OURS = ("DUEBELL_", "XERO_", "TWILIO_", "EMAIL_", "SENDGRID_")
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


WAITING = (
    "test_road_prefect", "test_road_faults", "test_road_calls", "test_demo", "test_road",
    "test_receiver_crash", "test_provision", "test_road_holding", "test_road_stock", "test_road_preferences",
    "test_worker_process", "test_road_idle", "test_road_tenants", "test_road_email", "test_road_polling",
    "test_road_payments", "test_road_canaries", "test_worker_places", "test_road_overdue", "test_worker",
)  # fmt: skip
"""The files that mostly wait for real processes, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the files that mostly wait come last, side by side: their processes cost the others time."""
    turns = {name: turn for turn, name in enumerate(WAITING, start=1)}
    items.sort(key=lambda item: turns.get(item.path.stem, 0))


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another machine fails at the socket."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: tuple[str, int] | str) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test reached for {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True, scope="session")
def no_settings_from_outside() -> None:
    """The tests' settings come from the tests, not from the shell or an operator's `.env`."""
    for name in list(os.environ):
        if name.startswith(OURS) and not name.startswith("DUEBELL_TEST_"):
            del os.environ[name]


@pytest.fixture
def samples() -> Path:
    """The folder of recorded bodies and interface descriptions; skips where it is not beside the project."""
    if not SAMPLES.is_dir():
        pytest.skip("the recorded bodies are not beside this checkout")
    return SAMPLES


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite ledger with the newest schema, to copy from."""
    return migrated_file(tmp_path_factory.mktemp("ledger"))


@pytest.fixture(scope="session")
def postgres() -> Generator[Engine]:
    """One PostgreSQL ledger for the session."""
    if not POSTGRES:
        pytest.skip(NO_POSTGRES)
    with throwaway_database(f"duebell_test_{os.getpid()}") as url:
        engine = open_ledger(url)
        migrate(engine)
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def sqlite(migrated: Path) -> Generator[SqliteLedgers]:
    """The SQLite ledgers of the session, one after the other."""
    ledgers = SqliteLedgers(migrated, lambda engine: backwards(hurried(engine)))
    yield ledgers
    ledgers.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """An empty ledger, on each of the two databases in turn."""
    if request.param == "postgresql":
        return emptied(request.getfixturevalue("postgres"))
    return request.getfixturevalue("sqlite").fresh(tmp_path)


@pytest.fixture
def sqlite_ledger(sqlite: SqliteLedgers, tmp_path: Path) -> Engine:
    """An empty ledger on SQLite alone."""
    return sqlite.fresh(tmp_path)
