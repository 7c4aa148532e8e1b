"""Faults of sending and of the database, by their numbers: what must hold when each of them happens."""

import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import select

from deployments.children import ROOT
from deployments.prefect_server import PrefectServer
from duebell.audit import Entry
from duebell.books.read_in_time import FRESH
from duebell.keys import INVOICE_ISSUED
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import SEND_LEASE, Claim
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.ledger.tables import Attempt, Audit, Brake, Notification
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.sending.giving_back import Said
from duebell.sending.telling import tell
from duebell.twilio.transport import DEADLINE
from tests.support_facts import (
    ACCOUNT,
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
    RULES,
    TENANT,
    Hand,
    claim,
    counted,
    invoice_body,
    keep_contact,
    keep_invoice,
    nobody_answers,
    open_tenant,
    plan,
    resources_over,
    sid,
)

LATE = FRESH + timedelta(seconds=1)


def owed_and_claimed(engine: Engine) -> Claim:
    """A claimed message about an invoice that was read when it was planned."""
    open_tenant(engine)
    keep_invoice(engine)
    keep_contact(engine)
    with writing(engine, NOW) as book:
        [row] = plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], RULES, actor="test", flow_run_id=None)
    taken = claim(engine, row.notification_id or 0)
    assert taken
    return taken


def told_late(engine: Engine, twilio: Callable[[httpx.Request], httpx.Response], **xero_says: Any) -> Said:
    """Tell a minute later, when Xero says something else of the invoice."""
    taken = owed_and_claimed(engine)

    def read_again(_tenant: str, _ids: Sequence[str], _since: datetime) -> None:
        body = invoice_body(INVOICE, updated_at=NOW + MINUTE, **xero_says)
        keep_invoice(engine, body, read_at=NOW + LATE)

    resources = resources_over(engine, Hand(NOW + LATE), twilio=twilio)
    said = tell(resources, taken, read_again, flow_run_id="run 1")
    assert broken(engine) == []
    return said


def accepting(posted: list[str]) -> Callable[[httpx.Request], httpx.Response]:
    """A Twilio that takes every message, and keeps what it was asked."""

    def answer(request: httpx.Request) -> httpx.Response:
        posted.append(request.content.decode())
        told = {"sid": sid(), "account_sid": ACCOUNT, "status": "queued", "to": MOBILE}
        return httpx.Response(201, json=told)

    return answer


def test_f051_what_was_paid_between_plan_and_send_is_not_told(ledger: Engine) -> None:
    said = told_late(ledger, nobody_answers, Status="PAID", AmountDue=0, AmountPaid=115)
    assert (said.state, counted(ledger, Attempt)) == ("skipped", 0)


def test_f052_what_was_voided_between_plan_and_send_is_not_told(ledger: Engine) -> None:
    said = told_late(ledger, nobody_answers, Status="VOIDED", AmountDue=0)
    assert (said.state, counted(ledger, Attempt)) == ("skipped", 0)


def test_f053_what_was_edited_between_plan_and_send_is_told_as_it_is_at_the_last_look(
    sqlite_ledger: Engine,
) -> None:
    posted: list[str] = []
    told_late(sqlite_ledger, accepting(posted), Total=230, AmountDue=230)
    assert "230.00" in posted[0]
    assert "115.00" not in posted[0]


def loses(request: httpx.Request) -> httpx.Response:
    """A Twilio whose answer does not come."""
    raise httpx.ReadTimeout("no answer", request=request)


def fails(_request: httpx.Request) -> httpx.Response:
    """A Twilio that breaks down while it works."""
    return httpx.Response(500, json={"code": 20500, "message": "", "status": 500})


@pytest.mark.parametrize("twilio", [loses, fails])
def test_f075_f078_an_outcome_that_nobody_saw_is_unknown_until_a_receipt_tells_it(
    ledger: Engine, twilio: Callable[[httpx.Request], httpx.Response]
) -> None:
    taken = owed_and_claimed(ledger)
    said = tell(resources_over(ledger, twilio=twilio), taken, _no_need, flow_run_id=None)
    again = tell(resources_over(ledger, twilio=nobody_answers), taken, _no_need, flow_run_id=None)
    with reading(ledger) as session:
        [attempt] = session.exec(select(Attempt)).all()
    assert (said.state, again.state, attempt.state) == ("unknown", "unknown", "unknown")
    keep_receipt(ledger, NewReceipt(sid(), "delivered", None, attempt.attempt_id, "{}"), now=NOW)
    with reading(ledger) as session:
        assert session.exec(select(Notification.state)).all() == ["delivered"]
    assert broken(ledger) == []


