"""An email that its provider does not take: the address's fault is the next channel's, ours stops email."""

from typing import Any

import pytest
from sqlalchemy import Engine

from duebell.ledger.channel_stops import stops
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.ledger.writing import writing
from duebell.policy.reaching import Way
from duebell.policy.verdict import Send
from duebell.sending.outcomes import conclusion_of
from duebell.states import NotificationState
from duebell.twilio.codes import Action, Stops
from duebell.twilio.outcome import Refused, SendOutcome, Unknown
from tests.support_facts import (
    MINUTE,
    MOBILE,
    NOW,
    begin,
    claim,
    conclude,
    open_tenant,
    plan,
    the_notification,
)
from tests.test_email_outcome import BOTH, Make, sendgrid, twilio_email
from tests.test_email_requests import email
from tests.test_twilio_wire import answering

S = NotificationState
TRIAL = {"title": "Invalid template", "errors": [{"detail": "Invalid template", "pointer": "/content"}]}
OF_THE_ADDRESS: list[tuple[Make, Any]] = [
    *((twilio_email, at) for at in ("/to", "/to/0", "/to/0/address", "#/to/0/address")),
    *((sendgrid, at) for at in ("to", "personalizations", "personalizations.0")),
    *((sendgrid, f"personalizations.0.{at}") for at in ("to", "to.0", "to.0.email")),
]
OURS: list[tuple[Make, Any]] = [
    *((twilio_email, at) for at in ("/from/address", "/content", "/tags/to", "/topic", "", None, 7, ["/to"])),
    *((sendgrid, at) for at in ("from", "from.email", "content", "reply_to", "subject", "template", None)),
    *((sendgrid, f"personalizations.0.{at}") for at in ("custom_args", "subject", "topic")),
]


def answered(make: Make, status: int, body: object) -> SendOutcome:
    return make(answering(status, body)).send(email())


def naming(make: Make, where: object, **more: object) -> dict[str, object]:
    """The body of an answer that finds fault with this field of an email, as each of the two writes it."""
    if make is sendgrid:
        return {"errors": [{"message": "no", "field": where, "help": None}]} | more
    return {"title": "no", "errors": [{"detail": "no", "pointer": where}]} | more


@pytest.mark.parametrize("code", [None, 20001])
@pytest.mark.parametrize(("make", "where"), OF_THE_ADDRESS)
def test_what_is_wrong_with_the_address_alone_is_left_to_the_next_channel(
    make: Make, where: object, code: int | None
) -> None:
    outcome = answered(make, 400, naming(make, where, code=code))
    assert isinstance(outcome, Refused)
    ruling = outcome.ruling
    assert (ruling.action, ruling.fall_back, ruling.stops) == (Action.NEXT_CHANNEL, True, Stops.NOTHING)
    assert not ruling.marks_invalid


@pytest.mark.parametrize("code", [None, 20001])
@pytest.mark.parametrize(("make", "where"), OURS)
def test_what_is_wrong_with_anything_else_is_ours_to_mend(
    make: Make, where: object, code: int | None
) -> None:
    outcome = answered(make, 400, naming(make, where, code=code))
    assert isinstance(outcome, Refused)
    ruling = outcome.ruling
    assert (ruling.action, ruling.fall_back, ruling.stops) == (Action.CONFIGURATION, True, Stops.CHANNEL)


@BOTH
@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", {"errors": None}, {"errors": "/to"}, {"errors": [None, "/to", ["to"]]}]
)
def test_a_refusal_that_names_nothing_is_ours_to_mend(make: Make, body: object) -> None:
    outcome = answered(make, 400, body)
    assert isinstance(outcome, Refused)
    assert outcome.ruling.stops is Stops.CHANNEL


