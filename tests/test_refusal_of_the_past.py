"""What stood against an address before it was taken back is of the past: it stops nobody anew."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from duebell.ledger import preferences, wishes
from duebell.ledger.engine import reading
from duebell.ledger.inbound import keep_inbound
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.writing import writing
from duebell.policy.verdict import Send
from duebell.preferences import preferring
from duebell.preferences.mirroring import Consent
from duebell.twilio.inbound import read_inbound
from tests.support_facts import (
    MINUTE,
    MOBILE,
    NOW,
    OURS,
    Hand,
    accepted,
    begin,
    claim,
    conclude,
    plan,
    receipt,
    resources_over,
    sent_off,
    the_notification,
)

ANA = "ana@rimu.example"


def writes(engine: Engine, body: str, minute: int) -> None:
    fields = [("MessageSid", f"SM{minute}"), ("From", MOBILE), ("To", OURS.own), ("Body", body)]
    with writing(engine, NOW + minute * MINUTE) as book:
        keep_inbound(book, read_inbound(fields), MOBILE, OURS)


def is_refused(engine: Engine, minute: int, attempt_id: str = "a1", number: int = 1) -> None:
    """Twilio says, late or not, that it sent nothing to who had stopped."""
    late = receipt("failed", number, attempt_id=attempt_id, code=21610)
    keep_receipt(engine, late, now=NOW + minute * MINUTE)


def comes_back(engine: Engine, number: int, minute: int) -> None:
    """A message is sent to a phone that is off, or a number that is unknown: once proves neither."""
    now = NOW + minute * MINUTE
    sent_off(engine, number, f"a{number}", now=now)
    keep_receipt(engine, receipt("undelivered", number, attempt_id=f"a{number}", code=30005), now=now)


def refusals(engine: Engine, address: str = MOBILE, channel: str = "sms") -> dict[str, str]:
    with reading(engine) as session:
        return preferences.refusals(session, [address], channel)


def emailed(engine: Engine) -> None:
    """An email is sent to the address, and taken."""
    plan(engine, verdict=Send(ANA, "email"))
    claimed = claim(engine, the_notification(engine).notification_id or 0)
    assert claimed is not None
    assert begin(engine, claimed) is not None
    conclude(engine, accepted())


def is_told_by_sendgrid(engine: Engine, word: str, *, happened: int, heard: int) -> None:
    """An event of these minutes, heard in another."""
    form = json.dumps({"event": word, "timestamp": int((NOW + happened * MINUTE).timestamp())})
    event = replace(receipt(word, attempt_id="a1"), provider="sendgrid", form=form)
    keep_receipt(engine, event, now=NOW + heard * MINUTE)


@pytest.mark.parametrize("words", [("STOP", "START"), ("START",)])
def test_a_refusal_that_is_heard_after_the_start_that_followed_it_stops_nobody(
    ledger: Engine, words: tuple[str, ...]
) -> None:
    sent_off(ledger)
    for minute, word in enumerate(words, start=1):
        writes(ledger, word, minute)
    is_refused(ledger, minute=15)
    assert refusals(ledger) == {}
    with reading(ledger) as session:
        assert all(one.status is Consent.OPT_IN for one in wishes.known(session, [MOBILE]).values())


def test_nor_does_one_of_before_a_person_of_the_business_allowed_it(ledger: Engine) -> None:
    sent_off(ledger)
    writes(ledger, "STOP", 1)
    office = resources_over(ledger, Hand(NOW + 2 * MINUTE))
    preferring.allow(office, MOBILE, "sms", by="person:office", why="asked by telephone")
    is_refused(ledger, minute=15)
    assert refusals(ledger) == {}


def test_a_refusal_of_what_was_sent_after_the_start_counts(ledger: Engine) -> None:
    writes(ledger, "STOP", 1)
    writes(ledger, "START", 2)
    sent_off(ledger, now=NOW + 3 * MINUTE)
    is_refused(ledger, minute=4)
    assert refusals(ledger) == {MOBILE: "opted_out"}


def test_a_stop_after_the_start_stands_whatever_is_heard_later(ledger: Engine) -> None:
    sent_off(ledger)
    for minute, word in enumerate(("STOP", "START", "STOP"), start=1):
        writes(ledger, word, minute)
    is_refused(ledger, minute=15)
    assert refusals(ledger) == {MOBILE: "opted_out"}


def test_a_number_that_was_allowed_again_is_invalid_only_by_what_comes_back_since(ledger: Engine) -> None:
    for number in (1, 2):
        comes_back(ledger, number, minute=number)
    assert refusals(ledger) == {MOBILE: "invalid"}
    office = resources_over(ledger, Hand(NOW + 5 * MINUTE))
    preferring.allow(office, MOBILE, "sms", by="person:office", why="the phone is on again")
    comes_back(ledger, 3, minute=6)
    assert refusals(ledger) == {}
    comes_back(ledger, 4, minute=7)
    assert refusals(ledger) == {MOBILE: "invalid"}


WORDS = ["bounce", "spamreport", "unsubscribe", "dropped_unsubscribed"]


@pytest.mark.parametrize("word", WORDS)
def test_an_event_of_an_email_that_is_heard_after_its_address_was_allowed_again_stops_nobody(
    ledger: Engine, word: str
) -> None:
    emailed(ledger)
    is_told_by_sendgrid(ledger, "bounce" if word != "bounce" else "unsubscribe", happened=1, heard=1)
    office = resources_over(ledger, Hand(NOW + 20 * MINUTE))
    preferring.allow(office, ANA, "email", by="person:office", why="asked by telephone")
    is_told_by_sendgrid(ledger, word, happened=5, heard=60)
    assert refusals(ledger, ANA, "email") == {}


@pytest.mark.parametrize("word", WORDS)
def test_an_event_of_after_that_counts_also_where_the_email_is_older(ledger: Engine, word: str) -> None:
    emailed(ledger)
    preferring.stop(resources_over(ledger), ANA, "email", by="person:office", why="asked by telephone")
    office = resources_over(ledger, Hand(NOW + 2 * MINUTE))
    preferring.allow(office, ANA, "email", by="person:office", why="asked by telephone")
    is_told_by_sendgrid(ledger, word, happened=5, heard=60)
    assert ANA in refusals(ledger, ANA, "email")


def test_a_bad_number_that_was_allowed_again_is_not_bad_by_what_was_sent_before(ledger: Engine) -> None:
    sent_off(ledger, 1, "a1")
    sent_off(ledger, 2, "a2")
    keep_receipt(ledger, receipt("undelivered", 1, attempt_id="a1", code=30006), now=NOW + MINUTE)
    assert refusals(ledger) == {MOBILE: "invalid"}
    office = resources_over(ledger, Hand(NOW + 2 * MINUTE))
    preferring.allow(office, MOBILE, "sms", by="person:office", why="it is a mobile now")
    keep_receipt(ledger, receipt("undelivered", 2, attempt_id="a2", code=30006), now=NOW + 3 * MINUTE)
    assert refusals(ledger) == {}
    sent_off(ledger, 3, "a3", now=NOW + 4 * MINUTE)
    keep_receipt(ledger, receipt("undelivered", 3, attempt_id="a3", code=30006), now=NOW + 5 * MINUTE)
    assert refusals(ledger) == {MOBILE: "invalid"}
