"""What `settle` does first, what it comes to, and that no step of it holds up the last looks."""

from collections.abc import Generator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger
from sqlalchemy import Engine

from deployments.sandbox.control import SandboxControl
from duebell.clock import system_clock
from duebell.ledger.attempts import Reaped
from duebell.ledger.tenants import set_brake
from duebell.resources import Resources, open_resources, using
from duebell.settings import load
from duebell.settling.rounds import Asked, ending
from duebell.settling.settling import Settled
from duebell.showing.ended import Ended
from duebell.states import NotificationState as S
from flows.settle import settle
from tasks.messages import reap_dead_leases, unknown_attempts
from tests.support_facts import sent_off, the_notification
from tests.support_office import environment_of
from tests.support_prefect import RunningPrefect
from tests.support_watching import Office


@pytest.fixture
def resources(sandbox: SandboxControl, sqlite_ledger: Engine, tmp_path: Path) -> Generator[Resources]:
    url = sqlite_ledger.url.render_as_string()
    environment = environment_of(tmp_path / "home", url, sandbox.base_url)
    with closing(open_resources(load(environment, env_file=None))) as opened:
        yield opened


def test_the_end_counts_all_rounds_together_and_the_steps_that_failed_beside_them() -> None:
    first = Asked((Settled("a", "told"), Settled("b", "asked")))
    second = Asked((Settled("c", "asked"),), failed=1, left=7)
    assert ending([first, second], 1) == Ended(
        "Not all settled", "2 asked, 2 failed, 7 left for the next run, 1 told", sound=False
    )
    assert ending([first]) == Ended("Settled", "1 asked, 1 told")
    assert ending([], 0, "0 left to a person") == Ended(
        "Nothing to settle", "none was due; 0 left to a person"
    )


def a_sender_died(resources: Resources) -> None:
    """In the middle of a call to Twilio, an hour ago."""
    sent_off(resources.engine, now=system_clock() - timedelta(hours=1))


def test_to_list_what_is_unknown_changes_nothing_and_to_end_the_leases_of_the_dead_is_a_step_of_its_own(
    resources: Resources,
) -> None:
    a_sender_died(resources)
    with using(resources), disable_run_logger():
        assert unknown_attempts.fn(None) == []
        assert the_notification(resources.engine).state == S.SENDING
        assert reap_dead_leases.fn() == Reaped(0, 1)
        assert reap_dead_leases.fn() == Reaped(0, 0)
        [found] = unknown_attempts.fn(["a1"])
    assert (found.attempt_id, the_notification(resources.engine).state) == ("a1", S.UNKNOWN)


def test_the_flow_looks_for_what_the_dead_were_sending(
    prefect_server: RunningPrefect, resources: Resources
) -> None:
    a_sender_died(resources)
    with prefect_server.settings(), using(resources):
        ended = settle(["a1"], asks_for_receipts=False, return_state=True)
    assert (ended.name, ended.message) == ("Settled", "1 parked")
    assert the_notification(resources.engine).state == S.PARKED


def test_a_journal_that_cannot_be_read_fails_the_run_and_holds_up_no_look(
    prefect_server: RunningPrefect, resources: Resources
) -> None:
    """What Twilio holds may go out meanwhile, and only these looks take back what stopped being true."""
    a_sender_died(resources)
    assert resources.journal is not None
    (resources.journal.folder / "here-2026-11-20.jsonl").mkdir(parents=True)
    with prefect_server.settings(), using(resources):
        ended = settle(["a1"], asks_for_receipts=False, return_state=True)
    assert (ended.name, ended.message) == ("Not all settled", "1 failed, 1 parked")
    assert the_notification(resources.engine).state == S.PARKED


def test_the_flow_takes_back_in_the_same_run_what_it_finds_just_before_it_goes_out(
    prefect_server: RunningPrefect, sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = Office(sqlite_ledger, tmp_path)
    office.twilio.fates = ["lost"]
    office.tells()
    [attempt] = office.attempts()
    assert attempt.send_at is not None
    office.clock.now = attempt.send_at - timedelta(seconds=20)
    set_brake(sqlite_ledger, stopped=True, by="test", why="", scope="all", now=office.clock())
    with prefect_server.settings(), using(office.resources):
        ended = settle(asks_for_receipts=False, return_state=True)
    assert (ended.name, ended.message) == ("Settled", "1 found, 1 taken back")
    assert [one.cancelled for one in office.twilio.copies] == [True]
