"""SendGrid's events without a message id: a bounce that comes after the delivery has none."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from duebell.ledger import preferences
from duebell.ledger.invariants import broken
from duebell.ledger.writing import writing
from tests.support_receiver import NOW, receipts_in
from tests.test_email_requests import ATTEMPT, TO
from tests.test_receiver_sendgrid import SID, a_mail, kind, post, refused_in, standing

DAY = timedelta(days=1)


def nameless(word: str, **changes: object) -> dict[str, object]:
    """An event that names no email (github.com/sendgrid/docs/issues/5177)."""
    return kind(word, **({"sg_message_id": "", "smtp-id": None, "n": None} | changes))


def late_bounce(**changes: object) -> dict[str, object]:
    reason = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by SMTP address lookup"
    return nameless("bounce", **({"type": "bounce", "status": "5.1.10", "reason": reason} | changes))


def test_an_event_without_a_message_id_is_bound_by_our_tag(ledger: Engine) -> None:
    a_mail(ledger, sid=SID, state="accepted", provider_status="processed")
    bounce = late_bounce(n=ATTEMPT)
    assert [post(ledger, bounce), post(ledger, bounce)] == [200, 200]
    assert standing(ledger) == ("accepted", SID, "undelivered", "email:bounce")
    assert refused_in(ledger) == {(TO, "email"): "invalid"}
    assert [(row.sid, row.status, row.attempt_id) for row in receipts_in(ledger)] == [
        ("bounce-bounce", "bounce", ATTEMPT)
    ]


@pytest.mark.parametrize(
    ("stray", "refused"), [(late_bounce(), "invalid"), (nameless("spamreport"), "opted_out")]
)
def test_an_untagged_one_marks_the_address_that_an_email_of_ours_went_to(
    stray: dict[str, object], refused: str, ledger: Engine
) -> None:
    a_mail(ledger, address="Jane@Harbour.example", started_at=NOW - 7 * DAY)
    assert post(ledger, stray | {"email": "jane@harbour.EXAMPLE"}) == 200
    assert refused_in(ledger) == {("jane@harbour.example", "email"): refused}
    assert receipts_in(ledger) == []
    assert standing(ledger)[2] == "sending"
    assert broken(ledger) == []


@pytest.mark.parametrize(
    ("stray", "age"),
    [
        (late_bounce(), 9),
        (late_bounce(email="other@harbour.example"), 1),
        (late_bounce(type="blocked"), 1),
        (late_bounce(sg_message_id="of.recvd-another"), 1),
        (nameless("delivered"), 1),
        (late_bounce(email=None), 1),
        (late_bounce(email=TO + "\x00"), 1),
        (late_bounce() | {"sg_event_id": None}, 1),
    ],
    ids=[
        "too old",
        "never told",
        "refused this once",
        "of another email",
        "no failure",
        "nobody",
        "no address",
        "no id",
    ],
)
def test_an_untagged_one_that_says_nothing_of_our_emails_marks_nobody(
    stray: dict[str, object], age: int, ledger: Engine
) -> None:
    a_mail(ledger, started_at=NOW - age * DAY)
    assert post(ledger, stray) == 200
    assert refused_in(ledger) == {}
    assert receipts_in(ledger) == []


def test_one_of_before_the_address_was_allowed_again_marks_it_no_more(ledger: Engine) -> None:
    a_mail(ledger, started_at=NOW - DAY)
    with writing(ledger, NOW - timedelta(hours=1)) as book:
        preferences.allow(book, TO, "email", "person:ana")
    bounce = late_bounce(timestamp=int((NOW - timedelta(hours=2)).timestamp()))
    assert post(ledger, bounce) == 200
    assert refused_in(ledger) == {(TO, "email"): ""}
    assert post(ledger, bounce | {"timestamp": int(NOW.timestamp())}) == 200
    assert refused_in(ledger) == {(TO, "email"): "invalid"}
