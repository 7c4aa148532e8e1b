"""On PostgreSQL a process that stands still in the middle of a transaction holds up nobody for long."""

import os
from collections.abc import Generator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from duebell.audit import Entry
from duebell.ledger.engine import migrate, open_ledger, reading
from duebell.ledger.tables import Audit
from duebell.ledger.writing import AUDIT_LOCK, Writing, writing
from tests.support_facts import NOW
from tests.support_ledger import NO_POSTGRES, POSTGRES, emptied, throwaway_database


def entry(subject_id: str) -> Entry:
    return Entry("test", "written", "thing", subject_id)


def takes_the_trail(book: Writing) -> None:
    book.session.connection().execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": AUDIT_LOCK})


def written(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.exec(select(Audit.subject_id).order_by("sequence")).all())


@pytest.fixture
def impatient(postgres: Engine) -> Generator[Engine]:
    """The ledger, opened by a process that may stand still for a moment only."""
    emptied(postgres)
    engine = open_ledger(postgres.url.render_as_string(hide_password=False), stands_still=0.2)
    yield engine
    engine.dispose()


def test_what_a_process_had_begun_when_it_stood_still_is_undone_and_others_go_on(
    postgres: Engine, impatient: Engine
) -> None:
    def stands_still() -> None:
        with writing(impatient, NOW) as stopped:
            stopped.audit(entry("of the stopped"))
            takes_the_trail(stopped)
            with writing(postgres, NOW) as book:  # it waits for the trail's lock, until that is taken away
                book.audit(entry("of another"))

    with pytest.raises(OperationalError):
        stands_still()
    assert written(postgres) == ["of another"]
    with writing(impatient, NOW) as book:
        book.audit(entry("of the stopped, later"))
    assert written(postgres) == ["of another", "of the stopped, later"]


def test_a_migration_is_not_ended_half_way_where_the_machine_computes_long() -> None:
    if not POSTGRES:
        pytest.skip(NO_POSTGRES)
    with throwaway_database(f"duebell_slowly_{os.getpid()}") as url:
        engine = open_ledger(url, stands_still=0.001)
        migrate(engine)
        assert written(engine) == []
        engine.dispose()


def test_a_writer_waits_for_those_before_it_no_longer_than_it_may(postgres: Engine) -> None:
    emptied(postgres)
    hurried = open_ledger(postgres.url.render_as_string(hide_password=False), busy_seconds=0.2)
    with writing(postgres, NOW) as first:
        first.audit(entry("first"))
        takes_the_trail(first)
        with pytest.raises(OperationalError), writing(hurried, NOW) as second:
            second.audit(entry("second"))
    assert written(postgres) == ["first"]
    hurried.dispose()
