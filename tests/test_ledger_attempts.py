"""An attempt stands before the call; whatever becomes of its sender, nobody is told twice for it."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Engine

from duebell.ledger import attempts, preferences, tenants
from duebell.ledger.attempts import Reaped
from duebell.ledger.evidence import Conclusion
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import SEND_LEASE
from duebell.ledger.tables import Attempt
from duebell.ledger.writing import writing
from duebell.states import AttemptState, NotificationState
from tests.support_facts import (
    MINUTE,
    MOBILE,
    NOT_PROCESSED,
    NOW,
    OTHER_TENANT,
    PARKED,
    TENANT,
    UNKNOWN,
    accepted,
    at_once,
    begin,
    claim,
    conclude,
    counted,
    plan,
    sent_off,
    sid,
    the_attempt,
    the_notification,
)

S = NotificationState
A = AttemptState
SECOND = timedelta(seconds=1)
LATER = NOW + SEND_LEASE + SECOND
REFUSED = Conclusion(A.REFUSED, S.GIVEN_UP, reason="twilio:21211", http_status=400, error_code=21211)


def reap(engine: Engine) -> Reaped:
    with writing(engine, LATER) as book:
        return attempts.reap(book, MINUTE)


def stop(engine: Engine, scope: str, *, stopped: bool = True) -> None:
    tenants.set_brake(engine, stopped=stopped, by="person:test", why="a test", scope=scope, now=NOW)


def refuse(engine: Engine, state: str, evidence: str = "") -> None:
    with writing(engine, NOW) as book:
        preferences.refuse_address(book, MOBILE, "sms", state, evidence)


def lift(engine: Engine) -> None:
    with writing(engine, NOW) as book:
        assert preferences.lift_opt_out(book, MOBILE, "sms", "inbound:START")


def test_an_attempt_stands_before_its_call(ledger: Engine) -> None:
    claimed = sent_off(ledger)
    attempt = the_attempt(ledger)
    assert (attempt.state, attempt.address, attempt.text) == (A.SENDING, MOBILE, "a text")
    assert attempt.lease_token == claimed.lease_token
    assert the_notification(ledger).state == S.SENDING
    assert broken(ledger) == []


def test_of_many_that_hold_the_same_claim_one_begins(ledger: Engine) -> None:
    claimed = claim(ledger, plan(ledger).notification_id or 0)
    assert claimed
    begun = at_once(12, lambda number: begin(ledger, claimed, f"a{number}"))
    assert sum(one is not None for one in begun) == counted(ledger, Attempt) == 1
    assert broken(ledger) == []


@pytest.mark.parametrize(
    ("obstacle", "mend"),
    [
        (partial(stop, scope="all"), partial(stop, scope="all", stopped=False)),
        (partial(stop, scope=TENANT), partial(stop, scope=TENANT, stopped=False)),
        (partial(refuse, state="opted_out", evidence="inbound:STOP"), lift),
        (partial(refuse, state="invalid"), partial(refuse, state="consented")),
    ],
    ids=["all stopped", "tenant stopped", "opted out", "invalid"],
)
def test_no_attempt_begins_while_something_stands_against_it(
    ledger: Engine, obstacle: Callable[[Engine], None], mend: Callable[[Engine], None]
) -> None:
    claimed = claim(ledger, plan(ledger).notification_id or 0)
    assert claimed
    obstacle(ledger)
    assert begin(ledger, claimed) is None
    assert (the_notification(ledger).state, counted(ledger, Attempt)) == (S.CLAIMED, 0)
    mend(ledger)
    assert begin(ledger, claimed) is not None


def test_the_brake_of_another_tenant_stops_nobody_else(ledger: Engine) -> None:
    stop(ledger, OTHER_TENANT)
    sent_off(ledger)
    assert the_notification(ledger).state == S.SENDING


def test_no_attempt_begins_on_a_lapsed_or_lost_claim(ledger: Engine) -> None:
    claimed = claim(ledger, plan(ledger).notification_id or 0, "run 1")
    assert claimed
    assert begin(ledger, claimed, now=NOW + SEND_LEASE) is None
    assert claim(ledger, claimed.notification_id, "run 2", now=LATER)
    assert begin(ledger, claimed, now=LATER) is None
    assert counted(ledger, Attempt) == 0


def test_what_a_person_asked_for_outlasts_a_bad_number(ledger: Engine) -> None:
    refuse(ledger, "opted_out", "STOP")
    refuse(ledger, "invalid", "twilio:21211")
    with writing(ledger, NOW) as book:
        assert preferences.refusals(book.session, [MOBILE]) == {MOBILE: "opted_out"}


def test_refusals_of_one_number_at_once_are_one_row(ledger: Engine) -> None:
    at_once(12, lambda number: refuse(ledger, "opted_out" if number % 2 else "invalid"))
    with writing(ledger, NOW) as book:
        assert preferences.refusals(book.session, [MOBILE]) == {MOBILE: "opted_out"}


@pytest.mark.parametrize(
    ("known", "attempt", "notification"),
    [
        (accepted(), A.ACCEPTED, S.ACCEPTED),
        (REFUSED, A.REFUSED, S.GIVEN_UP),
        (NOT_PROCESSED, A.NOT_PROCESSED, S.PLANNED),
        (UNKNOWN, A.UNKNOWN, S.UNKNOWN),
    ],
)
def test_an_outcome_settles_attempt_and_notification(
    ledger: Engine, known: Conclusion, attempt: AttemptState, notification: NotificationState
) -> None:
    sent_off(ledger)
    assert conclude(ledger, known) is notification
    assert conclude(ledger, known) is notification
    row = the_notification(ledger)
    assert (row.state, row.reason, row.lease_until) == (notification, known.reason, None)
    assert (the_attempt(ledger).state, the_attempt(ledger).sid) == (attempt, known.sid)
    assert broken(ledger) == []


@pytest.mark.parametrize("known", [REFUSED, NOT_PROCESSED, UNKNOWN, PARKED])
def test_what_was_accepted_stays_accepted(ledger: Engine, known: Conclusion) -> None:
    sent_off(ledger)
    conclude(ledger, accepted())
    assert conclude(ledger, known) is S.ACCEPTED
    assert (the_attempt(ledger).state, the_attempt(ledger).sid) == (A.ACCEPTED, sid())
    assert broken(ledger) == []


def test_f069_a_lapsed_claim_returns_and_may_be_claimed_again(ledger: Engine) -> None:
    claimed = claim(ledger, plan(ledger).notification_id or 0, "run 1")
    assert claimed
    assert reap(ledger) == Reaped(returned=1, unknown=0)
    assert (the_notification(ledger).state, the_notification(ledger).reason) == (S.PLANNED, "claim_lapsed")
    assert begin(ledger, claimed, now=LATER) is None
    assert claim(ledger, claimed.notification_id, "run 2", now=LATER)
    assert broken(ledger) == []


def test_a_living_lease_is_left_alone(ledger: Engine) -> None:
    sent_off(ledger)
    claim(ledger, plan(ledger, 2).notification_id or 0)
    with writing(ledger, NOW + SEND_LEASE) as book:
        assert attempts.reap(book, MINUTE) == Reaped(0, 0)


def test_f070_a_lapsed_send_is_unknown_is_looked_for_and_never_claimed_again(
    ledger: Engine,
) -> None:
    claimed = sent_off(ledger)
    assert reap(ledger) == Reaped(returned=0, unknown=1)
    assert reap(ledger) == Reaped(0, 0)
    assert the_notification(ledger).state == S.UNKNOWN
    assert (the_attempt(ledger).state, the_attempt(ledger).settle_at) == (A.UNKNOWN, LATER + MINUTE)
    assert claim(ledger, claimed.notification_id, now=LATER) is None
    assert broken(ledger) == []


def test_f071_the_sid_of_a_sender_that_was_given_up_is_taken(ledger: Engine) -> None:
    sent_off(ledger)
    reap(ledger)
    assert conclude(ledger, accepted(), now=LATER) is S.ACCEPTED
    assert (the_attempt(ledger).sid, the_attempt(ledger).settle_at) == (sid(), None)
    assert broken(ledger) == []


def test_a_sender_that_comes_back_with_proof_that_nothing_was_processed_frees_its_message(
    ledger: Engine,
) -> None:
    claimed = sent_off(ledger)
    reap(ledger)
    assert conclude(ledger, NOT_PROCESSED, now=LATER) is S.PLANNED
    assert claim(ledger, claimed.notification_id, "run 2", now=LATER)
    assert broken(ledger) == []


def test_proof_of_nothing_that_comes_after_a_person_was_asked_is_kept_and_sends_nothing(
    ledger: Engine,
) -> None:
    claimed = sent_off(ledger)
    conclude(ledger, UNKNOWN)
    conclude(ledger, PARKED)
    assert conclude(ledger, NOT_PROCESSED) is S.PARKED
    assert the_attempt(ledger).state == A.NOT_PROCESSED
    assert claim(ledger, claimed.notification_id) is None
    assert broken(ledger) == []


def test_the_outcome_of_an_older_attempt_does_not_end_a_newer_one(ledger: Engine) -> None:
    claimed = sent_off(ledger)
    conclude(ledger, NOT_PROCESSED)
    newer = claim(ledger, claimed.notification_id, "run 2")
    assert newer
    assert begin(ledger, newer, "a2")
    assert conclude(ledger, UNKNOWN, "a1") is S.SENDING
    assert the_attempt(ledger, "a1").state == A.NOT_PROCESSED
    assert conclude(ledger, accepted(2), "a2") is S.ACCEPTED
    assert broken(ledger) == []


@pytest.mark.parametrize("known", [NOT_PROCESSED, UNKNOWN, REFUSED])
def test_an_attempt_that_arrived_after_all_keeps_a_newer_one_from_being_sent_again(
    ledger: Engine, known: Conclusion
) -> None:
    claimed = sent_off(ledger)
    conclude(ledger, NOT_PROCESSED)
    newer = claim(ledger, claimed.notification_id, "run 2")
    assert newer
    assert begin(ledger, newer, "a2")
    assert conclude(ledger, accepted(), "a1") is S.SENDING
    assert conclude(ledger, known, "a2") is S.ACCEPTED
    assert claim(ledger, claimed.notification_id, "run 3", now=LATER) is None
    assert broken(ledger) == []


def test_recorder_and_reaper_at_once_leave_one_truth_and_never_wait_for_each_other(ledger: Engine) -> None:
    for number in range(12):
        sent_off(ledger, number, f"a{number}")

    def work(worker: int) -> None:
        if worker == 0:
            reap(ledger)
        for number in range(12)[:: 1 if worker % 2 else -1]:
            conclude(ledger, accepted(number), f"a{number}", now=LATER)

    at_once(4, work)
    assert {the_notification(ledger, number).state for number in range(12)} == {S.ACCEPTED}
    assert broken(ledger) == []
