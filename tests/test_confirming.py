"""A message whose final receipt is missing is asked for, whatever stands before it in the line."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from duebell.errors import RecordNotFound
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.unsettled import Unconfirmed
from duebell.ledger.writing import writing
from duebell.policy.verdict import Send
from duebell.resources import Resources
from duebell.settling.confirming import LONGEST, PORTION, confirm, due, in_portions
from duebell.settling.parked import look_for_parked, parked
from duebell.settling.rounds import ending
from duebell.settling.settling import Settled
from duebell.showing.ended import Ended
from tests.support_facts import (
    NOW,
    PARKED,
    TENANT,
    UNKNOWN,
    Answering,
    Hand,
    begin,
    claim,
    conclude,
    nobody_answers,
    open_tenant,
    plan,
    resources_over,
    sid,
    the_attempt,
    the_notification,
)

HOUR = timedelta(hours=1)
BY_DAY, BY_NIGHT = NOW.replace(hour=13), NOW.replace(hour=2)


def email_id(number: int) -> str:
    """The id of the ``number``-th email of Twilio's Email API."""
    return f"comms_operation_{number:026}"


def took(engine: Engine, *sids: str, at: datetime, channel: str = "email") -> None:
    """A provider took these messages at this time, and was not heard of since."""
    with writing(engine, at) as book:
        for one in sids:
            row = Notification(
                key=one, tenant_id=TENANT, kind="invoice_issued", subject_id=one, invoice_id=one,
                state="accepted", planned_at=at, updated_at=at, recipient="contact:x", lease_token=1,
            )  # fmt: skip
            book.session.add(row)
            book.session.flush()
            leg = Leg(notification_id=row.notification_id or 0, channel=channel, address="x", text="t")
            book.session.add(leg)
            book.session.flush()
            attempt = Attempt(
                attempt_id=f"of {one}", notification_id=row.notification_id or 0, leg_id=leg.leg_id or 0,
                lease_token=1, state="accepted", started_at=at, finished_at=at, address="x", text="t",
                read_age_seconds=1, sid=one, provider_status="accepted",
            )  # fmt: skip
            book.session.add(attempt)


def asked_for(engine: Engine, now: datetime, *, everything: bool = False) -> list[str]:
    with reading(engine) as session:
        return [one.sid for one in due(session, now, everything=everything)]


def test_a_message_is_asked_for_after_an_hour_and_then_by_night_or_by_hand(ledger: Engine) -> None:
    open_tenant(ledger)
    for age in (0.9, 1.1, 2.4, 2.6, 95, 97):
        took(ledger, f"SM{age}", at=BY_DAY - age * HOUR, channel="sms")
    assert asked_for(ledger, BY_DAY) == ["SM2.4", "SM1.1"]
    assert asked_for(ledger, BY_DAY, everything=True) == ["SM95", "SM2.6", "SM2.4", "SM1.1"]
    assert "SM95" in asked_for(ledger, BY_DAY.replace(hour=2))


def test_an_email_is_asked_for_until_twilio_is_about_to_forget_it(ledger: Engine) -> None:
    open_tenant(ledger)
    took(ledger, email_id(1), at=BY_NIGHT - timedelta(days=5, hours=23))
    took(ledger, email_id(2), at=BY_NIGHT - timedelta(days=6, hours=1))
    assert asked_for(ledger, BY_NIGHT) == [email_id(1)]


def test_what_sendgrid_has_is_not_asked_for_and_keeps_no_lost_receipt_waiting(ledger: Engine) -> None:
    open_tenant(ledger)
    took(ledger, *(f"grid.{number}" for number in range(PORTION + 1)), at=NOW - 3 * HOUR)
    took(ledger, sid(), at=NOW - 2 * HOUR, channel="sms")
    assert asked_for(ledger, NOW, everything=True) == [sid()]


def test_one_run_asks_for_all_that_are_due_however_many_they_are(ledger: Engine) -> None:
    open_tenant(ledger)
    emails = [email_id(number) for number in range(2 * PORTION + 50)]
    took(ledger, *emails, at=NOW - 2 * HOUR)
    with reading(ledger) as session:
        these = due(session, NOW, everything=False)
    portions: list[int] = []

    def ask(some: Sequence[Unconfirmed]) -> list[Settled]:
        portions.append(len(some))
        return [Settled(one.attempt_id, "asked", "delivered") for one in some]

    asked = in_portions(these, ask)
    assert (len(asked.settled), asked.failed, asked.left) == (len(emails), 0, 0)
    assert portions == [PORTION, PORTION, 50]


