"""What becomes of runs that were left behind, decided without a server."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.objects import StateType

from deployments.worker_flows import FlowCache
from deployments.worker_runs import OPEN, Cancellations, Claim, fate
from duebell.errors import ConfigurationError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BORN = NOW - timedelta(hours=1)
LONG_AGO = BORN - timedelta(hours=1)
JUST_NOW = NOW - timedelta(seconds=1)


def test_a_run_that_an_earlier_worker_of_the_same_name_left_running_has_crashed() -> None:
    assert fate(Claim("ours", StateType.RUNNING, LONG_AGO), "ours", BORN, NOW) == "crashed"


def test_a_run_that_this_worker_lost_although_it_began_it_has_crashed() -> None:
    assert fate(Claim("ours", StateType.RUNNING, JUST_NOW), "ours", BORN, NOW) == "crashed"


def test_a_run_claimed_before_this_worker_began_and_never_started_has_crashed() -> None:
    assert fate(Claim("ours", StateType.PENDING, LONG_AGO), "ours", BORN, NOW) == "crashed"


def test_a_run_that_another_worker_is_just_claiming_still_bears_our_name_and_is_left() -> None:
    assert fate(Claim("ours", StateType.PENDING, JUST_NOW), "ours", BORN, NOW) == "leave"


def test_a_run_whose_cancellation_nobody_is_left_to_finish_is_cancelled() -> None:
    assert fate(Claim("ours", StateType.CANCELLING, JUST_NOW), "ours", BORN, NOW) == "cancelled"


def test_a_claim_that_never_got_a_name_is_ended_after_its_grace() -> None:
    assert fate(Claim("", StateType.PENDING, JUST_NOW), "ours", BORN, NOW) == "leave"
    assert fate(Claim("", StateType.PENDING, LONG_AGO), "ours", BORN, NOW) == "crashed"
    assert fate(Claim("", StateType.CANCELLING, LONG_AGO), "ours", BORN, NOW) == "cancelled"


@given(state=st.sampled_from(OPEN), age=st.integers(0, 10**6))
def test_runs_of_another_worker_are_never_touched(state: StateType, age: int) -> None:
    claim = Claim("another", state, NOW - timedelta(seconds=age))
    assert fate(claim, "ours", BORN, NOW) == "leave"


@given(st.lists(st.tuples(st.booleans(), st.uuids()), max_size=30))
def test_a_run_is_to_stop_exactly_between_being_asked_and_being_forgotten(
    steps: list[tuple[bool, UUID]],
) -> None:
    cancellations, expected = Cancellations(), set[UUID]()
    for ask, run in steps:
        (cancellations.ask if ask else cancellations.forget)(run)
        (expected.add if ask else expected.discard)(run)
    assert all((run in cancellations) == (run in expected) for _, run in steps)


def test_a_flow_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"flows/nowhere\.py:nothing"):
        FlowCache(Path("/nonexistent")).load("flows/nowhere.py:nothing")
