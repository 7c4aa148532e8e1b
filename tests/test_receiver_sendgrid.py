"""A batch of SendGrid's events is believed only with its signature, and then no event of it is lost."""

import json
import random
import time

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.event import listen
from sqlmodel import col, select
from starlette.applications import Starlette

from deployments.receiver.app import make_app
from deployments.receiver.parts import Patience
from deployments.receiver.sendgrid_events import LARGEST_BATCH
from duebell.ledger import tables
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.receipts import bind_earlier
from duebell.ledger.writing import writing
from tests.support_receiver import (
    NOW,
    Headers,
    add_attempt,
    ask,
    ask_at_once,
    parts,
    receipts_in,
)
from tests.test_email_events import OTHER, PUBLIC, TIMESTAMP, batch, event, signed, written
from tests.test_email_requests import ATTEMPT, TO

SENDGRID = "/webhooks/sendgrid"
SID = "kiC2BsplQXGrH6HLUMYlgQ"


def receiving(engine: Engine, keys: str = PUBLIC) -> Starlette:
    """A receiver over this ledger that knows these verification keys."""
    return make_app(parts(engine, SENDGRID_WEBHOOK_KEYS=keys))


def headers(raw: bytes, timestamp: str = TIMESTAMP, signature: str = "") -> dict[str, str]:
    """What SendGrid sends beside a body."""
    return {
        "content-type": "application/json",
        "X-Twilio-Email-Event-Webhook-Signature": signature or signed(raw, timestamp),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    }


def post(engine: Engine, *events: object) -> int:
    """The status that a signed batch gets."""
    raw = batch(*events)
    return ask(receiving(engine), "POST", SENDGRID, raw, headers(raw)).status_code


def a_mail(engine: Engine, **changes: object) -> None:
    """An attempt whose POST has begun, to an email address."""
    with writing(engine, NOW) as book:
        add_attempt(book.session, ATTEMPT, **{"address": TO, **changes})


def standing(engine: Engine) -> tuple[str, str | None, str, str]:
    """The attempt's state and sid, and its notification's state and reason."""
    with reading(engine) as session:
        attempt = session.get_one(tables.Attempt, ATTEMPT)
        row = session.get_one(tables.Notification, attempt.notification_id)
        return attempt.state, attempt.sid, row.state, row.reason


def refused_in(engine: Engine) -> dict[tuple[str, str], str]:
    with reading(engine) as session:
        rows = session.exec(select(tables.Preference).order_by(col(tables.Preference.channel))).all()
        return {(row.address, row.channel): row.state for row in rows}


def kind(word: str, **changes: object) -> dict[str, object]:
    return event(event=word, sg_event_id=f"{word}-{changes.get('type', '')}", **changes)


def test_a_signed_batch_is_kept_event_by_event_and_answered_with_nothing(ledger: Engine) -> None:
    a_mail(ledger)
    raw = batch(kind("processed"), kind("delivered"))
    answer = ask(receiving(ledger), "POST", SENDGRID, raw, headers(raw))
    assert (answer.status_code, answer.content) == (200, b"")
    assert "set-cookie" not in answer.headers
    assert [(row.sid, row.status, row.error_code, row.attempt_id) for row in receipts_in(ledger)] == [
        (SID, "processed", 0, ATTEMPT),
        (SID, "delivered", 0, ATTEMPT),
    ]
    assert standing(ledger) == ("accepted", SID, "delivered", "")


def test_an_event_before_the_answer_to_the_post_binds_its_attempt(ledger: Engine) -> None:
    a_mail(ledger)
    assert post(ledger, kind("processed")) == 200
    assert standing(ledger) == ("accepted", SID, "accepted", "")


@pytest.mark.parametrize("seed", range(6))
def test_any_order_and_repetition_of_the_events_comes_to_the_same(seed: int, sqlite_ledger: Engine) -> None:
    a_mail(sqlite_ledger)
    chance = random.Random(seed)  # noqa: S311 -- an order, no secret
    events = [kind(word) for word in ("processed", "deferred", "delivered", "open", "click")]
    shuffled = chance.sample(events * 3, k=15)
    for start in range(0, 15, 5):
        assert post(sqlite_ledger, *shuffled[start : start + 5]) == 200
    assert standing(sqlite_ledger)[2] == "delivered"
    assert len(receipts_in(sqlite_ledger)) == 5


def test_the_same_batch_many_times_at_once_is_one_receipt_an_event(ledger: Engine) -> None:
    a_mail(ledger)
    raw = batch(kind("processed"), kind("delivered"))
    app = receiving(ledger)
    answers = ask_at_once(app, [("POST", SENDGRID, raw, headers(raw))] * 10)
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len(receipts_in(ledger)) == 2


