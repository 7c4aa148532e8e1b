"""A running process keeps the last good policy, and says what is wrong with the file."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.errors import ConfigurationError
from duebell.policy_file.keeper import Kept, PolicyKeeper, keep

PATH = Path("policy.toml")
GOOD, BETTER = b"[invoice_issued]\noldest_days = 1\n", b"[invoice_issued]\noldest_days = 2\n"
BROKEN: list[bytes | None] = [b"[invoice_issued]\noldest_days = -1\n", b"a = = 1", b"\xff\xfe", None]


def days(kept: Kept) -> int:
    return kept.policy.invoice_issued.oldest_days


def test_a_good_file_is_in_force_at_once() -> None:
    first = keep(None, GOOD, PATH)
    second = keep(first, BETTER, PATH)
    assert (days(first), first.problem, days(second), second.problem) == (1, "", 2, "")


def test_a_file_that_did_not_change_is_not_read_again() -> None:
    first = keep(None, GOOD, PATH)
    assert keep(first, GOOD, PATH) is first


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_leaves_the_last_good_policy_in_force_until_it_is_mended(broken: bytes | None) -> None:
    good = keep(None, GOOD, PATH)
    kept = keep(good, broken, PATH)
    assert kept.policy is good.policy
    assert "policy.toml" in kept.problem
    assert keep(kept, broken, PATH) is kept
    mended = keep(kept, BETTER, PATH)
    assert (days(mended), mended.problem) == (2, "")
    back = keep(kept, GOOD, PATH)
    assert (days(back), back.problem) == (1, "")


@pytest.mark.parametrize("broken", BROKEN)
def test_without_a_good_policy_there_is_none(broken: bytes | None) -> None:
    with pytest.raises(ConfigurationError, match=r"policy\.toml"):
        keep(None, broken, PATH)


@given(st.lists(st.sampled_from([GOOD, BETTER, *BROKEN])))
def test_the_policy_in_force_is_always_that_of_the_last_good_file(contents: list[bytes | None]) -> None:
    kept = keep(None, GOOD, PATH)
    last_good = GOOD
    for content in contents:
        kept = keep(kept, content, PATH)
        last_good = content if content in {GOOD, BETTER} else last_good
        assert days(kept) == {GOOD: 1, BETTER: 2}[last_good or b""]
        assert bool(kept.problem) is (content not in {GOOD, BETTER})


def test_the_keeper_looks_at_the_file_each_time_and_tells_once_of_a_broken_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, keeper = tmp_path / "policy.toml", PolicyKeeper()
    with pytest.raises(ConfigurationError):
        keeper.look(file)
    file.write_bytes(GOOD)
    assert days(keeper.look(file)) == 1
    file.write_bytes(b"[invoice_issued]\noldest_days = -1\n")
    with caplog.at_level(logging.ERROR):
        assert days(keeper.look(file)) == 1
        assert days(keeper.look(file)) == 1
    [told] = caplog.messages
    assert "policy.toml line 2: [invoice_issued] oldest_days must be 0 or more" in told
    file.unlink()
    assert "cannot be read" in keeper.look(file).problem
    file.write_bytes(BETTER)
    assert keeper.look(file).problem == ""
    assert days(keeper.look(file)) == 2
