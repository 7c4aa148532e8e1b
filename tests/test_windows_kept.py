"""Nobody reads a message outside their hours, however long it waited in Twilio's queue."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from duebell.ledger.invariants import broken
from tests.support_slow_queue import World, world_over

BEGINS = datetime(2026, 9, 24, 18, tzinfo=UTC)


def lived(engine: Engine, folder: Path, *, heeds_validity: bool) -> World:
    """Two days of a few customers in each zone."""
    world = world_over(engine, folder, BEGINS, seed=7)
    world.twilio.heeds_validity = heeds_validity
    world.populate(32, days=1)
    world.live(days=2)
    return world


def test_through_a_queue_that_is_hours_slow_nothing_arrives_outside_the_reader_s_hours(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    world = lived(sqlite_ledger, tmp_path, heeds_validity=True)
    assert list(world.outside()) == []
    assert len(world.twilio.arrived) >= 15
    assert len(world.twilio.expired) >= 5
    assert broken(sqlite_ledger) == []


def test_the_same_days_show_a_validity_that_is_not_heeded(sqlite_ledger: Engine, tmp_path: Path) -> None:
    world = lived(sqlite_ledger, tmp_path, heeds_validity=False)
    assert len(list(world.outside())) >= 5
