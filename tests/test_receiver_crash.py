"""A receiver that is killed at any moment has acknowledged nothing that it did not keep."""

import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from duebell.ledger.engine import migrate, open_ledger
from tests.support_ledger import POSTGRES, throwaway_database
from tests.support_prefect import wait_until
from tests.support_receiver import (
    ENVIRONMENT,
    INVOICE,
    TWILIO,
    XERO,
    callback,
    connect_tenant,
    delivery,
    events_in,
    form,
    receipts_in,
    signed_twilio,
    signed_xero,
    xero_event,
)

ROOT = Path(__file__).resolve().parents[1]
LISTENING = re.compile(r"running on http://127\.0\.0\.1:(\d+)")


class Process:
    """A receiver of its own, with Prefect away."""

    def __init__(self, url: str, log: Path, fail_point: str = "", most_files: int = 0) -> None:
        self._log = log
        limited = ["sh", "-c", f'ulimit -n {most_files}; exec "$@"', "sh"] if most_files else []
        with log.open("wb") as file:
            self.child = subprocess.Popen(
                [*limited, sys.executable, "-m", "deployments.receiver"],
                cwd=ROOT,
                stderr=file,
                env={
                    **os.environ,
                    **ENVIRONMENT,
                    "DUEBELL_DATABASE_URL": url,
                    "DUEBELL_FAILPOINT": fail_point,
                    "PREFECT_API_URL": "http://127.0.0.1:1/api",
                },
            )
        wait_until(self._listens, "the receiver listens")

    def _listens(self) -> bool:
        assert self.child.poll() is None, self.log()
        return LISTENING.search(self.log()) is not None

    def log(self) -> str:
        return self._log.read_text()

    def port(self) -> int:
        found = LISTENING.search(self.log())
        assert found
        return int(found[1])

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port()}", trust_env=False, timeout=60)

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.child.pid}/fd").iterdir()))

    def deliver(self, raw: bytes) -> int:
        with self.client() as client:
            return client.post(XERO, content=raw, headers=signed_xero(raw)).status_code


@contextmanager
def receiver(url: str, log: Path, fail_point: str = "", most_files: int = 0) -> Generator[Process]:
    process = Process(url, log, fail_point, most_files)
    try:
        yield process
    finally:
        process.child.kill()
        process.child.wait()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.db"
    elif not POSTGRES:
        pytest.skip("no PostgreSQL: set DUEBELL_TEST_POSTGRES_URL")
    else:
        with throwaway_database(f"duebell_receiver_{os.getpid()}") as url:
            yield url


@pytest.fixture
def ledger_at(url: str) -> Generator[Engine]:
    engine = open_ledger(url)
    migrate(engine)
    connect_tenant(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("fail_point", "kept"), [("receiver-before-commit", 0), ("receiver-after-commit", 1)]
)
def test_f017_f018_a_kill_around_the_commit_acknowledges_nothing_and_loses_and_repeats_nothing(
    url: str, ledger_at: Engine, tmp_path: Path, fail_point: str, kept: int
) -> None:
    raw = delivery(xero_event())
    with receiver(url, tmp_path / "first.log", f"{fail_point}=kill") as first:
        with pytest.raises(httpx.RemoteProtocolError):
            first.deliver(raw)
        assert first.child.wait() == -signal.SIGKILL
    assert len(events_in(ledger_at)) == kept
    with receiver(url, tmp_path / "second.log") as second:
        assert [second.deliver(raw), second.deliver(raw)] == [200, 200]
    assert [row.resource_id for row in events_in(ledger_at)] == [INVOICE]