def test_f070_an_attempt_stands_in_the_ledger_for_all_to_see_before_a_byte_leaves(ledger: Engine) -> None:
    seen: list[str] = []

    def looks(request: httpx.Request) -> httpx.Response:
        with reading(ledger) as session:
            seen.extend(session.exec(select(Attempt.state)).all())
        return accepting([])(request)

    tell(resources_over(ledger, twilio=looks), owed_and_claimed(ledger), _no_need, flow_run_id=None)
    assert seen == ["sending"]


def test_f074_a_lease_outlasts_two_posts_and_a_margin(ledger: Engine) -> None:
    taken = owed_and_claimed(ledger)
    with reading(ledger) as session:
        until = session.get_one(Notification, taken.notification_id).lease_until
    assert until
    assert until - NOW >= timedelta(seconds=2 * DEADLINE + 15)


def test_f104_a_run_that_is_started_twice_and_one_whose_worker_died_tell_once(ledger: Engine) -> None:
    dead = owed_and_claimed(ledger)
    assert claim(ledger, dead.notification_id, "run 2") is None
    assert claim(ledger, dead.notification_id, "run 2", now=NOW + SEND_LEASE) is None
    first = claim(ledger, dead.notification_id, "run 2", now=NOW + SEND_LEASE + MINUTE)
    second = claim(ledger, dead.notification_id, "run 2", now=NOW + SEND_LEASE + MINUTE)
    assert first
    assert second
    posted: list[str] = []
    for taken in (dead, first, second, second):
        tell(resources_over(ledger, twilio=accepting(posted)), taken, _no_need, flow_run_id=None)
    assert len(posted) == counted(ledger, Attempt) == 1
    assert broken(ledger) == []


@contextmanager
def locked(engine: Engine, until: threading.Event) -> Generator[None]:
    """A lock of somebody else's that no attempt can be written beside, held until the event."""
    holds = threading.Event()
    other = open_ledger(engine.url.render_as_string(hide_password=False))

    def hold() -> None:
        with other.begin() as connection:  # on SQLite this is the write lock
            if engine.dialect.name == "postgresql":
                connection.execute(text("LOCK TABLE attempt"))
            holds.set()
            until.wait(300)
        other.dispose()

    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(300)
    try:
        yield
    finally:
        until.set()
        thread.join()


def hurried_over(engine: Engine) -> Engine:
    """The same ledger, whose writers give up at once."""
    hurried = open_ledger(engine.url.render_as_string(hide_password=False), busy_seconds=0.05)

    def at_once(connection: Any, _record: Any) -> None:
        if hurried.dialect.name == "postgresql":
            connection.execute("SET lock_timeout = '50ms'")
            connection.commit()

    event.listen(hurried, "connect", at_once)
    return hurried


def test_f086_a_ledger_that_is_locked_after_the_post_does_not_cost_the_sid(ledger: Engine) -> None:
    taken = owed_and_claimed(ledger)
    hurried = hurried_over(ledger)
    release, posted = threading.Event(), list[str]()
    with ExitStack() as held:

        def answer(request: httpx.Request) -> httpx.Response:
            held.enter_context(locked(ledger, release))
            threading.Timer(0.4, release.set).start()
            return accepting(posted)(request)

        said = tell(resources_over(hurried, twilio=answer), taken, _no_need, flow_run_id="run 1")
    hurried.dispose()
    with reading(ledger) as session:
        [attempt] = session.exec(select(Attempt)).all()
    assert (said.state, attempt.sid, len(posted)) == ("accepted", sid(), 1)
    assert broken(ledger) == []


def _no_need(_tenant: str, _ids: Sequence[str], _since: datetime) -> None:
    raise AssertionError("the invoice was read a moment ago")