def test_what_was_asked_for_longest_ago_comes_first_also_where_the_answer_was_an_error(
    ledger: Engine,
) -> None:
    open_tenant(ledger)
    took(ledger, email_id(1), email_id(2), at=NOW - 3 * HOUR)
    took(ledger, email_id(3), at=NOW - 2 * HOUR)

    def twilio(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(email_id(1)):
            return httpx.Response(404, json={})
        return httpx.Response(200, json={"status": "PROCESSING", "stats": {"total": 1, "queued": 1}})

    resources = resources_over(ledger, Hand(NOW - HOUR), twilio=twilio, EMAIL_FROM="bills@kauri.example")
    with pytest.raises(RecordNotFound):
        confirm(resources, Unconfirmed(f"of {email_id(1)}", email_id(1), "email"))
    assert confirm(resources, Unconfirmed(f"of {email_id(2)}", email_id(2), "email")).state == "queued"
    assert asked_for(ledger, NOW, everything=True) == [email_id(3), email_id(1), email_id(2)]
    assert the_attempt(ledger, f"of {email_id(1)}").provider_status == "accepted"


def test_a_provider_that_is_away_is_not_asked_for_a_further_portion() -> None:
    asked = in_portions(range(3 * PORTION), lambda some: [Settled("a", "asked")] * (len(some) // 2 - 1))
    assert (asked.failed, asked.left) == (PORTION // 2 + 1, 2 * PORTION)
    assert ending([asked]) == Ended(
        "Not all settled",
        f"{PORTION // 2 - 1} asked, {PORTION // 2 + 1} failed, {2 * PORTION} left for the next run",
        sound=False,
    )


def test_a_run_leaves_to_the_next_what_it_has_no_time_for() -> None:
    times = iter([0.0, 1.0, LONGEST.total_seconds()])

    def ask(some: Sequence[int]) -> list[Settled]:
        return [Settled("a", "asked")] * len(some)

    asked = in_portions(range(2 * PORTION), ask, lambda: next(times))
    assert (len(asked.settled), asked.failed, asked.left) == (PORTION, 0, PORTION)


def with_mail(
    engine: Engine, after: timedelta, twilio: Answering = nobody_answers, **variables: str
) -> Resources:
    """What a run works with this long after the email was posted, where email is on."""
    variables = {"EMAIL_FROM": "bills@kauri.example"} | variables
    return resources_over(engine, Hand(NOW + after), xero=nobody_answers, twilio=twilio, **variables)


def parked_email(engine: Engine) -> None:
    """An email whose answer was lost, that was not listed in time, and that is left to a person."""
    open_tenant(engine)
    claimed = claim(engine, plan(engine, 1, Send("ann@rimu.example", channel="email")).notification_id or 0)
    assert claimed is not None
    assert begin(engine, claimed) is not None
    conclude(engine, UNKNOWN)
    conclude(engine, PARKED)


def test_an_email_that_twilio_lists_only_after_it_was_parked_is_found_by_its_tag(ledger: Engine) -> None:
    parked_email(ledger)
    emails: list[dict[str, Any]] = []

    def twilio(request: httpx.Request) -> httpx.Response:
        assert dict(request.url.params) == {"tags": "n:a1;"}
        return httpx.Response(200, json={"emails": emails})

    resources = with_mail(ledger, 3 * HOUR, twilio)
    [one] = parked(resources)
    assert look_for_parked(resources, one).outcome == "still left to a person"
    assert the_notification(ledger).state == "parked"
    emails.append({"id": "comms_email_1", "status": "DELIVERED", "tags": {"n": "a1"}})
    assert look_for_parked(resources, one) == Settled("a1", "found", "delivered")
    assert (the_notification(ledger).state, the_attempt(ledger).sid) == ("delivered", "comms_email_1")
    assert parked(resources) == []
    assert broken(ledger) == []


def test_a_parked_email_is_looked_for_while_twilio_keeps_it_and_only_there(ledger: Engine) -> None:
    parked_email(ledger)
    days = timedelta(days=6)
    assert len(parked(with_mail(ledger, days))) == 1
    assert parked(with_mail(ledger, days + HOUR)) == []
    assert parked(with_mail(ledger, days, EMAIL_PROVIDER="sendgrid", SENDGRID_API_KEY="SG.x")) == []
    assert parked(with_mail(ledger, days, EMAIL_FROM="")) == []
