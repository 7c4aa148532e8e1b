"""What Xero signed is kept before it is acknowledged, and nothing else gets in."""

import asyncio
import hashlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deployments.receiver.app import make_app
from deployments.receiver.parts import Patience
from deployments.receiver.server import open_for_answers
from deployments.receiver.xero_webhook import REASONS_TOLD, ToBeKept, to_be_kept
from duebell.ledger.engine import open_ledger
from duebell.ledger.inbox import NewEvent
from tests.support_ledger import POSTGRES
from tests.support_prefect import wait_until
from tests.support_receiver import (
    INVOICE,
    KEY,
    OTHER_KEY,
    TENANT,
    XERO,
    FakePrefect,
    ask,
    ask_at_once,
    connect_tenant,
    deliver,
    delivery,
    events_in,
    parts,
    rejected_in,
    signed_xero,
    xero_event,
)
from tests.test_xero_signature import PING, PING_SIGNATURE, UPDATE, UPDATE_SIGNATURE

BROKEN = "sqlite:////nowhere/at/all/duebell.db"


def test_an_event_is_marked_with_its_time_in_utc_to_the_millisecond() -> None:
    at = datetime(2026, 11, 20, 1, 15, 39, 902000, UTC)
    expected = NewEvent(TENANT, "INVOICE", INVOICE, "UPDATE", "2026-11-20T01:15:39.902+00:00", at)
    assert to_be_kept(UPDATE) == ToBeKept((expected,), (), 215, 215)


def test_a_time_without_a_fraction_and_one_in_another_zone_give_the_same_mark() -> None:
    spellings = ["2026-11-20T01:15:39", "2026-11-20T01:15:39.000Z", "2026-11-20T14:15:39+13:00"]
    kept = to_be_kept(delivery(*(xero_event(eventDateUtc=text) for text in spellings)))
    assert [event.mark for event in kept.events] == ["2026-11-20T01:15:39.000+00:00"]
    assert kept.rejected == ()


def test_deliveries_with_the_same_events_in_another_order_are_kept_in_one_order() -> None:
    one, other = xero_event(), xero_event(eventCategory="CONTACT")
    assert to_be_kept(delivery(one, other)).events == to_be_kept(delivery(other, one)).events


def test_f004_the_events_beside_a_malformed_one_are_kept_and_the_whole_body_with_the_reasons() -> None:
    raw = delivery(*[xero_event(tenantId="no uuid")] * (REASONS_TOLD + 2), xero_event())
    kept = to_be_kept(raw)
    (rejected,) = kept.rejected
    assert len(kept.events) == 1
    assert (rejected.raw, rejected.sha256) == (raw, hashlib.sha256(raw).hexdigest())
    assert rejected.reason.startswith("event 0: tenantId is not a UUID; event 1: ")
    assert rejected.reason.endswith("; 2 more")


def test_f005_the_published_vectors_pass_and_the_second_is_in_the_inbox(ledger: Engine) -> None:
    connect_tenant(ledger)
    app = make_app(parts(ledger))
    for raw, signature in ((PING, PING_SIGNATURE), (UPDATE, UPDATE_SIGNATURE)):
        answer = ask(app, "POST", XERO, raw, {"x-xero-signature": signature})
        assert (answer.status_code, answer.content) == (200, b"")
        assert "set-cookie" not in answer.headers
    assert [(row.resource_id, row.state, row.found_by) for row in events_in(ledger)] == [
        (INVOICE, "pending", "webhook")
    ]


GOOD = PING_SIGNATURE.encode()
UNSIGNED: list[list[tuple[bytes, bytes]]] = [
    [],
    [(b"x-xero-signature", b"")],
    [(b"x-xero-signature", UPDATE_SIGNATURE.encode())],
    [(b"x-xero-signature", b"B" + GOOD[1:])],
    [(b"x-xero-signature", GOOD + b" junk")],
    [(b"x-xero-signature", "é".encode("latin-1") * 44)],
    [(b"x-xero-signature", b"\xff\xfe")],
    [(b"x-xero-signature", GOOD), (b"x-xero-signature", GOOD)],
    [(b"x-xero-signature", GOOD), (b"x-xero-signature", b"other")],
]


@pytest.mark.parametrize("headers", UNSIGNED)
def test_f006_whatever_is_not_signed_gets_the_same_empty_401_and_leaves_nothing(
    headers: list[tuple[bytes, bytes]], sqlite_ledger: Engine
) -> None:
    answer = ask(make_app(parts(sqlite_ledger)), "POST", XERO, PING, headers)
    assert (answer.status_code, answer.content) == (401, b"")
    assert dict(answer.headers) == {"connection": "close", "content-length": "0"}
    assert not events_in(sqlite_ledger)
    assert not rejected_in(sqlite_ledger)