@pytest.mark.parametrize(
    ("one", "reason", "refused"),
    [
        (kind("bounce", type="bounce"), "email:bounce", "invalid"),
        (kind("bounce", type="blocked"), "email:blocked", None),
        (kind("dropped", reason="Bounced Address"), "email:dropped_bounced", "invalid"),
        (kind("dropped", reason="Unsubscribed Address"), "email:dropped_unsubscribed", "opted_out"),
        (kind("dropped", reason="Spam Reporting Address"), "email:dropped_spam_report", "opted_out"),
        (kind("dropped", reason="Spam Content"), "email:dropped", None),
    ],
)
def test_an_email_that_did_not_arrive_says_why_and_marks_the_address_where_that_is_proof(
    one: dict[str, object], reason: str, refused: str | None, ledger: Engine
) -> None:
    a_mail(ledger)
    assert post(ledger, one) == 200
    assert standing(ledger)[2:] == ("undelivered", reason)
    assert refused_in(ledger) == ({(TO, "email"): refused} if refused else {})


@pytest.mark.parametrize("word", ["spamreport", "unsubscribe", "group_unsubscribe"])
def test_a_complaint_or_an_unsubscription_is_an_opt_out_of_a_delivered_email(
    word: str, ledger: Engine
) -> None:
    a_mail(ledger)
    assert post(ledger, kind("delivered"), kind(word)) == 200
    assert standing(ledger)[2:] == ("delivered", "")
    assert refused_in(ledger) == {(TO, "email"): "opted_out"}


def test_an_unknown_kind_is_kept_and_proves_that_the_email_was_taken(ledger: Engine) -> None:
    a_mail(ledger)
    assert post(ledger, kind("teleported")) == 200
    assert [row.status for row in receipts_in(ledger)] == ["teleported"]
    assert standing(ledger)[2] == "accepted"
    assert refused_in(ledger) == {}


def test_a_late_bounce_under_an_id_of_its_own_reaches_its_attempt(ledger: Engine) -> None:
    a_mail(ledger, sid=SID)
    assert post(ledger, kind("bounce", sg_message_id="another.recvd-1-1", type="bounce")) == 200
    assert standing(ledger) == ("accepted", SID, "undelivered", "email:bounce")


def test_unknown_emails_and_attempts_are_kept_and_answered_like_known_ones(ledger: Engine) -> None:
    a_mail(ledger)
    known, unknown = kind("delivered"), kind("delivered", n="nobody", sg_message_id="unknown.recvd-1")
    app = receiving(ledger)
    answers = [ask(app, "POST", SENDGRID, raw, headers(raw)) for raw in (batch(known), batch(unknown))]
    assert {(one.status_code, one.content, tuple(one.headers.items())) for one in answers} == {
        (200, b"", (("content-length", "0"),))
    }
    assert {(row.sid, row.attempt_id) for row in receipts_in(ledger)} == {(SID, ATTEMPT), ("unknown", None)}


def test_a_receipt_of_an_unknown_email_is_bound_when_its_id_is_known(ledger: Engine) -> None:
    assert post(ledger, kind("bounce", n="nobody", type="bounce")) == 200
    a_mail(ledger)
    with writing(ledger, NOW) as book:
        bind_earlier(book, ATTEMPT, SID)
    assert standing(ledger) == ("accepted", SID, "undelivered", "email:bounce")
    assert refused_in(ledger) == {(TO, "email"): "invalid"}


def test_the_events_of_other_mail_are_acknowledged_and_not_kept(sqlite_ledger: Engine) -> None:
    assert post(sqlite_ledger, kind("delivered", n=None), kind("open", n="a b")) == 200
    assert receipts_in(sqlite_ledger) == []


def test_a_broken_event_costs_none_of_the_others(sqlite_ledger: Engine) -> None:
    assert post(sqlite_ledger, None, kind("processed"), {"event": 7}, kind("delivered"), []) == 200
    assert [row.status for row in receipts_in(sqlite_ledger)] == ["processed", "delivered"]


def test_the_trail_says_that_sendgrid_told_it(sqlite_ledger: Engine) -> None:
    a_mail(sqlite_ledger)
    post(sqlite_ledger, kind("spamreport"))
    with reading(sqlite_ledger) as session:
        trail = session.exec(select(tables.Audit)).all()
    assert ("sendgrid", "receipt kept") in {(entry.actor, entry.action) for entry in trail}
    assert not [entry for entry in trail if TO in entry.details]


