"""A person names the message in Twilio's log of which nobody here could tell whose it is."""

from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, update
from sqlmodel import select

from duebell.errors import Permanent, RecordNotFound
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt, Audit
from duebell.ledger.writing import writing
from duebell.policy.verdict import Send
from duebell.settling.settling_by_hand import Settled, settle_by_hand
from duebell.states import NotificationState as S
from tests.support_facts import (
    MINUTE,
    NOW,
    PARKED,
    UNKNOWN,
    Hand,
    accepted,
    begin,
    claim,
    conclude,
    invoice_body,
    keep_invoice,
    listed,
    numbered,
    plan,
    receipt,
    resources_over,
    sent_off,
    sid,
    the_attempt,
    the_notification,
)


def by_hand(engine: Engine, number: int = 1, *, invoice: str = "", **fields: Any) -> Settled:
    """Name Twilio's ``number``-th message, which is as ``fields`` say."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path.rpartition("/")[2]) == ("GET", f"{sid(number)}.json")
        return httpx.Response(200, json=listed(number, **fields))

    resources = resources_over(engine, Hand(NOW + timedelta(hours=2)), twilio=answer)
    return settle_by_hand(resources, f" {sid(number)} ", by="person:ana", why="it is there", invoice=invoice)


def parked(engine: Engine, number: int = 1, attempt_id: str = "a1") -> None:
    sent_off(engine, number, attempt_id)
    conclude(engine, UNKNOWN, attempt_id)
    conclude(engine, PARKED, attempt_id)


def test_what_twilio_says_of_the_message_is_the_end_of_a_parked_one_and_who_named_it_is_kept(
    ledger: Engine,
) -> None:
    parked(ledger)
    keep_invoice(ledger, invoice_body(numbered(1)))
    assert by_hand(ledger) == Settled("INV-0001", "delivered", "delivered")
    assert (the_notification(ledger).state, the_attempt(ledger).sid) == (S.DELIVERED, sid())
    with reading(ledger) as session:
        [named] = session.exec(select(Audit).where(Audit.action == "settled by hand")).all()
    assert named.actor == "person:ana"
    assert "it is there" in named.details
    assert broken(ledger) == []


def test_one_that_is_still_looked_for_can_be_named_too_and_its_receipts_are_bound(ledger: Engine) -> None:
    sent_off(ledger)
    conclude(ledger, UNKNOWN)
    keep_receipt(ledger, receipt("delivered"), now=NOW)
    assert by_hand(ledger, status="sent").state == S.DELIVERED
    assert broken(ledger) == []


def test_a_message_that_failed_did_not_arrive_whatever_the_person_thinks(ledger: Engine) -> None:
    parked(ledger)
    assert by_hand(ledger, status="undelivered", error_code=30003).state == S.UNDELIVERED
    assert broken(ledger) == []


@pytest.mark.parametrize(
    "other",
    [
        {"to": "+64219999999"},
        {"direction": "inbound"},
        {"date_created": format_datetime(NOW - 3 * MINUTE)},
        {"date_created": None},
        {"body": "another text"},
        {"body": ""},
    ],
)
def test_a_message_that_cannot_be_it_is_refused_and_nothing_is_settled(
    ledger: Engine, other: dict[str, Any]
) -> None:
    parked(ledger)
    with pytest.raises(Permanent, match="no message that is looked for or left to a person"):
        by_hand(ledger, **other)
    assert the_notification(ledger).state == S.PARKED


@pytest.mark.parametrize("body", ["", "another text"])
def test_where_twilio_keeps_no_texts_a_person_vouches_by_the_invoice(ledger: Engine, body: str) -> None:
    parked(ledger)
    keep_invoice(ledger, invoice_body(numbered(1)))
    assert by_hand(ledger, invoice="inv-0001", body=body).state == S.DELIVERED


def test_what_was_taken_from_the_side_journal_has_neither_number_nor_text_and_wants_the_invoice(
    ledger: Engine,
) -> None:
    parked(ledger)
    keep_invoice(ledger, invoice_body(numbered(1)))
    with writing(ledger, NOW) as book:
        book.session.exec(update(Attempt).values(address="", text=""))
    with pytest.raises(Permanent, match="name the --invoice"):
        by_hand(ledger)
    assert by_hand(ledger, invoice=numbered(1)).state == S.DELIVERED
    assert broken(ledger) == []


def test_of_two_that_it_may_be_none_is_settled(ledger: Engine) -> None:
    parked(ledger)
    parked(ledger, 2, "a2")
    with pytest.raises(Permanent, match="say which with --invoice"):
        by_hand(ledger)
    assert [the_notification(ledger, number).state for number in (1, 2)] == [S.PARKED, S.PARKED]


def test_a_message_of_another_attempt_is_named_as_what_it_is(ledger: Engine) -> None:
    sent_off(ledger)
    conclude(ledger, accepted())
    keep_invoice(ledger, invoice_body(numbered(1)))
    parked(ledger, 2, "a2")
    with pytest.raises(Permanent, match="known already: the message about INV-0001, which is accepted"):
        by_hand(ledger)
    assert the_notification(ledger, 2).state == S.PARKED


def test_without_a_reason_or_with_what_is_no_sid_nothing_is_asked(ledger: Engine) -> None:
    resources = resources_over(ledger)
    with pytest.raises(Permanent, match="say why"):
        settle_by_hand(resources, sid(), by="person:ana", why=" ")
    with pytest.raises(Permanent, match="not a message SID"):
        settle_by_hand(resources, "INV-0001", by="person:ana", why="it is there")


def test_a_sid_that_twilio_does_not_know_settles_nothing(ledger: Engine) -> None:
    parked(ledger)
    resources = resources_over(ledger, twilio=lambda _: httpx.Response(404, json={"code": 20404}))
    with pytest.raises(RecordNotFound):
        settle_by_hand(resources, sid(), by="person:ana", why="it is there")
    assert the_notification(ledger).state == S.PARKED


EMAIL_ID, OPERATION = "comms_email_01h9krwprkeee8fzqspvwy6nq8", "comms_operation_01h9krwprkeee8fzqspvwy6nq8"


def mailed(engine: Engine, *known: Conclusion, attempt_id: str = "a1") -> None:
    """An email whose outcome is left open, or is what was concluded of it."""
    row = plan(engine, 1, Send("ann@rimu.example", channel="email"))
    claimed = claim(engine, row.notification_id or 0)
    assert claimed is not None
    assert begin(engine, claimed, attempt_id) is not None
    for one in known:
        conclude(engine, one, attempt_id)
    keep_invoice(engine, invoice_body(numbered(1)))


def by_email_id(engine: Engine, named: str = EMAIL_ID, *, invoice: str = "", tag: str = "a1") -> Settled:
    """Name an email of Twilio's Email API that was delivered and carries this tag."""
    email = {"id": EMAIL_ID, "status": "DELIVERED", "tags": {"n": tag}, "updatedAt": None}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == f"/v1/Emails/{EMAIL_ID}":
            return httpx.Response(200, json=email)
        assert (request.url.path, dict(request.url.params)) == ("/v1/Emails", {"operationId": OPERATION})
        return httpx.Response(200, json={"emails": [email], "pagination": {}})

    resources = resources_over(engine, Hand(NOW + timedelta(hours=2)), twilio=answer)
    return settle_by_hand(resources, named, by="person:ana", why="it is there", invoice=invoice)