def test_without_a_key_nothing_is_signed(sqlite_ledger: Engine) -> None:
    app = make_app(parts(sqlite_ledger, XERO_WEBHOOK_KEYS=""))
    assert deliver(app, PING, key="") == deliver(app, PING) == 401


def test_f008_both_keys_are_taken_while_one_replaces_the_other(sqlite_ledger: Engine) -> None:
    app = make_app(parts(sqlite_ledger))
    assert [deliver(app, PING, key) for key in (KEY, OTHER_KEY, "old")] == [200, 200, 401]


def test_an_unsigned_body_is_refused_before_the_ledger_is_touched() -> None:
    app = make_app(parts(open_ledger(BROKEN)))
    assert ask(app, "POST", XERO, delivery(xero_event()), {"x-xero-signature": "no"}).status_code == 401


def test_the_intent_to_receive_passes_although_the_ledger_is_away() -> None:
    assert deliver(make_app(parts(open_ledger(BROKEN))), PING) == 200


def test_a_ledger_that_cannot_be_opened_is_a_503_and_no_acknowledgement() -> None:
    raw = delivery(xero_event())
    answer = ask(make_app(parts(open_ledger(BROKEN))), "POST", XERO, raw, signed_xero(raw))
    assert (answer.status_code, answer.content) == (503, b"")


def test_a_server_that_cannot_be_reached_is_a_503() -> None:
    url = "postgresql+psycopg://nobody:secret@127.0.0.1:1/none"
    assert deliver(make_app(parts(open_for_answers(url))), delivery(xero_event())) == 503


