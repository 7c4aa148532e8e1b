"""All that the compose file starts, as processes: two of each, any of which may be gone."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from redis import Redis
from sqlmodel import select

from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import InvoiceSummary
from deployments.sandbox.server import running_sandbox
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from tests.support_compose import Played
from tests.support_ledger import NO_POSTGRES, POSTGRES, throwaway_database
from tests.support_prefect import wait_until
from tests.support_road import CAFE, go_live, played_by, policy_of_the_road
from tests.support_sandbox import contact_id

REDIS = os.environ.get("DUEBELL_TEST_REDIS_URL", "").rstrip("/")
NO_REDIS = "no Redis: set DUEBELL_TEST_REDIS_URL to one whose databases 14 and 15 may be emptied"
pytestmark = [
    pytest.mark.skipif(not POSTGRES, reason=NO_POSTGRES),
    pytest.mark.skipif(not REDIS, reason=NO_REDIS),
]


@pytest.fixture
def redis() -> Generator[str]:
    """A Redis whose two databases are empty, before and after."""
    for number in (14, 15):
        _empty(number)
    yield REDIS
    for number in (14, 15):
        _empty(number)


def _empty(number: int) -> None:
    with Redis.from_url(f"{REDIS}/{number}") as one:  # pyright: ignore[reportUnknownMemberType] - its keywords
        one.flushdb()  # pyright: ignore[reportUnknownMemberType] - the same: redis leaves them without types


def test_each_is_told_once_though_one_of_two_servers_receivers_and_workers_is_gone(
    redis: str, tmp_path: Path
) -> None:
    name = f"duebell_compose_{os.getpid()}"
    with throwaway_database(name) as ledger, throwaway_database(f"{name}_prefect") as prefect:
        played = Played(tmp_path, ledger, prefect, redis)
        policy_of_the_road(tmp_path)
        listen = f"http://127.0.0.1:{played.receivers.port}"
        wanted = SandboxSettings(webhook_url=f"{listen}/webhooks/xero", callback_step_seconds=0.05)
        with running_sandbox(wanted) as sandbox:
            played.providers = {**played_by(sandbox.base_url), "DUEBELL_PUBLIC_URL": listen}
            try:
                played.start()
                _tell(played, sandbox)
            finally:
                played.stop()


def _tell(played: Played, sandbox: SandboxControl) -> None:
    engine = open_ledger(played.ledger)
    go_live(engine)
    cafe = contact_id(sandbox, CAFE)

    def are_told(invoices: list[InvoiceSummary]) -> bool:
        ids = {one.invoice_id for one in invoices}
        with reading(engine) as session:
            rows = session.exec(select(Notification).where(Notification.state == "delivered")).all()
        return ids <= {row.invoice_id for row in rows}

    issued = [sandbox.add_invoice(cafe, "100.00")]
    wait_until(lambda: are_told(issued), "the first is delivered")
    for gone in ("prefect-server-1", "receiver-1", "worker-1-1"):
        played.kill(gone)
    issued += [sandbox.add_invoice(cafe, f"{amount}.00") for amount in range(201, 205)]
    wait_until(lambda: are_told(issued), "all are delivered", 600)
    said = [message.body.split() for message in sandbox.accepted_messages()]
    told = {one.number: sum(one.number in words for words in said) for one in issued}
    assert told == dict.fromkeys(told, 1)
    assert broken(engine) == []
    engine.dispose()