def test_a_receipt_whose_answer_was_lost_is_kept_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    fields = callback()
    headers = signed_twilio(fields, "n=1")
    with (
        receiver(url, tmp_path / "first.log", "receiver-after-commit=kill") as first,
        first.client() as client,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        client.post(f"{TWILIO}?n=1", content=form(fields), headers=headers)
    with receiver(url, tmp_path / "second.log") as second, second.client() as client:
        again = client.post(f"{TWILIO}?n=1", content=form(fields), headers=headers)
    assert again.status_code == 204
    engine = open_ledger(url)
    receipts = receipts_in(engine)
    engine.dispose()
    assert len(receipts) == 1


def test_f018_what_was_acknowledged_before_a_kill_at_any_moment_is_there(
    url: str, ledger_at: Engine, tmp_path: Path
) -> None:
    acknowledged: set[str] = set()
    for life in range(2):
        with receiver(url, tmp_path / f"{life}.log") as process, process.client() as client:
            before = len(acknowledged)
            while process.child.poll() is None:
                invoice_id = str(uuid.uuid4())
                raw = delivery(xero_event(resourceId=invoice_id))
                try:
                    status = client.post(XERO, content=raw, headers=signed_xero(raw)).status_code
                except httpx.TransportError:
                    break
                if status == 200:
                    acknowledged.add(invoice_id)
                if len(acknowledged) == before + 20:
                    process.child.kill()
    assert len(acknowledged) >= 40
    assert acknowledged <= {row.resource_id for row in events_in(ledger_at)}


def test_sigterm_ends_it_soon_although_prefect_is_away_and_callers_dawdle(tmp_path: Path) -> None:
    with receiver(f"sqlite:///{tmp_path}/ledger.db", tmp_path / "log") as process, process.client() as client:
        assert client.get("/healthz").text == "ok"
        place = (client.base_url.host, client.base_url.port or 0)
        with socket.create_connection(place) as silent, socket.create_connection(place) as slow:
            silent.sendall(b"POST /webhooks/xero HTT")
            slow.sendall(b"POST /webhooks/xero HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n")
            process.child.send_signal(signal.SIGTERM)
            assert process.child.wait(20) in {0, -signal.SIGTERM}
        assert "Traceback" not in process.log()


def test_a_ledger_that_cannot_be_opened_is_named_and_the_process_does_not_start(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "deployments.receiver"],
        cwd=ROOT,
        env={
            **os.environ,
            **ENVIRONMENT,
            "DUEBELL_DATABASE_URL": f"sqlite:///{tmp_path}/no/such/folder/x.db",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "cannot be opened" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_missing_keys_are_named_at_the_start_and_what_they_would_check_is_refused(tmp_path: Path) -> None:
    bare = {name: "" for name in ENVIRONMENT if name != "DUEBELL_LISTEN"}
    with pytest.MonkeyPatch.context() as patch:
        for name in bare:
            patch.delitem(ENVIRONMENT, name)
        with receiver(f"sqlite:///{tmp_path}/ledger.db", tmp_path / "log") as process:
            assert process.deliver(delivery(xero_event())) == 401
            assert "XERO_WEBHOOK_KEYS is unset" in process.log()
            assert "TWILIO_AUTH_TOKEN is unset" in process.log()


def test_f014_f107_a_flood_of_idle_connections_above_the_limit_of_files_keeps_no_honest_one_out(
    url: str, ledger_at: Engine, tmp_path: Path
) -> None:
    bodies = [delivery(xero_event(resourceId=str(uuid.uuid4()))) for _ in range(6)]
    with receiver(url, tmp_path / "log", most_files=128) as process:
        assert process.deliver(bodies[0]) == 200
        before = process.open_files()
        with ExitStack() as attack:
            for number in range(200):
                idle = attack.enter_context(
                    socket.create_connection(("127.0.0.1", process.port()), timeout=20)
                )
                if number % 2:
                    idle.sendall(b"POST /webhooks/xero HTTP/1.1\r\nHost: he")
            assert [process.deliver(raw) for raw in bodies[1:]] == [200] * 5
            assert process.open_files() < 128
        few = 20  # what the ledger's other threads open meanwhile
        wait_until(lambda: process.open_files() <= before + few, "what was opened is closed again")
    assert len(events_in(ledger_at)) == len(bodies)