def test_f019_f096_a_locked_ledger_is_a_503_for_everybody_and_takes_the_event_when_it_comes_again(
    migrated: Path, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(migrated.read_bytes())
    engine = open_ledger(f"sqlite:///{path}", busy_seconds=0.5)
    connect_tenant(engine)
    app = make_app(parts(engine, patience=Patience(answer_seconds=0.8)))
    raw = delivery(xero_event())
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    # Those that wait for their turn are answered in time too.
    answers = ask_at_once(app, [("POST", XERO, raw, signed_xero(raw))] * 30)
    assert {(answer.status_code, answer.content) for answer in answers} == {(503, b"")}
    # The last of them may still be trying, and would be kept, though nobody was told so.
    wait_until(lambda: engine.pool.checkedout() == 0, "the last try gave up", 10)  # type: ignore[attr-defined]
    holder.execute("ROLLBACK")
    holder.close()
    assert not events_in(engine)
    assert deliver(make_app(parts(engine)), raw) == 200
    assert len(events_in(engine)) == 1
    engine.dispose()


@pytest.mark.skipif(not POSTGRES, reason="no PostgreSQL: set DUEBELL_TEST_POSTGRES_URL")
def test_f019_a_statement_that_waits_on_postgresql_is_given_up_and_frees_its_thread(postgres: Engine) -> None:
    url = postgres.url.render_as_string(hide_password=False)
    engine = open_for_answers(url)
    app = make_app(parts(engine, patience=Patience(answer_seconds=0.5)))
    raw = delivery(xero_event())
    with postgres.connect() as holder:
        holder.exec_driver_sql("LOCK TABLE xero_event")
        assert deliver(app, raw) == 503
        # The lock is still held: the statement that waits for it has to end by itself.
        wait_until(lambda: engine.pool.checkedout() == 0, "the statement gave up", 10)  # type: ignore[attr-defined]
    assert deliver(make_app(parts(engine, patience=Patience(answer_seconds=30))), raw) == 200
    engine.dispose()


def test_f001_the_same_delivery_a_hundred_times_at_once_is_one_row(ledger: Engine) -> None:
    connect_tenant(ledger)
    app = make_app(parts(ledger, patience=Patience(answer_seconds=30)))
    bodies = [delivery(xero_event(), entropy=str(number % 7)) for number in range(100)]
    answers = ask_at_once(app, [("POST", XERO, raw, signed_xero(raw)) for raw in bodies])
    assert [answer.status_code for answer in answers] == [200] * 100
    assert len(events_in(ledger)) == 1


def test_f007_an_unknown_tenant_and_an_unknown_category_are_acknowledged_and_recorded(ledger: Engine) -> None:
    connect_tenant(ledger)
    stranger = "aaaaaaaa-bbbb-4ccc-8ddd-ffffffffffff"
    raw = delivery(xero_event(tenantId=stranger), xero_event(eventCategory="GIFTCARD"), xero_event())
    assert deliver(make_app(parts(ledger)), raw) == 200
    assert {(row.tenant_id, row.category, row.state, row.outcome) for row in events_in(ledger)} == {
        (stranger, "INVOICE", "ignored", "unknown tenant"),
        (TENANT, "GIFTCARD", "ignored", "unknown category"),
        (TENANT, "INVOICE", "pending", ""),
    }


HOSTILE = [
    b"",
    b"not json",
    b"\xff\xfe\x00",
    b"[" * 100_000 + b"]" * 100_000,
    b'{"events":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"events":[],"n":NaN}',
    b'{"events":["\\ud800"]}',
    b'{"events":[{"tenantId":"\\u0000"}]}',
    b'{"events":[' + b"9" * 5_000 + b"]}",
    b'{"events":[' + b"1," * 100_000 + b"1]}",
    b'{"events":[],"events":{}}',
    b'{"events":"' + b"a" * 200_000 + b'"}',
    delivery(xero_event(eventCategory="\x00")),
    delivery(xero_event(eventType="\u202e")),
    delivery(xero_event(eventDateUtc="9999-12-31T23:59:59.999-14:00")),
    delivery(xero_event(eventDateUtc=10**400)),
    delivery(xero_event(resourceId={"in": INVOICE})),
]


@pytest.mark.parametrize("raw", HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_f010_a_hostile_body_is_kept_raw_when_signed_and_refused_when_not(raw: bytes, ledger: Engine) -> None:
    app = make_app(parts(ledger))
    assert ask(app, "POST", XERO, raw, {"x-xero-signature": "no"}).status_code == 401
    assert not rejected_in(ledger)
    assert deliver(app, raw) == 200
    assert [(row.raw, row.sha256) for row in rejected_in(ledger)] == [(raw, hashlib.sha256(raw).hexdigest())]
    assert deliver(app, raw) == 200
    assert len(rejected_in(ledger)) == 1
    assert not events_in(ledger)


def test_an_unreadable_body_is_said_loudly_and_its_content_is_not(
    sqlite_ledger: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    raw = b'{"events":[{"tenantId":"planted-canary"}], "more":"planted-canary"}'
    assert deliver(make_app(parts(sqlite_ledger)), raw) == 200
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert hashlib.sha256(raw).hexdigest() in errors[0]
    assert "canary" not in caplog.text


def test_a_failure_nobody_foresaw_is_an_empty_500_whose_text_stays_inside(
    sqlite_ledger: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> datetime:
        raise ValueError("planted-canary")

    receiver = parts(sqlite_ledger)
    app = make_app(type(receiver)(receiver.settings, receiver.engine, broken, receiver.prefect))
    raw = delivery(xero_event())
    answer = ask(app, "POST", XERO, raw, signed_xero(raw))
    assert (answer.status_code, answer.content) == (500, b"")
    assert "ValueError" in caplog.text
    assert "canary" not in caplog.text


def test_each_waiting_tenant_is_nudged_and_a_repeated_event_nudges_nobody(sqlite_ledger: Engine) -> None:
    other = "aaaaaaaa-bbbb-4ccc-8ddd-000000000000"
    connect_tenant(sqlite_ledger)
    connect_tenant(sqlite_ledger, other)
    prefect = FakePrefect()
    raw = delivery(xero_event(), xero_event(eventCategory="CONTACT"), xero_event(tenantId=other))
    app = make_app(parts(sqlite_ledger, prefect))

    async def while_it_runs() -> None:
        async with app.router.lifespan_context(app):
            for _ in range(2):
                await asyncio.to_thread(deliver, app, raw)
            await asyncio.to_thread(wait_until, lambda: len(prefect.events) >= 2, "two nudges came")

    asyncio.run(while_it_runs())
    assert sorted(event["payload"]["tenant_id"] for event in prefect.events) == [other, TENANT]
    for event in prefect.events:
        assert event["event"] == "xero.events.received"
        assert event["resource"] == {"prefect.resource.id": f"xero.tenant.{event['payload']['tenant_id']}"}
        assert event["occurred"] == "2026-11-20T01:16:00+00:00"


def test_f103_an_answer_does_not_wait_for_a_prefect_that_is_away(sqlite_ledger: Engine) -> None:
    connect_tenant(sqlite_ledger)
    prefect = FakePrefect(away=True)
    assert deliver(make_app(parts(sqlite_ledger, prefect)), delivery(xero_event())) == 200
    assert [row.state for row in events_in(sqlite_ledger)] == ["pending"]
    assert not prefect.events
