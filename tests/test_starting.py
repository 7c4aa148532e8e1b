"""Waiting for what starts: it is ready, or it died, or it lives and takes longer than anybody waits."""

import pytest

from deployments.starting import started
from duebell.errors import ConfigurationError
from tests.support_prefect import RunningPrefect


def test_what_is_ready_at_a_later_look_was_started() -> None:
    answers = [False, False, True]
    assert started(lambda: answers.pop(0), lambda: True)
    assert answers == []


def test_what_dies_is_not_waited_for_however_long_one_would() -> None:
    lives = [True, True, False]
    assert not started(lambda: False, lambda: lives.pop(0), within=1e9)
    assert lives == []


def test_what_lives_and_is_never_ready_is_given_up() -> None:
    assert not started(lambda: False, lambda: True, within=0.0)


def test_who_waits_hears_again_and_again_that_it_is_still_waited_for() -> None:
    told: list[str] = []
    assert started(lambda: len(told) == 2, lambda: True, lambda: told.append("still"), every=0.0)


def silence(_url: str) -> bool:
    """What a server says that does not answer yet."""
    return False


def test_a_server_that_lives_and_does_not_answer_in_time_is_told_as_that(
    prefect_server: RunningPrefect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.prefect_server._answers", silence)
    with pytest.raises(ConfigurationError, match=r"did not answer on .* in 0 s: see .*prefect-server\.log"):
        prefect_server.server.wait_ready(within=0.0)
