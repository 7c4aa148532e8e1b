"""Receipts come in any order, twice, early or for nobody we know; the truth they add up to is one."""

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from duebell.ledger import preferences, receipts
from duebell.ledger.evidence import PROGRESS, Conclusion
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.ledger.tables import Attempt, Receipt
from duebell.ledger.writing import writing
from duebell.policy.verdict import Send
from duebell.states import AttemptState, NotificationState
from tests.support_facts import (
    MINUTE,
    MOBILE,
    NOT_PROCESSED,
    NOW,
    PARKED,
    UNKNOWN,
    accepted,
    at_once,
    begin,
    claim,
    conclude,
    counted,
    plan,
    receipt,
    sent_off,
    sid,
    the_attempt,
    the_notification,
)
from tests.support_ledger import copied, hurried

S = NotificationState
A = AttemptState


def come(engine: Engine, *news: NewReceipt) -> None:
    for one in news:
        keep_receipt(engine, one, now=NOW + MINUTE)


def answered(engine: Engine, number: int = 1, attempt_id: str = "a1") -> None:
    """The answer to the POST is written down, as the sender does it."""
    with writing(engine, NOW) as book:
        receipts.conclude(book, attempt_id, accepted(number))
        receipts.bind_earlier(book, attempt_id, sid(number))


def test_a_receipt_moves_its_notification(ledger: Engine) -> None:
    sent_off(ledger)
    answered(ledger)
    come(ledger, receipt("sent"))
    assert the_notification(ledger).state == S.SENT
    come(ledger, receipt("delivered"))
    assert the_notification(ledger).state == S.DELIVERED
    assert broken(ledger) == []


def test_f088_a_receipt_that_overtakes_the_answer_binds_its_attempt(ledger: Engine) -> None:
    sent_off(ledger)
    come(ledger, receipt("delivered", attempt_id="a1"))
    assert (the_attempt(ledger).sid, the_notification(ledger).state) == (sid(), S.DELIVERED)
    answered(ledger)
    assert (the_attempt(ledger).provider_status, the_notification(ledger).state) == (
        "delivered",
        S.DELIVERED,
    )
    assert broken(ledger) == []


def test_f091_a_receipt_of_an_unknown_sid_is_kept_and_bound_when_its_sid_is_known(ledger: Engine) -> None:
    come(ledger, receipt("sent"), receipt("delivered"), receipt("delivered"))
    assert counted(ledger, Receipt) == 2
    sent_off(ledger)
    answered(ledger)
    assert the_notification(ledger).state == S.DELIVERED
    assert broken(ledger) == []


def test_a_receipt_of_an_unknown_attempt_is_kept(ledger: Engine) -> None:
    bound = keep_receipt(ledger, receipt("sent", attempt_id="nobody"), now=NOW)
    assert (bound.new, bound.attempt_id, counted(ledger, Receipt)) == (True, None, 1)


def test_a_receipt_whose_sid_is_of_another_attempt_does_not_touch_the_one_it_names(ledger: Engine) -> None:
    sent_off(ledger)
    answered(ledger)
    sent_off(ledger, 2, "a2")
    come(ledger, receipt("delivered", attempt_id="a2"), receipt("failed", 9, attempt_id="a1", code=30008))
    assert (the_notification(ledger).state, the_notification(ledger, 2).state) == (S.DELIVERED, S.SENDING)
    assert the_attempt(ledger).sid == sid()


def test_f090_the_same_receipt_at_once_is_one_row(ledger: Engine) -> None:
    sent_off(ledger)
    new = at_once(12, lambda _: keep_receipt(ledger, receipt("sent", attempt_id="a1"), now=NOW).new)
    assert (sum(new), counted(ledger, Receipt)) == (1, 1)
    assert the_notification(ledger).state == S.SENT
    assert broken(ledger) == []


def test_receipts_and_the_answer_at_once_come_to_the_same(ledger: Engine) -> None:
    for number in range(6):
        sent_off(ledger, number, f"a{number}")
    statuses = ("queued", "sent", "delivered")

    def work(worker: int) -> None:
        for number in range(6)[:: 1 if worker % 2 else -1]:
            if worker == 3:
                answered(ledger, number, f"a{number}")
            else:
                come(ledger, receipt(statuses[worker], number, attempt_id=f"a{number}"))

    at_once(4, work)
    assert {the_notification(ledger, number).state for number in range(6)} == {S.DELIVERED}
    assert {the_attempt(ledger, f"a{number}").provider_status for number in range(6)} == {"delivered"}
    assert broken(ledger) == []