RAW = batch(kind("delivered"))
GENUINE = headers(RAW)
SIGNATURE, STAMP = (name.lower().encode() for name in list(GENUINE)[1:])
FORGED: list[tuple[bytes, Headers]] = [
    (RAW, {}),
    (RAW, {"X-Twilio-Email-Event-Webhook-Timestamp": TIMESTAMP}),
    (RAW, headers(RAW) | {"X-Twilio-Email-Event-Webhook-Timestamp": "1763805601"}),
    (RAW, headers(RAW, signature=signed(RAW, key=OTHER))),
    (RAW, headers(RAW, signature="junk")),
    (RAW, [(SIGNATURE, "é".encode("latin-1")), (STAMP, TIMESTAMP.encode())]),
    (RAW, [(SIGNATURE, signed(RAW).encode())] * 2 + [(STAMP, TIMESTAMP.encode())]),
    (RAW, [(SIGNATURE, signed(RAW).encode())] + [(STAMP, TIMESTAMP.encode())] * 2),
    (RAW.replace(b"delivered", b"bounce"), GENUINE),
    (RAW + b" ", GENUINE),
    (b"", GENUINE),
    (b"\xff\xfe", GENUINE),
]


@pytest.mark.parametrize(("raw", "given"), FORGED)
def test_a_forged_batch_gets_an_empty_401_and_leaves_nothing(
    raw: bytes, given: Headers, sqlite_ledger: Engine
) -> None:
    answer = ask(receiving(sqlite_ledger), "POST", SENDGRID, raw, given)
    assert (answer.status_code, answer.content) == (401, b"")
    assert not receipts_in(sqlite_ledger)


def test_without_a_key_nothing_is_genuine_and_any_of_several_is_enough(sqlite_ledger: Engine) -> None:
    several = f"{written(OTHER.public_key())}, {PUBLIC}"
    for keys, status in (("", 401), (written(OTHER.public_key()), 401), (several, 200)):
        app = receiving(sqlite_ledger, keys)
        assert ask(app, "POST", SENDGRID, RAW, GENUINE).status_code == status


def test_a_signed_body_that_is_no_batch_is_not_asked_for_again(
    sqlite_ledger: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    for raw in (b"{}", b"null", b"[", b"\xff"):
        app = receiving(sqlite_ledger)
        assert ask(app, "POST", SENDGRID, raw, headers(raw)).status_code == 200
    assert "no list of events" in caplog.text


def test_a_batch_as_large_as_sendgrid_makes_them_is_taken_and_a_larger_one_is_not(
    sqlite_ledger: Engine,
) -> None:
    app = receiving(sqlite_ledger)
    whole = batch(*(kind("delivered", response="x" * 30_000, n=None) for _ in range(26)))
    assert 768 * 1024 < len(whole) < LARGEST_BATCH
    assert ask(app, "POST", SENDGRID, whole, headers(whole)).status_code == 200
    larger = whole + b" " * LARGEST_BATCH
    assert ask(app, "POST", SENDGRID, larger, headers(larger)).status_code == 413


def test_a_batch_that_takes_too_long_gets_further_each_time_it_comes(
    sqlite_ledger: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def dawdle(_: Connection) -> None:
        time.sleep(0.8)

    listen(sqlite_ledger, "begin", dawdle)
    app = make_app(parts(sqlite_ledger, patience=Patience(answer_seconds=3.0), SENDGRID_WEBHOOK_KEYS=PUBLIC))
    raw = batch(*(event(sg_message_id=f"m{one}", sg_event_id=str(one)) for one in range(120)))
    kept, statuses = [0], [0]
    while statuses[-1] != 200:
        statuses.append(ask(app, "POST", SENDGRID, raw, headers(raw)).status_code)
        kept.append(len(receipts_in(sqlite_ledger)))
        assert kept[-1] > kept[-2] or kept[-1] == 120
    assert (kept[-1], set(statuses[1:-1])) == (120, {503})
    assert "in time" in caplog.text


def test_only_a_post_to_the_very_path_is_answered(sqlite_ledger: Engine) -> None:
    app = receiving(sqlite_ledger)
    for method, path, status in (
        ("GET", SENDGRID, 405),
        ("POST", SENDGRID + "/", 404),
        ("POST", "/webhooks/send%67rid", 404),
    ):
        assert ask(app, method, path, RAW, GENUINE).status_code == status


def test_a_ledger_that_is_away_makes_sendgrid_come_again() -> None:
    away = open_ledger("sqlite:////nowhere/at/all/x.db")
    answer = ask(receiving(away), "POST", SENDGRID, RAW, GENUINE)
    assert (answer.status_code, answer.content) == (503, b"")


def test_neither_addresses_nor_ids_nor_signatures_are_logged(
    sqlite_ledger: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    post(sqlite_ledger, kind("delivered"), {"email": TO})
    ask(receiving(sqlite_ledger), "POST", SENDGRID, json.dumps([TO]).encode(), GENUINE)
    assert caplog.records
    for secret in (TO, "harbour", ATTEMPT, GENUINE["X-Twilio-Email-Event-Webhook-Signature"]):
        assert secret not in caplog.text
