"""A move that is cut off, wherever: of the two ledgers at most one sends, and nobody is told twice."""

import multiprocessing
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from duebell.database_url import without_secrets
from duebell.errors import ConfigurationError
from duebell.failpoints import VARIABLE
from duebell.ledger import moved, preferences, tenants
from duebell.ledger.dispatch import due
from duebell.ledger.engine import migrate, reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Tenant
from duebell.ledger.writing import writing
from duebell.resources import Resources
from duebell.safekeeping import moving_house
from duebell.safekeeping.moving_house import move_house
from duebell.safekeeping.quarantine import Compared, compare
from duebell.safekeeping.right_ledger import refuse_another
from tests.support_facts import (
    MINUTE,
    MOBILE,
    NOW,
    TENANT,
    Hand,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    plan,
)
from tests.support_houses import Houses, houses_on, opened
from tests.test_journal import Twilio, claims_of, send, told
from tests.test_journal import opened as office_over

POINTS = ("before-the-copy-commits", "before-the-ledger-is-marked", "before-the-copy-is-in-force")


class Firm:
    """A customer with three invoices, of which the first was told of, and two places for its ledger."""

    def __init__(self, houses: Houses, folder: Path) -> None:
        self.houses, self.folder, self.twilio = houses, folder, Twilio()
        with opened(houses.old) as engine:
            open_tenant(engine)
            keep_contact(engine)
            for number in (1, 2, 3):
                keep_invoice(engine, invoice_body(numbered(number)))
            send(office_over(engine, self.twilio, folder), 1)

    @contextmanager
    def office(self, url: str) -> Generator[Resources]:
        """One of the ledgers as a process works with it that asked nobody whether it may."""
        with opened(url) as engine:
            yield office_over(engine, self.twilio, self.folder, NOW + MINUTE)

    def tells(self, url: str, *numbers: int) -> int:
        """Try to tell of these out of one of the ledgers; returns how many messages that made."""
        before = len(self.twilio.messages)
        with self.office(url) as office:
            if tenants.connected(office.engine):
                for claim in claims_of(office, *numbers):
                    told(office, claim)
                assert broken(office.engine) == []
        return len(self.twilio.messages) - before

    def move(self) -> None:
        """Move the ledger."""
        move_house(self.houses.old, self.houses.new, "person:ana", Hand(NOW + MINUTE))

    def is_refused(self, url: str) -> bool:
        """Whether a process that starts on this ledger is turned away."""
        with self.office(url) as office:
            assert office.journal is not None
            try:
                refuse_another(office.settings, office.engine, office.journal)
            except ConfigurationError:
                return True
        return False


@pytest.fixture(params=["sqlite", "postgresql"])
def firm(request: pytest.FixtureRequest, tmp_path: Path) -> Firm:
    """A firm that moves out of SQLite."""
    return Firm(houses_on(request, tmp_path, "sqlite", request.param), tmp_path)


def test_what_was_told_before_is_not_told_again_and_what_waits_is_told_by_the_new_ledger_alone(
    firm: Firm,
) -> None:
    with firm.office(firm.houses.old) as office:
        claims_of(office, 3)
    firm.move()
    assert firm.tells(firm.houses.old, 1, 2, 3) == 0
    assert firm.tells(firm.houses.new, 1, 2, 3) == 2
    assert firm.tells(firm.houses.new, 1, 2, 3) == 0


def test_a_stop_stands_after_the_move(firm: Firm) -> None:
    with opened(firm.houses.old) as engine, writing(engine, NOW) as book:
        preferences.refuse_address(book, MOBILE, "sms", "opted_out", "inbound SM1")
    firm.move()
    assert firm.tells(firm.houses.new, 1, 2) == 0


def test_the_side_journal_knows_the_ledger_again_and_stops_nothing(firm: Firm) -> None:
    firm.move()
    with firm.office(firm.houses.new) as office:
        assert compare(office) == Compared()
        assert tenants.brakes(office.engine) == []
    assert not firm.is_refused(firm.houses.new)


def test_the_new_ledger_alone_asks_for_runs(firm: Firm) -> None:
    with opened(firm.houses.old) as engine:
        plan(engine, 2)
    firm.move()
    later = NOW + 90 * MINUTE
    with opened(firm.houses.old) as old, opened(firm.houses.new) as new:
        assert [len(due(engine, now=later)) for engine in (old, new)] == [0, 1]


def killed_at(point: str, firm: Firm) -> None:
    """Move in a process that gets SIGKILL there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, f"{point}=kill")
        process = multiprocessing.get_context("fork").Process(target=firm.move)
        process.start()
        process.join()
    assert process.exitcode == -signal.SIGKILL


def failed_at(point: str, firm: Firm) -> None:
    """Move, and have it fail there by a mistake in the code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, f"{point}=raise")
        with pytest.raises(RuntimeError):
            firm.move()


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("cut_off", [killed_at, failed_at], ids=["killed", "failed"])
def test_cut_off_anywhere_one_ledger_sends_or_none_and_the_command_goes_on(
    firm: Firm, cut_off: Callable[[str, Firm], None], point: str
) -> None:
    cut_off(point, firm)
    in_force = [url for url in (firm.houses.old, firm.houses.new) if not firm.is_refused(url)]
    by_old, by_new = (firm.tells(url, 1, 2) for url in (firm.houses.old, firm.houses.new))
    is_marked = point == POINTS[-1]
    assert (by_old, by_new) == ((0, 0) if is_marked else (1, 0))
    assert in_force == ([] if is_marked else [firm.houses.old])

    firm.move()
    assert firm.tells(firm.houses.old, 1, 2, 3) == 0
    assert firm.tells(firm.houses.new, 1, 2, 3) == 3 - 1 - by_old
    assert len(firm.twilio.messages) == 3
    assert [firm.is_refused(url) for url in (firm.houses.old, firm.houses.new)] == [True, False]


def test_a_copy_that_was_not_finished_takes_no_other_ledger_and_is_not_moved_itself(
    firm: Firm, tmp_path: Path
) -> None:
    failed_at(POINTS[1], firm)
    folder = tmp_path / "other"
    folder.mkdir()
    with opened(f"sqlite:///{folder}/old.db") as engine:
        tenants.set_brake(engine, stopped=False, by="person:bob", why="", scope="all", now=NOW)
    other = Firm(Houses(f"sqlite:///{folder}/old.db", firm.houses.new), folder)
    with pytest.raises(ConfigurationError, match="is not empty"):
        other.move()
    with pytest.raises(ConfigurationError, match="is an unfinished copy of the one at"):
        move_house(firm.houses.new, f"sqlite:///{tmp_path}/third.db", "person:ana", Hand(NOW))
    with opened(firm.houses.new) as engine, reading(engine) as session:
        assert session.get(Tenant, TENANT) is not None
        assert moved.marks(session).arriving_from


def test_what_was_put_beside_the_copy_meanwhile_is_kept_and_nothing_is_moved(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def and_then_somebody_connects(engine: Engine) -> None:
        migrate(engine)
        if without_secrets(engine.url) == without_secrets(firm.houses.new):
            open_tenant(engine)

    monkeypatch.setattr(moving_house, "migrate", and_then_somebody_connects)
    with pytest.raises(ConfigurationError, match="is not empty"):
        firm.move()
    with opened(firm.houses.new) as engine:
        assert [one.tenant_id for one in tenants.connected(engine)] == [TENANT]
    assert firm.tells(firm.houses.old, 2) == 1
