"""Faults of what comes in, by their numbers: bursts, a machine that gives no more, and what nobody signed."""

import ast
import asyncio
import os
import threading
import uuid
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from deployments.children import ROOT
from deployments.receiver import xero_webhook
from deployments.receiver.app import make_app
from deployments.receiver.parts import Patience
from deployments.receiver.server import open_for_answers
from tests.support_prefect import wait_until
from tests.support_receiver import (
    XERO,
    connect_tenant,
    deliver,
    delivery,
    events_in,
    parts,
    serving,
    signed_xero,
    xero_event,
)

PATIENT = Patience(answer_seconds=60)
"""A slow machine is no refusal."""


def test_f021_a_burst_of_a_thousand_events_is_acknowledged_and_kept_whole(ledger: Engine) -> None:
    connect_tenant(ledger)
    events = [xero_event(resourceId=str(uuid.UUID(int=number))) for number in range(1_000)]
    bodies = [delivery(*events[first::100]) for first in range(100)]

    async def burst(port: int) -> list[int]:
        url, statuses = f"http://127.0.0.1:{port}{XERO}", list[int]()
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:

            async def post(some: list[bytes]) -> None:
                for raw in some:
                    answer = await client.post(url, content=raw, headers=signed_xero(raw))
                    statuses.append(answer.status_code)

            await asyncio.gather(*(post(bodies[first::25]) for first in range(25)))
        return statuses

    with serving(parts(ledger, patience=PATIENT)) as port:
        assert Counter(asyncio.run(burst(port))) == {200: 100}
    assert len({row.resource_id for row in events_in(ledger)}) == 1_000


@contextmanager
def none_left(engine: Engine) -> Generator[None]:
    """Every connection of the pool is in other hands."""
    pool: Any = engine.pool
    with ExitStack() as held:
        for _ in range(pool.size() + pool._max_overflow):
            held.enter_context(engine.connect())
        yield


def test_f101_without_a_connection_left_nothing_is_acknowledged_and_it_passes_by_itself(
    ledger: Engine,
) -> None:
    connect_tenant(ledger)
    engine = open_for_answers(ledger.url.render_as_string(hide_password=False))
    app = make_app(parts(engine, patience=Patience(answer_seconds=0.5)))
    raw = delivery(xero_event())
    with none_left(engine):
        assert [deliver(app, raw) for _ in range(3)] == [503] * 3
        assert events_in(ledger) == []
    app = make_app(parts(engine, patience=PATIENT))
    assert deliver(app, raw) == 200
    assert len(events_in(ledger)) == 1
    wait_until(lambda: engine.pool.checkedout() == 0, "the first thread is done too")  # type: ignore[attr-defined]
    engine.dispose()


def test_f101_a_server_that_takes_no_more_connections_is_a_503_until_it_does(ledger: Engine) -> None:
    if ledger.dialect.name != "postgresql":
        pytest.skip("SQLite has no server")
    connect_tenant(ledger)
    with limited_to_one(ledger) as url:
        engine, other = open_for_answers(url), open_for_answers(url)
        app, raw = make_app(parts(engine)), delivery(xero_event())
        with other.connect():
            assert [deliver(app, raw) for _ in range(2)] == [503] * 2
            assert events_in(ledger) == []
        other.dispose()
        wait_until(lambda: deliver(app, raw) == 200, "the server takes one more connection")
        engine.dispose()
    assert len(events_in(ledger)) == 1


@contextmanager
def limited_to_one(engine: Engine) -> Generator[str]:
    """The URL of the same ledger for somebody whom the server grants a single connection."""
    name = f"duebell_test_limited_{os.getpid()}"
    gone = f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 1"))
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}"))
        connection.execute(text(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}"))
    try:
        yield engine.url.set(username=name).render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(text(gone))


def test_f107_without_a_thread_left_nothing_is_acknowledged_and_it_passes_by_itself(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_tenant(ledger)
    app, raw = make_app(parts(ledger)), delivery(xero_event())

    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as machine:
        machine.setattr(threading.Thread, "start", refused)
        assert deliver(app, raw) == 503
    assert events_in(ledger) == []
    assert deliver(app, raw) == 200
    assert len(events_in(ledger)) == 1


def test_f116_what_is_not_signed_is_not_even_parsed(
    sqlite_ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []
    to_be_kept = xero_webhook.to_be_kept

    def noting(raw: bytes) -> xero_webhook.ToBeKept:
        parsed.append(raw)
        return to_be_kept(raw)

    monkeypatch.setattr(xero_webhook, "to_be_kept", noting)
    app, raw = make_app(parts(sqlite_ledger)), delivery(xero_event())
    assert deliver(app, raw) == 200
    assert deliver(app, raw, key="another") == 401
    assert parsed == [raw]


def test_f116_signatures_are_compared_in_constant_time() -> None:
    tree = ast.parse((ROOT / "duebell" / "xero" / "signature.py").read_text(encoding="utf-8"))
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert "hmac.compare_digest" in calls
    assert [node for node in ast.walk(tree) if isinstance(node, ast.Compare)] == []
