"""The table of states: what may follow what, and what never may."""

import ast
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.ledger.evidence import MEANS, PROGRESS
from duebell.ledger.moving import InvariantBroken, leaving, move, step, to_next_leg
from duebell.ledger.tables import Notification
from duebell.states import (
    MAY_HAVE_BEEN_SENT,
    NEXT_LEG_FROM,
    TOLD,
    TRANSITIONS,
    WAITING,
    NotificationState,
    Sending,
    lower,
    may_follow,
)

S = NotificationState
DUEBELL = Path(__file__).resolve().parents[1] / "duebell"


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


@pytest.mark.parametrize("current", S)
@pytest.mark.parametrize("following", S)
def test_a_row_takes_the_steps_of_the_table_alone_and_may_stay(
    current: NotificationState, following: NotificationState
) -> None:
    row = Notification(key="k", tenant_id="t", kind="k", subject_id="s", state=current.value)
    if may_follow(current, following) or current is following:
        step(row, following)
        leaving({current}, following)
        assert row.state == following.value
    else:
        with pytest.raises(InvariantBroken):
            step(row, following)
        with pytest.raises(InvariantBroken):
            leaving({current, S.PLANNED}, following)
        assert row.state == current.value


@pytest.mark.parametrize("current", S)
def test_a_leg_takes_over_only_from_where_it_may(current: NotificationState) -> None:
    row = Notification(key="k", tenant_id="t", kind="k", subject_id="s", state=current.value)
    if current in NEXT_LEG_FROM:
        to_next_leg(row, S.PLANNED)
        assert row.state == S.PLANNED
    else:
        with pytest.raises(InvariantBroken):
            to_next_leg(row, S.PLANNED)
    with pytest.raises(InvariantBroken):
        to_next_leg(row, S.DELIVERED)


OTHER_ROWS = {
    "tokens.py:row", "ledger/consents.py:tenant", "ledger/evidence.py:attempt", "ledger/preferences.py:row",
    "ledger/spoken_last.py:attempt", "ledger/tenants.py:tenant",
}  # fmt: skip
"""Where the state of another thing than a notification is written."""

FOLLOWS = {"ledger/groups.py:_follow"}
"""Takes the step that the lead took."""

GATE = "ledger/moving.py"


def sources() -> dict[str, ast.Module]:
    files = [path for path in DUEBELL.rglob("*.py") if "migrations" not in path.parts]
    return {path.relative_to(DUEBELL).as_posix(): ast.parse(path.read_text("utf-8")) for path in files}


def test_the_state_of_a_notification_is_written_at_the_gate_alone() -> None:
    written = {
        f"{name}:{ast.unparse(node.value)}"
        for name, tree in sources().items()
        if name != GATE
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "state" and isinstance(node.ctx, ast.Store)
    }
    assert written == OTHER_ROWS


SAYS_FROM_WHERE = {"leaving", "_may_be_taken"}


def moves_by_statement(function: ast.FunctionDef) -> bool:
    """Whether it has a statement that writes states of notifications without saying from which."""
    calls = {ast.unparse(one.func): one for one in ast.walk(function) if isinstance(one, ast.Call)}
    set_here = [word.arg for name, one in calls.items() if name.endswith(".values") for word in one.keywords]
    is_of_them = "update(Notification)" in ast.unparse(function)
    return is_of_them and bool({"state", None} & {*set_here}) and not SAYS_FROM_WHERE & calls.keys()


def test_every_statement_that_moves_notifications_takes_them_from_where_they_may_go_there() -> None:
    moving = {
        f"{name}:{node.name}"
        for name, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and moves_by_statement(node)
    }
    assert moving == FOLLOWS


@given(st.sampled_from(Sending), st.sampled_from(Sending))
def test_the_more_careful_of_two_ways_to_send_decides(one: Sending, other: Sending) -> None:
    assert lower(one, other) is lower(other, one)
    assert lower(Sending.REVIEW, one) is Sending.REVIEW
    assert lower(Sending.LIVE, one) is one
