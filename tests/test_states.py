"""The table of states: what may follow what, and what never may."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.ledger.evidence import MEANS, PROGRESS
from duebell.ledger.notifications import InvariantBroken, move
from duebell.states import (
    MAY_HAVE_BEEN_SENT,
    TOLD,
    TRANSITIONS,
    WAITING,
    NotificationState,
    Sending,
    lower,
    may_follow,
)

S = NotificationState


def test_every_state_has_its_line_in_the_table() -> None:
    assert set(TRANSITIONS) == set(NotificationState)


def test_no_state_follows_itself() -> None:
    assert [state for state in S if may_follow(state, state)] == []


@pytest.mark.parametrize("state", sorted({S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED}))
def test_nothing_that_left_twilio_ever_waits_again(state: NotificationState) -> None:
    assert TRANSITIONS[state] <= set(PROGRESS)


@pytest.mark.parametrize("state", [S.SCHEDULED, S.ACCEPTED])
def test_what_twilio_still_has_may_be_taken_back_and_is_decided_anew(state: NotificationState) -> None:
    assert TRANSITIONS[state] - set(PROGRESS) == {S.PLANNED, S.UNKNOWN, S.PARKED}


@pytest.mark.parametrize("state", sorted(PROGRESS))
def test_what_twilio_took_only_moves_forwards(state: NotificationState) -> None:
    following = TRANSITIONS[state] & set(PROGRESS)
    assert all(PROGRESS[one] > PROGRESS[state] for one in following)


def test_a_parked_one_is_settled_by_proof_alone() -> None:
    assert TRANSITIONS[S.PARKED] == set(PROGRESS)


@pytest.mark.parametrize("state", sorted(set(S) - set(PROGRESS)))
def test_proof_of_arrival_is_taken_in_every_state(state: NotificationState) -> None:
    assert set(PROGRESS) <= TRANSITIONS[state]


def test_only_a_claim_leads_to_sending() -> None:
    assert [state for state in S if may_follow(state, S.SENDING)] == [S.CLAIMED]


def test_only_what_waits_can_be_claimed() -> None:
    assert {state for state in S if may_follow(state, S.CLAIMED)} == WAITING


def test_what_may_have_been_sent_and_what_waits_have_nothing_in_common() -> None:
    assert not MAY_HAVE_BEEN_SENT & (WAITING | {S.CLAIMED, S.SKIPPED, S.GIVEN_UP})
    assert TOLD <= MAY_HAVE_BEEN_SENT


def test_every_word_of_twilio_s_means_a_state_of_a_message_that_exists() -> None:
    assert set(MEANS.values()) == set(PROGRESS)


@pytest.mark.parametrize("current", S)
@pytest.mark.parametrize("following", S)
def test_a_step_outside_the_table_is_refused(
    current: NotificationState, following: NotificationState
) -> None:
    if may_follow(current, following):
        move(current, following)
    else:
        with pytest.raises(InvariantBroken, match=f"from {current.value} to {following.value}") as caught:
            move(current, following)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@given(st.sampled_from(Sending), st.sampled_from(Sending))
def test_the_more_careful_of_two_ways_to_send_decides(one: Sending, other: Sending) -> None:
    assert lower(one, other) is lower(other, one)
    assert lower(Sending.REVIEW, one) is Sending.REVIEW
    assert lower(Sending.LIVE, one) is one
