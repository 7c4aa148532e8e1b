"""A status callback is believed only with Twilio's signature over our own address, and then never lost."""

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from deployments.receiver.app import make_app
from duebell.ledger import tables
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.writing import writing
from tests.support_receiver import (
    ACCOUNT,
    NOW,
    TWILIO,
    Headers,
    add_attempt,
    ask,
    ask_at_once,
    callback,
    form,
    parts,
    receipts_in,
    signed_twilio,
)

ATTEMPT = "0199aaaa-0000-7000-8000-000000000001"
QUERY = f"n={ATTEMPT}"
HERE = f"{TWILIO}?{QUERY}"


def send(engine: Engine, fields: dict[str, str], query: str = QUERY) -> int:
    """The status that a signed callback gets."""
    place = f"{TWILIO}?{query}" if query else TWILIO
    return ask(make_app(parts(engine)), "POST", place, form(fields), signed_twilio(fields, query)).status_code


def state_of(engine: Engine, attempt_id: str) -> tuple[str, str | None, str]:
    """What the ledger says of an attempt: its state, its SID, and its notification's state."""
    with reading(engine) as session:
        attempt = session.get(tables.Attempt, attempt_id)
        assert attempt is not None
        row = session.exec(
            select(tables.Notification).where(
                col(tables.Notification.notification_id) == attempt.notification_id
            )
        ).one()
        return attempt.state, attempt.sid, row.state


def test_a_signed_callback_is_kept_and_answered_with_nothing(ledger: Engine) -> None:
    fields = callback()
    answer = ask(make_app(parts(ledger)), "POST", HERE, form(fields), signed_twilio(fields, QUERY))
    assert (answer.status_code, answer.content) == (204, b"")
    assert "set-cookie" not in answer.headers
    assert [(row.sid, row.status, row.error_code) for row in receipts_in(ledger)] == [
        (fields["MessageSid"], "delivered", 0)
    ]


def test_f088_a_callback_before_the_answer_binds_the_sid_to_its_attempt(
    ledger: Engine,
) -> None:
    with writing(ledger, NOW) as book:
        add_attempt(book.session, ATTEMPT)
    fields = callback(MessageStatus="sent", SmsStatus="sent")
    assert send(ledger, fields) == 204
    assert state_of(ledger, ATTEMPT) == ("accepted", fields["MessageSid"], "sent")


def test_a_late_sent_does_not_move_a_delivered_message_backwards(ledger: Engine) -> None:
    with writing(ledger, NOW) as book:
        add_attempt(book.session, ATTEMPT)
    for status in ("delivered", "sent", "queued"):
        assert send(ledger, callback(MessageStatus=status, SmsStatus=status)) == 204
    assert state_of(ledger, ATTEMPT)[2] == "delivered"
    assert len(receipts_in(ledger)) == 3


def test_f091_known_and_unknown_messages_and_attempts_get_the_same_answer(ledger: Engine) -> None:
    with writing(ledger, NOW) as book:
        add_attempt(book.session, ATTEMPT)
    known, unknown = callback(), callback(MessageSid="SM" + "f" * 32)
    answers = [
        ask(make_app(parts(ledger)), "POST", f"{TWILIO}?{query}", form(fields), signed_twilio(fields, query))
        for fields, query in [(known, QUERY), (unknown, "n=nobody"), (unknown, ""), (known, "n=a&n=b")]
        for query in [query or "x=1"]
    ]
    assert {(answer.status_code, answer.content, tuple(answer.headers.items())) for answer in answers} == {
        (204, b"", ())
    }
    assert {(row.sid, row.attempt_id) for row in receipts_in(ledger)} == {
        (known["MessageSid"], ATTEMPT),
        (unknown["MessageSid"], None),
    }


def test_f090_the_same_callback_many_times_at_once_is_one_receipt(ledger: Engine) -> None:
    fields = callback()
    app = make_app(parts(ledger))
    answers = ask_at_once(app, [("POST", HERE, form(fields), signed_twilio(fields, QUERY))] * 20)
    assert [answer.status_code for answer in answers] == [204] * 20
    assert len(receipts_in(ledger)) == 1


def test_f092_blank_and_unknown_fields_are_part_of_what_is_signed(sqlite_ledger: Engine) -> None:
    over_rcs = {"ChannelPrefix": "rcs", "From": "rcs:kauri_agent", "To": "rcs:+64211234567"}
    assert send(sqlite_ledger, callback(ErrorCode="", NewField="", **over_rcs)) == 204
    assert len(receipts_in(sqlite_ledger)) == 1


FIELDS = callback()
GENUINE = signed_twilio(FIELDS, QUERY)
SIGNATURE = GENUINE["x-twilio-signature"].encode()
FORGED: list[tuple[str, bytes, Headers]] = [
    (HERE, form(FIELDS), {}),
    (HERE, form(FIELDS), {"x-twilio-signature": ""}),
    (HERE, form(FIELDS), signed_twilio(FIELDS, QUERY, token="another")),
    (HERE, form(FIELDS), signed_twilio(FIELDS, QUERY, token="")),
    (HERE, form(FIELDS), [(b"x-twilio-signature", "é".encode("latin-1"))]),
    (HERE, form(FIELDS), [(b"x-twilio-signature", SIGNATURE)] * 2),
    (HERE, form(callback(MessageStatus="failed")), GENUINE),
    (HERE, form(FIELDS) + b"&More=1", GENUINE),
    (HERE, form(FIELDS) + b"&Blank=", GENUINE),
    (HERE, b"", GENUINE),
    (HERE, b"\xff\xfe", GENUINE),
    (f"{TWILIO}?n=another", form(FIELDS), GENUINE),
    (f"{TWILIO}?{QUERY}&m=1", form(FIELDS), GENUINE),
    (TWILIO, form(FIELDS), GENUINE),
    (HERE, b"&".join(b"a%d=" % number for number in range(600)), GENUINE),
]


