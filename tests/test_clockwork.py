"""Simulated time: who does things side by side is done when all are, and dies as one."""

import random
from datetime import UTC, datetime
from functools import partial

import pytest

from tests.support_clockwork import Clockwork, Nerves
from tests.support_truth import Killed

START = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


def clockwork(nerves: Nerves | None = None) -> Clockwork:
    return Clockwork(START, random.Random(1), nerves or Nerves())  # noqa: S311 - it guards nothing


@pytest.mark.parametrize(
    ("seconds", "threads", "ended"),
    [
        pytest.param([20, 30, 10], 3, "30 s", id="as long as the longest of it"),
        pytest.param([20, 20, 20, 20], 2, "40 s", id="with few threads some of it waits"),
    ],
)
def test_what_is_done_side_by_side_takes_its_time_once(seconds: list[int], threads: int, ended: str) -> None:
    time, done = clockwork(), list[str]()

    def work() -> None:
        time.side_by_side([partial(time.wait, one) for one in seconds], threads)
        done.append(f"{time.seconds:.0f} s")

    time.act(work)
    assert time.run(lambda: bool(done), most_seconds=100)
    assert done == [ended]


def test_where_one_of_them_dies_all_do_and_are_born_anew_together() -> None:
    time, seen = clockwork(), list[str]()

    def dies() -> None:
        time.wait(5)
        if len(seen) < 2:
            raise Killed

    def goes_on() -> None:
        time.wait(10)
        seen.append("the other is done")

    def work() -> None:
        seen.append(f"begun at {time.seconds:.0f} s")
        time.side_by_side([dies, goes_on], 2)
        seen.append("all are done")

    time.act(work, reborn=60)
    time.run(lambda: "all are done" in seen, most_seconds=200)
    assert seen == ["begun at 0 s", "begun at 65 s", "the other is done", "all are done"]


def test_outside_of_any_process_they_are_done_one_after_the_other() -> None:
    done = list[int]()
    clockwork().side_by_side([lambda: done.append(1), lambda: done.append(2)], 2)
    assert done == [1, 2]
