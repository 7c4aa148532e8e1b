"""What becomes known while a message is about to be told is heard before it is told, or it waits for that."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.ledger import volumes
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import Claim
from duebell.ledger.tables import Attempt
from duebell.ledger.writing import Writing, writing
from duebell.telling import render, tell
from tests.support_facts import TENANT, keep_contact, numbered, open_tenant
from tests.support_meanwhile import meanwhile
from tests.support_overdue import Office, at, due, office_over, policy_text

DUE = date(2026, 11, 2)  # a Monday
DAY = timedelta(days=1)
LIMITS = "[limits]\nreminders_a_day = 9\nreminders_a_week = 9\n"


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    """A business that reminds of what was due yesterday."""
    open_tenant(ledger)
    keep_contact(ledger, read_at=at(DUE - 30 * DAY))
    return office_over(ledger, tmp_path, at(DUE + DAY), policy_text("gap_days = 0\n", rest=LIMITS))


def only_beside_others(office: Office) -> None:
    if office.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")


def claimed(office: Office) -> Claim:
    """The first invoice's reminder, on its way, with its text."""
    office.keeps(1, **due(DUE))
    office.sweeps()
    [claim] = office.claims([numbered(1)])
    assert render(office.resources, claim) is None
    return claim


def tells(office: Office, claim: Claim) -> Thread:
    """A sender tells it beside the transaction at work."""
    return meanwhile(lambda: tell(office.resources, claim, nothing_anew, flow_run_id="run 1"))


def nothing_anew(_tenant_id: str, _ids: Sequence[str], _since: datetime) -> None:
    """Nobody reads: what was read lately enough is to do."""


def another_sends(book: Writing) -> None:
    """What every sender of the organisation does first."""
    volumes.take_turn(book, TENANT)


def read_ages(office: Office) -> list[float]:
    with reading(office.engine) as session:
        return [one.read_age_seconds for one in session.exec(select(Attempt)).all()]


def test_what_is_paid_while_a_sender_waits_for_another_is_not_reminded_of(office: Office) -> None:
    only_beside_others(office)
    claim = claimed(office)
    with writing(office.engine, office.clock.now) as other:
        another_sends(other)
        waiting = tells(office, claim)
        office.keeps(1, **due(DUE, Status="PAID", AmountDue=0))
    waiting.join()
    assert office.phones.heard == []
    assert office.stands()[0][2:] == ("skipped", "already_paid")
    assert broken(office.engine) == []


def test_the_wait_for_another_sender_counts_for_the_age_of_the_read(office: Office) -> None:
    claim = claimed(office)
    with writing(office.engine, office.clock.now) as other:
        another_sends(other)
        waiting = tells(office, claim)
        office.later(seconds=40)
    waiting.join()
    assert read_ages(office) == [40]


def test_what_was_read_too_long_ago_after_that_wait_is_read_anew_by_the_next_run(office: Office) -> None:
    claim = claimed(office)
    with writing(office.engine, office.clock.now) as other:
        another_sends(other)
        waiting = tells(office, claim)
        office.later(seconds=70)
    waiting.join()
    assert office.phones.heard == []
    assert office.stands()[0][2:] == ("planned", "read_too_old")