@pytest.mark.parametrize(("place", "raw", "headers"), FORGED)
def test_f092_a_forged_callback_gets_an_empty_403_and_leaves_nothing(
    place: str, raw: bytes, headers: Headers, sqlite_ledger: Engine
) -> None:
    answer = ask(make_app(parts(sqlite_ledger)), "POST", place, raw, headers)
    assert (answer.status_code, answer.content) == (403, b"")
    assert not receipts_in(sqlite_ledger)


def test_f016_the_host_that_the_caller_names_changes_nothing(sqlite_ledger: Engine) -> None:
    app = make_app(parts(sqlite_ledger))
    elsewhere = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "http"}
    assert ask(app, "POST", HERE, form(FIELDS), {**GENUINE, **elsewhere}).status_code == 204


def test_a_callback_for_another_account_is_refused_although_it_is_signed(sqlite_ledger: Engine) -> None:
    for account in ("AC" + "1" * 32, "", ACCOUNT.lower()):
        assert send(sqlite_ledger, callback(AccountSid=account)) == 403
    assert not receipts_in(sqlite_ledger)


def test_without_a_token_or_an_account_nothing_is_genuine(sqlite_ledger: Engine) -> None:
    without_token = parts(sqlite_ledger, TWILIO_AUTH_TOKEN="")
    without_account = parts(sqlite_ledger, TWILIO_ACCOUNT_SID="")
    for app in (make_app(without_token), make_app(without_account)):
        for token in ("", "12345"):
            headers = signed_twilio(FIELDS, QUERY, token)
            assert ask(app, "POST", HERE, form(FIELDS), headers).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"MessageSid": "", "SmsSid": ""},
        {"MessageSid": "SM\x00", "SmsSid": ""},
        {"MessageSid": "S" * 500},
        {"MessageStatus": "", "SmsStatus": ""},
        {"MessageStatus": "de\x00livered"},
        {"MessageStatus": "é"},
    ],
)
def test_a_signed_callback_that_names_no_message_is_not_asked_for_again(
    changes: dict[str, str], ledger: Engine
) -> None:
    assert send(ledger, callback(**changes)) == 204
    assert not receipts_in(ledger)


@pytest.mark.parametrize("code", ["9" * 400, "-1", "\x00", "30003", "٣٠٠٠٣"])
def test_whatever_stands_in_the_error_code_the_receipt_is_kept(code: str, ledger: Engine) -> None:
    fields = callback(MessageStatus="undelivered", SmsStatus="undelivered", ErrorCode=code, Note="a\x00b")
    assert send(ledger, fields) == 204
    assert [row.error_code for row in receipts_in(ledger)] == [30003 if code == "30003" else 0]


def test_an_attempt_id_that_is_no_id_is_left_aside(ledger: Engine) -> None:
    for number, query in enumerate(("n=%00", "n=", "n=" + "a" * 500, "n=a%27--")):
        assert send(ledger, callback(MessageSid=f"SM{number}"), query) == 204
    assert [row.attempt_id for row in receipts_in(ledger)] == [None] * 4


def test_a_ledger_that_is_away_makes_twilio_come_again() -> None:
    answer = ask(
        make_app(parts(open_ledger("sqlite:////nowhere/at/all/x.db"))), "POST", HERE, form(FIELDS), GENUINE
    )
    assert (answer.status_code, answer.content) == (503, b"")


def test_neither_numbers_nor_signatures_are_logged(
    sqlite_ledger: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    send(sqlite_ledger, FIELDS)
    send(sqlite_ledger, callback(AccountSid="another"))
    ask(make_app(parts(sqlite_ledger)), "POST", HERE, b"To=%2B15551234567", GENUINE)
    assert caplog.records
    for secret in ("1555", ATTEMPT, SIGNATURE.decode()):
        assert secret not in caplog.text


def test_both_auth_tokens_are_taken_while_one_replaces_the_other(sqlite_ledger: Engine) -> None:
    app = make_app(parts(sqlite_ledger, TWILIO_AUTH_TOKEN="new", TWILIO_PREVIOUS_AUTH_TOKEN="old"))
    answers = [
        ask(app, "POST", HERE, form(FIELDS), signed_twilio(FIELDS, QUERY, token)).status_code
        for token in ("old", "new", "older", "")
    ]
    assert answers == [204, 204, 403, 403]


def test_once_a_token_is_replaced_the_previous_one_proves_nothing(sqlite_ledger: Engine) -> None:
    app = make_app(parts(sqlite_ledger, TWILIO_AUTH_TOKEN="new"))
    assert ask(app, "POST", HERE, form(FIELDS), signed_twilio(FIELDS, QUERY, "old")).status_code == 403
    assert not receipts_in(sqlite_ledger)


def test_who_has_a_rule_sign_with_another_key_is_told_so(
    sqlite_ledger: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    ruled = signed_twilio(FIELDS, QUERY, "shared") | {
        "x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
    }
    assert ask(make_app(parts(sqlite_ledger)), "POST", HERE, form(FIELDS), ruled).status_code == 403
    assert "shared key" in caplog.text
    assert "webhooks_sharedkey_1" not in caplog.text