@BOTH
@pytest.mark.parametrize("body", ["", "<html>", {"code": 20001}, {"errors": [{"field": "to"}]}])
@pytest.mark.parametrize("status", [408, 499])
def test_a_request_that_timed_out_there_may_have_made_an_email(make: Make, body: object, status: int) -> None:
    outcome = answered(make, status, body)
    assert isinstance(outcome, Unknown)
    assert f"HTTP {status}" in outcome.cause


@BOTH
def test_a_code_that_is_known_goes_before_the_field_that_is_named(make: Make) -> None:
    outcome = answered(make, 400, naming(make, "to", code=20003))
    assert isinstance(outcome, Refused)
    assert (outcome.ruling.stops, outcome.ruling.fall_back) == (Stops.CHANNEL, False)


def told(engine: Engine, number: int, outcome: SendOutcome, *others: Way) -> tuple[str, str, int] | None:
    """What becomes of the ``number``-th message that goes by email; nothing where it was not posted."""
    row = plan(engine, number, Send("ann@rimu.example", channel="email", others=others))
    claimed = claim(engine, row.notification_id or 0)
    assert claimed is not None
    if begin(engine, claimed, f"a{number}") is None:
        return None
    known = conclusion_of(outcome, tries=1, first_look=MINUTE, jitter=0, now=NOW)
    conclude(engine, known, f"a{number}")
    stands = the_notification(engine, number)
    return stands.state, stands.reason, stands.leg_position


BY_SMS = Way("sms", MOBILE)


def test_a_fault_of_the_setup_stops_email_by_one_message_and_loses_none(ledger: Engine) -> None:
    open_tenant(ledger)
    outcome = answered(twilio_email, 400, TRIAL)
    assert told(ledger, 1, outcome) == (S.HELD, "channel_stopped:email", 0)
    assert [stop.scope for stop in stops(ledger)] == ["channel:email"]
    assert told(ledger, 2, outcome) is None
    assert broken(ledger) == []


def test_a_fault_of_the_setup_leaves_its_first_message_to_another_channel(ledger: Engine) -> None:
    open_tenant(ledger)
    outcome = answered(sendgrid, 400, naming(sendgrid, "from.email"))
    assert told(ledger, 1, outcome, BY_SMS) == (S.PLANNED, "next_channel:channel_stopped:email", 1)
    assert [stop.scope for stop in stops(ledger)] == ["channel:email"]
    assert broken(ledger) == []


@BOTH
def test_an_address_that_is_refused_stops_nothing_and_the_sms_takes_over(make: Make, ledger: Engine) -> None:
    open_tenant(ledger)
    where = "personalizations.0.to.0.email" if make is sendgrid else "/to/0/address"
    outcome = answered(make, 400, naming(make, where))
    reason = "sendgrid:http_400" if make is sendgrid else "twilio:http_400"
    assert told(ledger, 1, outcome, BY_SMS) == (S.PLANNED, f"next_channel:{reason}", 1)
    assert told(ledger, 2, outcome) == (S.GIVEN_UP, reason, 0)
    assert stops(ledger) == []
    assert broken(ledger) == []


@pytest.mark.parametrize("reason", ["twilio:http_403", "sendgrid:http_403", "twilio:None"])
def test_news_does_not_hurry_what_rests_after_a_refusal_whoever_refused_it(
    ledger: Engine, reason: str
) -> None:
    row = plan(ledger)
    with writing(ledger, NOW) as book:
        kept = book.session.get_one(Notification, row.notification_id)
        kept.state, kept.reason, kept.not_before = S.HELD, reason, NOW + MINUTE
    plan(ledger)
    stands = the_notification(ledger)
    assert (stands.state, stands.reason, stands.not_before) == (S.HELD, reason, NOW + MINUTE)


@BOTH
def test_an_email_that_may_exist_after_a_timeout_is_looked_for_and_not_sent_again(
    make: Make, ledger: Engine
) -> None:
    open_tenant(ledger)
    outcome = answered(make, 408, "")
    assert told(ledger, 1, outcome, BY_SMS) == (S.UNKNOWN, "outcome_unknown", 0)
    assert broken(ledger) == []
