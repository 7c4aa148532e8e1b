"""An unknown send is settled by evidence; what shows nothing is asked of a person, and never sent again."""

import json
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from duebell.errors import Transient
from duebell.ledger import tenants, unsettled
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.unsettled import Unsettled
from duebell.policy.reaching import Way
from duebell.policy.verdict import Send
from duebell.policy_file.policy import Policy
from duebell.settling.settling import Settled, candidates, matching, next_look, settle
from duebell.showing.reporting_outstanding import told_of
from duebell.states import AttemptState, NotificationState
from duebell.twilio.messages import MessageState
from duebell.twilio.statuses import MessageStatus
from tests.support_facts import (
    MINUTE,
    MOBILE,
    NOW,
    PARKED,
    UNKNOWN,
    Hand,
    accepted,
    conclude,
    listed,
    open_tenant,
    plan,
    receipt,
    resources_over,
    sent_off,
    sid,
    the_attempt,
    the_notification,
)

S = NotificationState
LOST = Unsettled("a1", "t1", "invoice_issued", "sms", MOBILE, "a text", None, NOW, 0)
LISTED = MessageState(
    sid(), MessageStatus.SENT, "sent", None, "outbound-api", None, NOW, NOW, to=MOBILE, body="a text"
)


def matched(*listed: MessageState, bound: Collection[str] = ()) -> MessageState | None:
    return matching(LOST, candidates(LOST, listed, set(bound)))


def test_the_one_message_that_can_only_be_this_attempt_is_found() -> None:
    assert matched(LISTED) == LISTED


@pytest.mark.parametrize(
    "change",
    [
        {"body": "another text"},
        {"direction": "inbound"},
        {"created_at": None},
        {"created_at": NOW - 3 * MINUTE},
        {"created_at": NOW + 16 * MINUTE},
    ],
)
def test_f084_a_message_that_may_be_another_is_no_evidence(change: dict[str, Any]) -> None:
    assert matched(replace(LISTED, **change)) is None


def test_a_message_of_another_attempt_is_no_evidence() -> None:
    assert matched(LISTED, bound={LISTED.sid}) is None


def test_two_candidates_are_no_evidence() -> None:
    assert matched(LISTED, replace(LISTED, sid=sid(2))) is None


def test_of_copies_of_a_held_message_the_one_that_went_out_comes_first_and_a_cancelled_one_last() -> None:
    held = replace(LOST, send_at=NOW + 25 * MINUTE)
    copies = [
        replace(LISTED, sid=sid(number), raw_status=status)
        for number, status in enumerate(("canceled", "scheduled", "sent"), start=1)
    ]
    assert [one.raw_status for one in candidates(held, copies, set())] == ["sent", "scheduled", "canceled"]
    assert matching(held, candidates(held, copies[:2], set())) == copies[1]


def test_what_twilio_puts_before_a_trial_s_text_does_not_hide_it() -> None:
    trial = replace(LISTED, body="Sent from your Twilio trial account - a  text")
    assert matched(trial) == trial


def test_it_is_looked_for_at_each_time_of_the_policy_and_then_left_to_a_person() -> None:
    looks, now = list[int](), NOW
    while (later := next_look(LOST, Policy(), now)) is not None:
        looks.append(int((later - NOW) / MINUTE))
        now = later
    assert looks == [1, 5, 15, 20]


