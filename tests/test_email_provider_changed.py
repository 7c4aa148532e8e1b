"""The email provider is changed for the other, or email turned off, while emails are under way."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from duebell.errors import ConfigurationError, Permanent, Transient
from duebell.ledger import unsettled
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.unsettled import Unconfirmed
from duebell.policy.verdict import Send
from duebell.resources import Resources
from duebell.settling.confirming import confirm, due
from duebell.settling.settling import Settled, settle
from duebell.states import AttemptState, NotificationState
from tests.support_facts import (
    MINUTE,
    NOW,
    UNKNOWN,
    Answering,
    Conclusion,
    Hand,
    begin,
    claim,
    conclude,
    nobody_answers,
    open_tenant,
    plan,
    resources_over,
    the_attempt,
    the_notification,
)

S = NotificationState
Setup = dict[str, Any]
OPERATION, EMAIL_ID = "comms_operation_01h9krwprkeee8fzqspvwy6nq8", "comms_email_01h9krwprkeee8fzqspvwy6nq8"
OF_SENDGRID = "kiC2BsplQXGrH6HLUMYl-_"
BY_TWILIO: Setup = {"EMAIL_FROM": "accounts@kauri.example"}
BY_SENDGRID: Setup = BY_TWILIO | {"EMAIL_PROVIDER": "sendgrid", "SENDGRID_API_KEY": "SG.invented"}
WITHOUT_ITS_KEY: Setup = BY_SENDGRID | {"SENDGRID_API_KEY": ""}
OFF: Setup = {}
EVERY_SETUP = pytest.mark.parametrize("setup", [BY_TWILIO, BY_SENDGRID, WITHOUT_ITS_KEY, OFF])


def email_api(request: httpx.Request) -> httpx.Response:
    """Twilio's Email API, which has one email, of the attempt a1."""
    assert (request.method, request.url.host) == ("GET", "comms.twilio.com")
    if "/Operations/" in request.url.path:
        return httpx.Response(200, json={"status": "COMPLETED", "stats": {"total": 1, "delivered": 1}})
    email = {"id": EMAIL_ID, "status": "DELIVERED", "tags": {"n": "a1"}}
    return httpx.Response(200, json={"emails": [email] if request.url.params["tags"] == "n:a1;" else []})


def answering(status: int) -> Answering:
    return lambda _request: httpx.Response(status, json={})


def posted(engine: Engine, known: Conclusion) -> None:
    """An email went out as the attempt a1, and this is known of it."""
    open_tenant(engine)
    claimed = claim(
        engine, plan(engine, verdict=Send("ann@rimu.example", channel="email")).notification_id or 0
    )
    assert claimed is not None
    assert begin(engine, claimed) is not None
    conclude(engine, known)


def taken(sid: str) -> Conclusion:
    return Conclusion(AttemptState.ACCEPTED, S.ACCEPTED, sid=sid, provider_status="accepted")


def asked(office: Resources) -> list[Settled]:
    with reading(office.engine) as session:
        silent = due(session, NOW + timedelta(hours=2), everything=True)
    return [confirm(office, one) for one in silent]


def looked_for(office: Resources) -> Settled:
    with reading(office.engine) as session:
        [lost] = unsettled.unsettled(session)
    return settle(office, lost)


@EVERY_SETUP
def test_what_sendgrid_took_is_asked_of_nobody(ledger: Engine, setup: Setup) -> None:
    posted(ledger, taken(OF_SENDGRID))
    office = resources_over(ledger, twilio=nobody_answers, **setup)
    assert asked(office) == []
    assert confirm(office, Unconfirmed("a1", OF_SENDGRID, "email")).outcome == "told by events alone"
    assert the_notification(ledger).state == S.ACCEPTED


@EVERY_SETUP
def test_what_twilio_took_is_asked_of_twilio_whoever_sends_now(ledger: Engine, setup: Setup) -> None:
    posted(ledger, taken(OPERATION))
    assert asked(resources_over(ledger, twilio=email_api, **setup)) == [Settled("a1", "asked", "delivered")]
    assert the_notification(ledger).state == S.DELIVERED
    assert broken(ledger) == []


@EVERY_SETUP
def test_a_lost_answer_is_looked_for_at_twilio_whoever_sends_now(ledger: Engine, setup: Setup) -> None:
    posted(ledger, UNKNOWN)
    found = looked_for(resources_over(ledger, twilio=email_api, **setup))
    assert (found.outcome, found.state) == ("found", "delivered")
    assert the_attempt(ledger).sid == EMAIL_ID
    assert broken(ledger) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_an_account_that_may_not_ask_twilio_for_emails_waits_for_sendgrid_s_events_and_then_for_a_person(
    ledger: Engine, status: int
) -> None:
    posted(ledger, UNKNOWN)
    clock = Hand()
    office = resources_over(ledger, clock, twilio=answering(status), **BY_SENDGRID)
    assert looked_for(office).outcome == "later"
    clock.now = NOW + 21 * MINUTE
    assert looked_for(office).outcome == "parked"


def test_without_twilio_s_credentials_a_lost_email_waits_for_sendgrid_s_events(ledger: Engine) -> None:
    posted(ledger, UNKNOWN)
    without: Setup = {"TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": ""}
    office = resources_over(ledger, twilio=nobody_answers, **BY_SENDGRID, **without)
    assert looked_for(office).outcome == "later"


@pytest.mark.parametrize(
    ("setup", "status", "error"),
    [
        (BY_TWILIO, 401, ConfigurationError),
        (BY_TWILIO, 400, Permanent),
        (BY_TWILIO, 503, Transient),
        (BY_SENDGRID, 503, Transient),
    ],
)
def test_a_look_that_could_not_be_taken_is_no_look(
    ledger: Engine, setup: Setup, status: int, error: type[Exception]
) -> None:
    posted(ledger, UNKNOWN)
    with pytest.raises(error):
        looked_for(resources_over(ledger, twilio=answering(status), **setup))
    assert the_attempt(ledger).state == AttemptState.UNKNOWN
