"""What a person is owed is planned once, and held by one sender at a time."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.ledger import dispatch, notifications, present, verdicts
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.moving import InvariantBroken
from duebell.ledger.notifications import SEND_LEASE, Claim
from duebell.ledger.tables import Audit, Leg, Notification
from duebell.ledger.writing import writing
from duebell.policy.verdict import Hold, Reason, Send, Skip, Verdict
from duebell.states import NotificationState
from tests.support_facts import (
    MINUTE,
    MOBILE,
    NOW,
    OTHER_MOBILE,
    TENANT,
    accepted,
    at_once,
    claim,
    conclude,
    counted,
    numbered,
    open_tenant,
    owed,
    plan,
    sent_off,
    the_notification,
)
from tests.support_ledger import emptied

SECOND = timedelta(seconds=1)
MANY = 120
S = NotificationState


def let_go(engine: Engine, claimed: Claim, state: NotificationState, now: datetime = NOW) -> bool:
    with writing(engine, now) as book:
        return notifications.let_go(
            book, claimed, state, "a reason", not_before=now, dispatch_at=now, actor="test"
        )


def address_of(engine: Engine) -> str:
    with reading(engine) as session:
        return session.exec(select(Leg.address)).one()


def test_planning_twice_makes_one_row_and_one_entry_in_the_trail(ledger: Engine) -> None:
    first, second = plan(ledger), plan(ledger)
    assert first.notification_id == second.notification_id
    assert counted(ledger, Notification) == counted(ledger, Leg) == counted(ledger, Audit) == 1


def test_planning_at_once_makes_one_row(ledger: Engine) -> None:
    rows = at_once(24, lambda _: plan(ledger))
    assert len({row.notification_id for row in rows}) == 1
    assert counted(ledger, Notification) == counted(ledger, Leg) == 1
    assert broken(ledger) == []


def test_a_plan_that_waits_takes_the_new_verdict_and_the_new_number(ledger: Engine) -> None:
    plan(ledger, verdict=Hold(Reason.OUTSIDE_WINDOW, MOBILE, NOW + 60 * MINUTE))
    assert the_notification(ledger).state == S.HELD
    row = plan(ledger, verdict=Send(OTHER_MOBILE))
    assert (row.state, row.reason, row.not_before) == (S.PLANNED, "", NOW)
    assert address_of(ledger) == OTHER_MOBILE


def test_a_skipped_one_may_be_planned_again_once_the_cause_has_gone(ledger: Engine) -> None:
    assert plan(ledger, verdict=Skip(Reason.NO_PHONE, "letters")).reason == "no_phone:letters"
    assert plan(ledger).state == S.PLANNED


def test_what_was_left_out_for_a_reason_is_so_since_it_was_first_left_out_for_it(ledger: Engine) -> None:
    later, told_no_more = [NOW + minute * MINUTE for minute in range(4)], Skip(Reason.OPTED_OUT)
    plan(ledger, now=later[0])
    for verdict, now, since in [
        (Skip(Reason.NO_PHONE, "letters"), later[1], later[1]),
        (Skip(Reason.NO_PHONE, "letters"), later[2], later[1]),
        (told_no_more, later[3], later[3]),
    ]:
        assert plan(ledger, now=now, verdict=verdict).updated_at == since


@pytest.mark.parametrize(
    "verdict", [Send(OTHER_MOBILE), Hold(Reason.IN_REVIEW, OTHER_MOBILE), Skip(Reason.TOO_OLD)]
)
def test_a_later_plan_changes_nothing_of_what_is_being_sent(ledger: Engine, verdict: Verdict) -> None:
    sent_off(ledger)
    assert plan(ledger, verdict=verdict).state == S.SENDING
    conclude(ledger, accepted())
    assert plan(ledger, verdict=verdict).state == S.ACCEPTED
    assert address_of(ledger) == MOBILE
    assert broken(ledger) == []


def test_a_plan_sees_what_another_transaction_committed_since_this_one_first_looked(postgres: Engine) -> None:
    engine = emptied(postgres)
    plan(engine)
    with writing(engine, NOW) as book:
        [seen] = present.of_invoices(book.session, TENANT, "invoice_issued", [numbered(1)])
        sent_off(engine)
        assert seen.state == S.PLANNED
        row = notifications.plan(book, owed(), Hold(Reason.IN_REVIEW, MOBILE), actor="test", flow_run_id=None)
        assert row.state == S.SENDING
    assert the_notification(engine).state == S.SENDING
    assert broken(engine) == []


def test_f073_of_many_senders_one_claims(ledger: Engine) -> None:
    row = plan(ledger)
    claims = at_once(16, lambda number: claim(ledger, row.notification_id or 0, f"run {number}"))
    assert sum(one is not None for one in claims) == 1


def test_f073_no_notification_of_hundreds_is_claimed_twice(ledger: Engine) -> None:
    with writing(ledger, NOW) as book:
        for number in range(MANY):
            notifications.plan(book, owed(number), Send(MOBILE), actor="test", flow_run_id=None)

    def take(worker: int) -> list[int]:
        taken: list[int] = []
        for number in range(MANY):
            notification_id = (number * 7 + worker * 31) % MANY + 1
            if claim(ledger, notification_id, f"run {worker}") is not None:
                taken.append(notification_id)
        return taken

    # A run that comes again to its own claim takes it over, so each looks at each row once.
    ids = [one for own in at_once(6, take) for one in own]
    assert sorted(ids) == list(range(1, MANY + 1))
    assert broken(ledger) == []


def test_a_retried_run_takes_its_own_claim_over_and_the_first_one_is_stale(ledger: Engine) -> None:
    row = plan(ledger)
    first = claim(ledger, row.notification_id or 0)
    again = claim(ledger, row.notification_id or 0)
    assert first
    assert again
    assert again.lease_token == first.lease_token + 1
    assert not let_go(ledger, first, S.HELD)
    assert the_notification(ledger).state == S.CLAIMED


def test_the_claim_of_another_run_is_taken_only_after_it_lapsed(ledger: Engine) -> None:
    row = plan(ledger)
    assert claim(ledger, row.notification_id or 0, "run 1")
    assert claim(ledger, row.notification_id or 0, "run 2", now=NOW + SEND_LEASE) is None
    assert claim(ledger, row.notification_id or 0, "run 2", now=NOW + SEND_LEASE + SECOND)


@pytest.mark.parametrize("owner", ["run 1", "run 2"])
def test_what_is_being_sent_is_never_claimed_however_long_ago(ledger: Engine, owner: str) -> None:
    claimed = sent_off(ledger)
    assert claim(ledger, claimed.notification_id, owner, now=NOW + timedelta(days=9)) is None


def test_a_held_one_is_claimed_from_its_time_on(ledger: Engine) -> None:
    row = plan(ledger, verdict=Hold(Reason.OUTSIDE_WINDOW, MOBILE, NOW + MINUTE))
    assert claim(ledger, row.notification_id or 0) is None
    assert claim(ledger, row.notification_id or 0, now=NOW + MINUTE)


def test_one_that_waits_for_a_person_is_not_claimed(ledger: Engine) -> None:
    row = plan(ledger, verdict=Hold(Reason.IN_REVIEW, MOBILE))
    assert claim(ledger, row.notification_id or 0, now=NOW + timedelta(days=9)) is None


def test_a_claim_is_given_back_with_its_reason(ledger: Engine) -> None:
    claimed = claim(ledger, plan(ledger).notification_id or 0)
    assert claimed
    assert let_go(ledger, claimed, S.SKIPPED)
    row = the_notification(ledger)
    assert (row.state, row.reason, row.lease_until) == (S.SKIPPED, "a reason", None)
    assert broken(ledger) == []


def test_giving_back_a_lost_claim_changes_nothing(ledger: Engine) -> None:
    stale = claim(ledger, plan(ledger).notification_id or 0, "run 1")
    later = NOW + SEND_LEASE + SECOND
    assert stale
    assert claim(ledger, stale.notification_id, "run 2", now=later)
    assert not let_go(ledger, stale, S.SKIPPED, later)
    assert (the_notification(ledger).state, the_notification(ledger).lease_owner) == (S.CLAIMED, "run 2")


def test_a_claim_cannot_be_given_back_as_told(ledger: Engine) -> None:
    claimed = claim(ledger, plan(ledger).notification_id or 0)
    assert claimed
    with pytest.raises(InvariantBroken, match="given back as unknown"):
        let_go(ledger, claimed, S.UNKNOWN)


def test_a_run_is_due_for_what_waits_and_nobody_handles_each_time_later(sqlite_ledger: Engine) -> None:
    open_tenant(sqlite_ledger)
    for number in range(3):
        plan(sqlite_ledger, number)
    plan(sqlite_ledger, 3, Hold(Reason.IN_REVIEW, MOBILE))
    now, waits = NOW + verdicts.RUN_GRACE, list[timedelta]()
    assert dispatch.due(sqlite_ledger, now=now - SECOND) == ()
    for _ in range(50):
        [run] = dispatch.due(sqlite_ledger, now=now)
        assert run.invoice_ids == tuple(numbered(number) for number in range(3))
        with writing(sqlite_ledger, now) as book:
            dispatch.put_off(book, run)
        at = the_notification(sqlite_ledger, 0).dispatch_at
        assert at
        waits.append(at - now)
        now = at
    assert (waits, waits[0], waits[-1]) == (sorted(waits), 30 * SECOND, 60 * MINUTE)


def test_no_run_is_due_for_what_is_claimed_sent_or_over(ledger: Engine) -> None:
    open_tenant(ledger)
    sent_off(ledger)
    claim(ledger, plan(ledger, 2).notification_id or 0)
    plan(ledger, 3, Skip(Reason.TOO_OLD))
    assert dispatch.due(ledger, now=NOW + timedelta(days=9)) == ()


def test_a_run_that_was_made_is_left_the_time_to_come(ledger: Engine) -> None:
    open_tenant(ledger)
    plan(ledger)
    with writing(ledger, NOW) as book:
        dispatch.run_started(book, TENANT, "invoice_issued", [numbered(1)])
    assert dispatch.due(ledger, now=NOW + dispatch.RUN_EXPECTED - SECOND) == ()
    assert len(dispatch.due(ledger, now=NOW + dispatch.RUN_EXPECTED)) == 1
