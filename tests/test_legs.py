"""The channels of one message: one after the other, under one key, and never a second copy by itself."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from duebell.deciding.deciding import Rules
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import legs, preferences
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Notification
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.policy.verdict import Reason
from duebell.showing.reporting import lines_for
from duebell.states import AttemptState, NotificationState, Sending
from tests.support_facts import (
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
    PARKED,
    TENANT,
    UNKNOWN,
    accepted,
    begin,
    claim,
    conclude,
    keep_contact,
    keep_invoice,
    open_tenant,
    policy,
    receipt,
)

S = NotificationState
EMAIL = "rimu@example.com"
BOTH = Rules(policy(channels=["sms", "email"]), Sending.LIVE)
DAY = timedelta(hours=24)

NO_SUCH_NUMBER = Conclusion(
    AttemptState.REFUSED, S.GIVEN_UP, reason="twilio:21211", error_code=21211, falls_back=True
)


@pytest.fixture
def books(ledger: Engine) -> Engine:
    """An issued invoice of a customer with a mobile and an email address."""
    open_tenant(ledger)
    keep_invoice(ledger)
    keep_contact(ledger, EmailAddress=EMAIL)
    return ledger


def planned(engine: Engine, rules: Rules = BOTH, *, minute: int = 0) -> Notification:
    with writing(engine, NOW + minute * MINUTE) as book:
        [row] = plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], rules, actor="test", flow_run_id=None)
        book.session.flush()
        book.session.expunge(row)
        return row


def the_notification(engine: Engine) -> Notification:
    with reading(engine) as session:
        return session.get_one(Notification, 1)


def ways(engine: Engine) -> list[tuple[str, str, str]]:
    with reading(engine) as session:
        return [(leg.channel, leg.address, leg.over) for leg in legs.of(session, 1)]


def now_by(engine: Engine) -> str:
    with reading(engine) as session:
        return legs.current(session, session.get_one(Notification, 1)).channel


def sending(engine: Engine, attempt_id: str = "a1", *, at: timedelta = timedelta(0)) -> Any:
    taken = claim(engine, 1, now=NOW + at)
    assert taken is not None
    intent = begin(engine, taken, attempt_id, now=NOW + at)
    assert intent is not None
    return intent


def came_back(engine: Engine, status: str = "undelivered", code: int = 30005) -> None:
    keep_receipt(engine, receipt(status, attempt_id="a1", code=code), now=NOW)


def state(engine: Engine) -> tuple[str, str]:
    row = the_notification(engine)
    return row.state, row.reason


def test_the_order_of_the_policy_is_the_order_of_the_legs(books: Engine) -> None:
    planned(books)
    assert ways(books) == [("sms", MOBILE, ""), ("email", EMAIL, "")]
    assert now_by(books) == "sms"


def test_a_customer_without_a_mobile_is_told_by_email_at_once(books: Engine) -> None:
    keep_contact(books, EmailAddress=EMAIL, Phones=[], read_at=NOW + MINUTE)
    planned(books)
    assert ways(books) == [("email", EMAIL, "")]
    assert sending(books).channel == "email"


def test_a_customer_who_can_be_reached_by_nothing_is_told_why_of_the_first_channel(books: Engine) -> None:
    keep_contact(books, EmailAddress="two@a.example, three@b.example", Phones=[], read_at=NOW + MINUTE)
    assert planned(books).reason.startswith(Reason.NO_PHONE)


def test_email_is_left_out_where_none_can_be_sent(books: Engine) -> None:
    planned(books, Rules(BOTH.policy, Sending.LIVE, frozenset({"sms"})))
    assert ways(books) == [("sms", MOBILE, "")]


def test_a_refused_number_is_followed_by_email_at_once(books: Engine) -> None:
    planned(books)
    sending(books)
    conclude(books, NO_SUCH_NUMBER)
    assert state(books) == (S.PLANNED, "next_channel:twilio:21211")
    assert ways(books)[0] == ("sms", MOBILE, "twilio:21211")
    assert the_notification(books).not_before == NOW
    assert sending(books, "a2").channel == "email"
    assert broken(books) == []


def test_the_table_of_a_run_shows_the_way_by_which_it_was_told_and_not_the_one_that_failed(
    books: Engine,
) -> None:
    planned(books)
    sending(books)
    conclude(books, NO_SUCH_NUMBER)
    sending(books, "a2")
    conclude(books, accepted(), "a2")
    [line] = lines_for(books, TENANT, INVOICE_ISSUED, [INVOICE])
    assert (line.channel, line.recipient, line.state) == ("email", "•••••", S.ACCEPTED)


def test_what_came_back_is_followed_by_email_on_another_day(books: Engine) -> None:
    planned(books)
    sending(books)
    conclude(books, accepted())
    came_back(books)
    assert state(books) == (S.PLANNED, "next_channel:twilio:30005")
    assert the_notification(books).not_before == NOW + DAY
    assert claim(books, 1, now=NOW + DAY - MINUTE) is None
    planned(books, minute=24 * 60)
    assert now_by(books) == "email"
    assert sending(books, "a2", at=DAY).channel == "email"
    assert broken(books) == []


def test_a_message_that_arrived_after_all_disarms_the_email(books: Engine) -> None:
    planned(books)
    sending(books)
    conclude(books, accepted())
    came_back(books)
    keep_receipt(books, receipt("delivered", attempt_id="a1"), now=NOW + MINUTE)
    assert state(books) == (S.DELIVERED, "")
    assert claim(books, 1, now=NOW + 2 * DAY) is None
    assert broken(books) == []


@pytest.mark.parametrize("status", ["queued", "sent", "undelivered", "failed"])
def test_other_news_of_the_failed_leg_changes_nothing(books: Engine, status: str) -> None:
    planned(books)
    sending(books)
    conclude(books, accepted())
    came_back(books)
    code = 30006 if status in {"undelivered", "failed"} else None
    keep_receipt(books, receipt(status, attempt_id="a1", code=code), now=NOW + MINUTE)
    assert the_notification(books).state == S.PLANNED
    assert broken(books) == []


def test_when_the_last_leg_fails_too_it_is_over(books: Engine) -> None:
    planned(books)
    sending(books)
    conclude(books, NO_SUCH_NUMBER)
    sending(books, "a2")
    conclude(books, NO_SUCH_NUMBER, "a2")
    assert state(books) == (S.GIVEN_UP, "twilio:21211")
    assert broken(books) == []


def test_an_outcome_that_nobody_knows_is_never_followed_by_another_channel(books: Engine) -> None:
    planned(books)
    sending(books)
    conclude(books, UNKNOWN)
    assert the_notification(books).state == S.UNKNOWN
    assert now_by(books) == "sms"


def test_a_fault_of_ours_is_never_followed_by_another_channel(books: Engine) -> None:
    planned(books)
    sending(books)
    ours = Conclusion(AttemptState.REFUSED, S.HELD, reason="twilio:20003", not_before=NOW + MINUTE)
    conclude(books, ours)
    assert now_by(books) == "sms"


def test_a_person_who_opted_out_on_one_channel_is_told_by_the_other(books: Engine) -> None:
    with writing(books, NOW) as book:
        preferences.refuse_address(book, MOBILE, "sms", preferences.OPTED_OUT, "STOP")
    planned(books)
    assert now_by(books) == "email"


def test_a_channel_that_failed_is_not_tried_again_however_often_it_is_planned(books: Engine) -> None:
    planned(books)
    sending(books)
    conclude(books, NO_SUCH_NUMBER)
    for minute in range(1, 4):
        assert planned(books, minute=minute).state == S.PLANNED
    assert now_by(books) == "email"
    assert ways(books) == [("sms", MOBILE, "twilio:21211"), ("email", EMAIL, "")]


def by(fall_back: str, *, unknown: bool = False) -> Rules:
    """Both channels, with what the policy says of the one that follows."""
    own = policy(channels=["sms", "email"], fall_back=fall_back, fall_back_unknown=unknown)
    return Rules(own, Sending.LIVE)


def test_never_means_that_no_channel_takes_over(books: Engine) -> None:
    planned(books, by("never"))
    sending(books)
    conclude(books, NO_SUCH_NUMBER)
    assert state(books) == (S.GIVEN_UP, "twilio:21211")


def test_at_once_means_that_it_follows_what_came_back_without_waiting(books: Engine) -> None:
    planned(books, by("at_once"))
    sending(books)
    conclude(books, accepted())
    came_back(books)
    assert the_notification(books).not_before == NOW


def test_what_waits_goes_by_the_line_of_the_policy_as_it_is_now(books: Engine) -> None:
    planned(books, by("never"))
    planned(books, by("at_once"), minute=1)
    sending(books, at=MINUTE)
    conclude(books, NO_SUCH_NUMBER)
    assert now_by(books) == "email"


def test_news_of_the_invoice_does_not_hurry_the_channel_that_waits_for_the_next_day(books: Engine) -> None:
    planned(books)
    sending(books)
    conclude(books, accepted())
    came_back(books)
    assert planned(books, minute=5).not_before == NOW + DAY
    with reading(books) as session:
        assert session.get_one(Notification, 1).dispatch_at == NOW + DAY


UNSURE = by("next_day", unknown=True)
NO_ANSWER = replace(PARKED, falls_back=True)


def nobody_knows(engine: Engine, rules: Rules) -> None:
    planned(engine, rules)
    sending(engine)
    conclude(engine, UNKNOWN)
    conclude(engine, NO_ANSWER)


def test_what_nobody_can_tell_of_may_be_said_once_more_where_the_policy_says_so(books: Engine) -> None:
    nobody_knows(books, UNSURE)
    assert state(books) == (S.PLANNED, "next_channel:no_evidence")
    assert the_notification(books).not_before == NOW + DAY
    assert sending(books, "a2", at=DAY).channel == "email"
    assert broken(books) == []


@pytest.mark.parametrize("status", ["queued", "sent", "delivered"])
def test_a_late_proof_that_it_was_taken_keeps_the_second_copy_from_going_out(
    books: Engine, status: str
) -> None:
    nobody_knows(books, UNSURE)
    keep_receipt(books, receipt(status, attempt_id="a1"), now=NOW + MINUTE)
    assert claim(books, 1, now=NOW + 2 * DAY) is None
    assert now_by(books) == "sms"
    assert broken(books) == []


def test_what_came_back_after_that_waits_for_the_next_day_all_the_same(books: Engine) -> None:
    nobody_knows(books, UNSURE)
    came_back(books)
    assert state(books) == (S.PLANNED, "next_channel:no_evidence")
    assert broken(books) == []


def test_a_proof_that_comes_after_the_second_copy_changes_nothing_until_it_was_delivered(
    books: Engine,
) -> None:
    nobody_knows(books, UNSURE)
    sending(books, "a2", at=DAY)
    conclude(books, accepted(2), "a2", now=NOW + DAY)
    keep_receipt(books, receipt("sent", attempt_id="a1"), now=NOW + DAY)
    assert the_notification(books).state == S.ACCEPTED
    keep_receipt(books, receipt("delivered", attempt_id="a1"), now=NOW + DAY)
    assert the_notification(books).state == S.DELIVERED
    assert broken(books) == []


def test_the_email_that_took_over_speaks_for_the_notification(books: Engine) -> None:
    planned(books)
    sending(books)
    conclude(books, accepted())
    came_back(books)
    sending(books, "a2", at=DAY)
    conclude(books, accepted(2), "a2", now=NOW + DAY)
    assert the_notification(books).state == S.ACCEPTED
    keep_receipt(books, receipt("failed", attempt_id="a1", code=30008), now=NOW + DAY)
    assert the_notification(books).state == S.ACCEPTED
    assert broken(books) == []