@pytest.mark.parametrize("named", [EMAIL_ID, OPERATION])
@pytest.mark.parametrize("invoice", ["", "INV-0001"])
def test_an_email_is_settled_by_its_id_or_its_operation_s_as_its_tag_says_whose_it_is(
    ledger: Engine, named: str, invoice: str
) -> None:
    mailed(ledger, UNKNOWN, PARKED)
    assert by_email_id(ledger, named, invoice=invoice) == Settled("INV-0001", "delivered", "delivered")
    assert (the_notification(ledger).state, the_attempt(ledger).sid) == (S.DELIVERED, EMAIL_ID)
    assert broken(ledger) == []


def test_an_email_of_another_s_is_refused_and_so_is_one_about_another_invoice(ledger: Engine) -> None:
    mailed(ledger, UNKNOWN, PARKED)
    keep_invoice(ledger, invoice_body(numbered(2)))
    for tag in ("", "of another system"):
        with pytest.raises(Permanent, match="no email that is looked for or left to a person"):
            by_email_id(ledger, tag=tag)
    with pytest.raises(Permanent, match="is the email about INV-0001"):
        by_email_id(ledger, invoice="INV-0002")
    assert the_notification(ledger).state == S.PARKED


def test_an_email_whose_operation_is_known_is_named_as_what_it_is(ledger: Engine) -> None:
    mailed(ledger, replace(accepted(), sid=OPERATION))
    with pytest.raises(Permanent, match="known already: the message about INV-0001, which is accepted"):
        by_email_id(ledger)


def test_an_operation_of_no_email_or_of_several_settles_nothing(ledger: Engine) -> None:
    mailed(ledger, UNKNOWN, PARKED)
    for emails, error in (([], RecordNotFound), ([{"id": EMAIL_ID}] * 2, Permanent)):
        answer = httpx.Response(200, json={"emails": emails})
        resources = resources_over(ledger, twilio=lambda _, it=answer: it)
        with pytest.raises(error):
            settle_by_hand(resources, OPERATION, by="person:ana", why="it is there")
    assert the_notification(ledger).state == S.PARKED