def test_f096_writers_wait_while_a_backup_holds_the_ledger(sqlite_ledger: Engine) -> None:
    release = threading.Event()
    with locked(sqlite_ledger, release):
        threading.Timer(0.3, release.set).start()
        plan(sqlite_ledger)
    assert counted(sqlite_ledger, Notification) == 1


def test_f097_what_is_read_before_a_write_is_not_overtaken_by_another_writer(sqlite_ledger: Engine) -> None:
    path = str(sqlite_ledger.url.database)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
        with writing(sqlite_ledger, NOW) as book:
            book.session.exec(select(Notification)).all()
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            book.audit(ENTRY)
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    assert counted(sqlite_ledger, Audit) == 1


ENTRY = Entry("test", "x", "x", "x")


def fill(engine: Engine) -> None:
    """Write until there is no room for more."""
    while True:
        with writing(engine, NOW) as book:
            book.audit(replace(ENTRY, details={"much": "x" * 3_000}))


def test_f098_a_full_disk_stops_a_send_before_its_post_leaves_nothing_half_and_passes(
    sqlite_ledger: Engine,
) -> None:
    taken = owed_and_claimed(sqlite_ledger)
    with sqlite_ledger.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    limited = open_ledger(str(sqlite_ledger.url))

    def limit(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}").close()

    event.listen(limited, "connect", limit)
    with pytest.raises(OperationalError, match="full"):
        fill(limited)
    entries = counted(sqlite_ledger, Audit)
    with pytest.raises(OperationalError, match="full"):
        tell(resources_over(limited, twilio=nobody_answers), taken, _no_need, flow_run_id=None)
    limited.dispose()
    assert (counted(sqlite_ledger, Attempt), counted(sqlite_ledger, Audit)) == (0, entries)
    posted: list[str] = []
    said = tell(resources_over(sqlite_ledger, twilio=accepting(posted)), taken, _no_need, flow_run_id=None)
    assert (said.state, len(posted)) == ("accepted", 1)


def test_f101_a_message_is_planned_and_told_over_the_last_connection_of_the_pool(ledger: Engine) -> None:
    """Nothing holds one connection while it waits for another: threads that do wait for each other."""
    pool: Any = ledger.pool
    posted: list[str] = []
    with ExitStack() as held:
        for _ in range(pool.size() + pool._max_overflow - 1):
            held.enter_context(ledger.connect())
        resources = resources_over(ledger, twilio=accepting(posted))
        assert tell(resources, owed_and_claimed(ledger), _no_need, flow_run_id=None).state == "accepted"
    assert len(posted) == 1


def interrupted(engine: Engine, other: Engine) -> None:
    """A change in whose middle the server ends all connections but that of ``other``."""
    end_all = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with writing(engine, NOW) as book:
        book.session.add(Brake(scope="all", stopped=True, changed_at=NOW, by="test"))
        book.session.flush()
        with other.begin() as connection:
            connection.execute(end_all)


def test_f100_a_server_that_ends_every_connection_loses_no_commit_and_keeps_nothing_half(
    ledger: Engine,
) -> None:
    if ledger.dialect.name != "postgresql":
        pytest.skip("SQLite has no server")
    other = open_ledger(ledger.url.render_as_string(hide_password=False))
    taken = owed_and_claimed(ledger)
    with pytest.raises(DBAPIError):
        interrupted(ledger, other)
    other.dispose()
    posted: list[str] = []
    said = tell(resources_over(ledger, twilio=accepting(posted)), taken, _no_need, flow_run_id=None)
    assert (said.state, len(posted)) == ("accepted", 1)
    assert broken(ledger) == []


def test_f111_no_secret_is_kept_in_a_block_of_prefect_s_and_its_api_asks_for_a_password(
    tmp_path: Path,
) -> None:
    ours = [
        path for top in ("flows", "tasks", "duebell", "deployments") for path in (ROOT / top).rglob("*.py")
    ]
    assert [path for path in ours if "prefect.blocks" in path.read_text(encoding="utf-8")] == []
    assert PrefectServer(tmp_path, 1).environment()["PREFECT_SERVER_API_AUTH_STRING"]