def twilio(*messages: dict[str, Any]) -> Any:
    """A Twilio that lists these messages."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.method == "GET"
        return httpx.Response(200, json={"messages": list(messages), "page_size": 50, "next_page_uri": None})

    return answer


def unknown(engine: Engine) -> Unsettled:
    sent_off(engine)
    conclude(engine, UNKNOWN)
    with reading(engine) as session:
        [one] = unsettled.unsettled(session, now=NOW + MINUTE)
    return one


def look(engine: Engine, one: Unsettled, after: timedelta, answer: Any) -> Settled:
    return settle(resources_over(engine, Hand(NOW + after), twilio=answer), one)


def test_a_message_that_twilio_lists_is_bound_with_its_receipts(ledger: Engine) -> None:
    one = unknown(ledger)
    keep_receipt(ledger, receipt("delivered"), now=NOW)
    settled = look(ledger, one, MINUTE, twilio(listed(status="sent")))
    assert settled == Settled("a1", "found", "sent")
    assert (the_notification(ledger).state, the_attempt(ledger).sid) == (S.DELIVERED, sid())
    assert broken(ledger) == []


def test_f084_absence_from_the_list_settles_nothing_and_a_later_look_is_set(ledger: Engine) -> None:
    one = unknown(ledger)
    assert look(ledger, one, MINUTE, twilio()).outcome == "later"
    attempt = the_attempt(ledger)
    assert (attempt.state, attempt.settle_at, attempt.settle_tries) == ("unknown", NOW + 5 * MINUTE, 1)
    assert not unsettled.settle_due(ledger, now=NOW + 4 * MINUTE)
    assert unsettled.settle_due(ledger, now=NOW + 5 * MINUTE)
    assert the_notification(ledger).state == S.UNKNOWN


def test_what_nothing_shows_is_parked_for_a_person(ledger: Engine) -> None:
    one = unknown(ledger)
    assert look(ledger, one, 20 * MINUTE, twilio()) == Settled("a1", "parked", "parked")
    assert (the_notification(ledger).state, the_notification(ledger).reason) == (S.PARKED, "no_evidence")
    assert the_attempt(ledger).state == AttemptState.PARKED
    assert not unsettled.settle_due(ledger, now=NOW + timedelta(days=1))
    assert broken(ledger) == []


def test_a_policy_that_rather_says_it_twice_has_the_next_channel_say_it(
    ledger: Engine, tmp_path: Path
) -> None:
    plan(ledger, verdict=Send(MOBILE, others=(Way("email", "rimu@example.com"),)))
    one = unknown(ledger)
    (tmp_path / "policy.toml").write_text("[invoice_issued]\nfall_back_unknown = true\n")
    resources = resources_over(
        ledger, Hand(NOW + 20 * MINUTE), twilio=twilio(), DUEBELL_POLICY=str(tmp_path / "policy.toml")
    )
    assert settle(resources, one) == Settled("a1", "next channel", "planned")
    assert the_notification(ledger).reason == "next_channel:no_evidence"
    assert broken(ledger) == []


def test_a_message_of_another_attempt_in_the_list_is_left_to_it(ledger: Engine) -> None:
    sent_off(ledger, 2, "a2")
    conclude(ledger, accepted(2), "a2")
    one = unknown(ledger)
    assert look(ledger, one, MINUTE, twilio(listed(2))).outcome == "later"
    assert the_attempt(ledger).sid is None


def test_what_was_settled_while_twilio_was_asked_is_told_as_it_is(ledger: Engine) -> None:
    one = unknown(ledger)
    keep_receipt(ledger, receipt("delivered", attempt_id="a1"), now=NOW)
    assert look(ledger, one, 20 * MINUTE, twilio()) == Settled("a1", "found", "delivered")
    assert broken(ledger) == []


def test_a_twilio_that_cannot_be_asked_settles_nothing(ledger: Engine) -> None:
    one = unknown(ledger)
    with pytest.raises(Transient):
        look(ledger, one, 20 * MINUTE, lambda _request: httpx.Response(503))  # pyright: ignore[reportUnknownLambdaType]  # any request
    assert the_attempt(ledger).state == AttemptState.UNKNOWN


def test_what_nobody_knows_is_shown_with_its_age_and_without_names(ledger: Engine) -> None:
    open_tenant(ledger)
    unknown(ledger)
    sent_off(ledger, 2, "a2", now=NOW + 10 * MINUTE)
    conclude(ledger, UNKNOWN, "a2")
    conclude(ledger, PARKED, "a2")
    keep_receipt(ledger, receipt("sent", 9), now=NOW)
    told = told_of(ledger, NOW + timedelta(hours=25))
    left, strange = "1 left to a person, 1 looked for", "1 messages with receipts that nobody here sent"
    assert told.sentence == f"{left}; the oldest for 1 day; {strange}"
    assert [(row["state"], row["age"]) for row in told.table] == [("unknown", "1 day"), ("parked", "1 day")]
    assert MOBILE[3:] not in json.dumps(told.table)


def test_a_stopped_sending_is_told_beside_it(ledger: Engine) -> None:
    tenants.set_brake(ledger, stopped=True, by="person:test", why="a test", scope="all", now=NOW)
    tenants.set_brake(ledger, stopped=True, by="journal", why="it was set back", scope="t1", now=NOW)
    said = told_of(ledger, NOW).sentence
    since = "since 2026-11-20 01:16 UTC"
    assert f"sending of all organisations is stopped {since} by a person: `duebell doctor` says why" in said
    assert f"sending of organisation t1 is stopped {since} by journal, because it was set back" in said
    assert "person:test" not in said, "Prefect keeps it in clear"
    assert "a test" not in said, "a person's words may name a customer"
