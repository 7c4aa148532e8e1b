"""A person names the message in Twilio's log of which nobody here could tell whose it is."""

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, update
from sqlmodel import select

from duebell.errors import Permanent, RecordNotFound
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt, Audit
from duebell.ledger.writing import writing
from duebell.settling_by_hand import Settled, settle_by_hand
from duebell.states import NotificationState as S
from tests.support_facts import (
    MINUTE,
    NOW,
    PARKED,
    UNKNOWN,
    Hand,
    accepted,
    conclude,
    invoice_body,
    keep_invoice,
    listed,
    numbered,
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