@pytest.mark.parametrize("known", [UNKNOWN, PARKED])
def test_f094_a_receipt_settles_what_nobody_knew_even_after_a_person_was_asked(
    ledger: Engine, known: Conclusion
) -> None:
    sent_off(ledger)
    conclude(ledger, UNKNOWN)
    conclude(ledger, known)
    come(ledger, receipt("delivered", attempt_id="a1"))
    assert (the_notification(ledger).state, the_attempt(ledger).state) == (S.DELIVERED, A.ACCEPTED)
    assert broken(ledger) == []


def test_f094_a_receipt_disarms_a_message_that_was_taken_for_not_processed(ledger: Engine) -> None:
    claimed = sent_off(ledger)
    conclude(ledger, NOT_PROCESSED)
    come(ledger, receipt("sent", attempt_id="a1"))
    assert the_notification(ledger).state == S.SENT
    assert claim(ledger, claimed.notification_id) is None
    assert broken(ledger) == []


def test_a_receipt_disarms_a_message_that_is_claimed_again(ledger: Engine) -> None:
    claimed = sent_off(ledger)
    conclude(ledger, NOT_PROCESSED)
    again = claim(ledger, claimed.notification_id, "run 2")
    assert again
    come(ledger, receipt("delivered", attempt_id="a1"))
    assert begin(ledger, again, "a2") is None
    assert (the_notification(ledger).state, counted(ledger, Attempt)) == (S.DELIVERED, 1)
    assert broken(ledger) == []


def test_a_word_that_nobody_knows_proves_acceptance_alone(ledger: Engine) -> None:
    sent_off(ledger)
    come(ledger, receipt("pondering", attempt_id="a1"))
    assert (the_notification(ledger).state, the_attempt(ledger).provider_status) == (S.ACCEPTED, "pondering")


@pytest.mark.parametrize(
    ("code", "refusals"),
    [(21610, {MOBILE: "opted_out"}), (30006, {MOBILE: "invalid"}), (30003, {}), (99999, {})],
)
def test_a_failed_delivery_refuses_the_number_only_where_its_code_says_so(
    ledger: Engine, code: int, refusals: dict[str, str]
) -> None:
    sent_off(ledger)
    come(ledger, receipt("undelivered", attempt_id="a1", code=code))
    with writing(ledger, NOW) as book:
        assert preferences.refusals(book.session, [MOBILE]) == refusals
    assert (the_notification(ledger).state, the_notification(ledger).reason) == (
        S.UNDELIVERED,
        f"twilio:{code}",
    )


CODES = {"queued": None, "sent": None, "delivered": None, "undelivered": 30005, "failed": 30008}
NEWS = ("the answer", *CODES)


def told(engine: Engine, order: tuple[str, ...], number: int = 1) -> tuple[Any, ...]:
    """What the ledger says after this news came in this order; it never says less than before."""
    attempt_id, mobile = f"a{number}", f"+6421555{number:04}"
    claimed = claim(engine, plan(engine, number, Send(mobile)).notification_id or 0)
    assert claimed
    assert begin(engine, claimed, attempt_id)
    seen = [0]
    for name in order:
        if name == "the answer":
            answered(engine, number, attempt_id)
        else:
            come(engine, receipt(name, number, attempt_id=attempt_id, code=CODES[name]))
        seen.append(PROGRESS[S(the_notification(engine, number).state)])
    assert seen == sorted(seen)
    row, attempt = the_notification(engine, number), the_attempt(engine, attempt_id)
    assert attempt.sid in {sid(number), None}
    is_known = attempt.sid is not None
    return row.state, row.reason, attempt.state, is_known, attempt.provider_status, attempt.error_code


@pytest.mark.parametrize("last", ["delivered", "undelivered", "failed"])
def test_f089_every_order_of_news_comes_to_the_same(ledger: Engine, last: str) -> None:
    orders = permutations(("the answer", "sent", last))
    ends = {told(ledger, order, number) for number, order in enumerate(orders, start=1)}
    assert len(ends) == 1
    assert ends.pop()[0] == last
    assert broken(ledger) == []


@settings(max_examples=20)
@given(st.data())
def test_contradicting_repeated_news_in_any_order_comes_to_the_same(
    migrated: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    some = data.draw(st.sets(st.sampled_from(sorted(NEWS)), min_size=1), label="news")
    one = data.draw(st.permutations(sorted(some)), label="one order")
    other = data.draw(st.permutations([*sorted(some), *sorted(some)]), label="another, with repeats")
    engine = hurried(copied(migrated, tmp_path_factory.mktemp("orders", numbered=True)))
    try:
        assert told(engine, tuple(one)) == told(engine, tuple(other), 2)
        assert broken(engine) == []
    finally:
        engine.dispose()
