"""What follows from the outcome of a POST: never a second message on a guess, never a silent loss."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.ledger.evidence import MEANS, PROGRESS, Conclusion
from duebell.sending.outcomes import LONGEST_WAIT, MOST_TRIES, conclusion_of
from duebell.states import TRANSITIONS, AttemptState, NotificationState
from duebell.twilio.codes import TABLE
from duebell.twilio.outcome import (
    Accepted,
    Answer,
    NotProcessed,
    Refused,
    SendOutcome,
    Unknown,
    classify_answer,
)
from duebell.twilio.statuses import MessageStatus
from tests.support_facts import ACCOUNT, MINUTE, NOW, sid

S = NotificationState
A = AttemptState


def concluded(outcome: SendOutcome, tries: int = 1, jitter: float = 0.0) -> Conclusion:
    return conclusion_of(outcome, tries=tries, first_look=MINUTE, jitter=jitter, now=NOW)


def refused(code: int | None, status: int = 400) -> SendOutcome:
    body = "{}" if code is None else f'{{"code": {code}}}'
    return classify_answer(Answer(status, {}, body), ACCOUNT)


@pytest.mark.parametrize("status", list(MessageStatus))
def test_an_accepted_message_has_its_sid_and_its_state(status: MessageStatus) -> None:
    known = concluded(Accepted(sid(), status, 1, None))
    assert (known.attempt, known.sid, known.provider_status) == (A.ACCEPTED, sid(), status.value)
    assert known.notification is MEANS.get(status, S.ACCEPTED)


def test_an_unknown_outcome_is_looked_for_and_never_sent_again() -> None:
    known = concluded(Unknown("ReadTimeout"))
    assert (known.attempt, known.notification) == (A.UNKNOWN, S.UNKNOWN)
    assert (known.settle_at, known.not_before) == (NOW + MINUTE, None)


def test_what_was_not_processed_is_tried_again_later_each_time() -> None:
    waits: list[timedelta] = []
    for tries in range(1, MOST_TRIES):
        known = concluded(NotProcessed("ConnectError"), tries)
        assert (known.attempt, known.notification) == (A.NOT_PROCESSED, S.PLANNED)
        assert known.not_before
        waits.append(known.not_before - NOW)
    assert waits == sorted(waits)
    assert waits[0] == timedelta(seconds=15)


def test_what_is_never_processed_is_given_up_with_its_reason() -> None:
    known = concluded(NotProcessed("HTTP 429"), MOST_TRIES)
    assert (known.notification, known.reason, known.cause) == (S.GIVEN_UP, "tried_too_often", "HTTP 429")


@given(st.integers(1, 5_000), st.none() | st.floats(0, 1e12), st.floats(0, 1))
def test_a_wait_is_never_shorter_than_asked_nor_longer_than_an_hour_and_a_half(
    tries: int, asked: float | None, jitter: float
) -> None:
    known = concluded(NotProcessed("HTTP 429", asked), tries, jitter)
    if known.notification is S.PLANNED:
        assert known.not_before
        wait = known.not_before - NOW
        assert min(timedelta(seconds=min(asked or 0, 3600)), LONGEST_WAIT) <= wait <= LONGEST_WAIT * 1.5


@pytest.mark.parametrize("code", [21211, 21614, 21610, 21635, 30453, 99999])
def test_a_refusal_for_good_is_given_up_with_its_code(code: int) -> None:
    known = concluded(refused(code))
    assert (known.attempt, known.notification, known.reason) == (A.REFUSED, S.GIVEN_UP, f"twilio:{code}")
    assert (known.http_status, known.error_code) == (400, code)


@pytest.mark.parametrize("code", [20003, 20010, 21606, 21408, 21657, 21701])
def test_f082_a_fault_of_the_setup_keeps_the_message_for_after_the_mend(code: int) -> None:
    known = concluded(refused(code, 401 if code == 20003 else 400))
    assert (known.notification, known.not_before) == (S.HELD, NOW + LONGEST_WAIT)


def test_a_caller_who_is_refused_without_a_code_keeps_the_message() -> None:
    assert concluded(refused(None, 403)).notification is S.HELD


def test_a_full_queue_is_tried_again_as_often_as_the_table_says_and_then_given_up() -> None:
    assert concluded(refused(21611)).not_before == NOW + timedelta(hours=10)
    assert concluded(refused(21611), tries=2).notification is S.GIVEN_UP


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302, 200, 201])
def test_an_answer_that_proves_nothing_is_unknown(status: int) -> None:
    assert concluded(refused(20500, status)).notification is S.UNKNOWN


codes = st.none() | st.sampled_from(sorted(TABLE)) | st.integers(1, 99_999)
outcomes = st.one_of(
    st.builds(Unknown, st.text(max_size=5)),
    st.builds(NotProcessed, st.text(max_size=5), st.none() | st.floats(0, 1e6)),
    st.builds(Accepted, st.just(sid()), st.sampled_from(MessageStatus), st.none(), st.none()),
    st.builds(
        refused, st.none() | st.sampled_from(sorted(TABLE)) | st.integers(1, 99_999), st.integers(200, 599)
    ),
)


@given(outcomes, st.integers(1, 20))
def test_every_outcome_is_a_step_of_the_table_and_says_what_comes_next(
    outcome: SendOutcome, tries: int
) -> None:
    known = concluded(outcome, tries)
    assert known.notification in TRANSITIONS[S.SENDING]
    assert (known.sid is not None) == (known.attempt is A.ACCEPTED) == (known.notification in PROGRESS)
    assert (known.settle_at is not None) == (known.attempt is A.UNKNOWN)
    assert (known.not_before is not None) == (known.notification in {S.PLANNED, S.HELD})
    if known.notification in {S.PLANNED, S.HELD, S.GIVEN_UP}:
        assert isinstance(outcome, NotProcessed | Refused)
        assert known.reason
