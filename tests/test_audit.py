"""The trail: what was done stands in it with the change or not at all, and nobody edits it unseen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, func, update
from sqlmodel import col, select

from duebell.audit import START, Entry, entry_hash, first_break, written
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Audit, Brake
from duebell.ledger.trail import first_break_in
from duebell.ledger.writing import writing
from tests.support_facts import NOW, at_once, counted

ENTRY = Entry("receiver", "event kept", "invoice", "i1", "t1", "run 1", {"event": 7})


def note(engine: Engine, *subjects: str) -> None:
    with writing(engine, NOW) as book:
        for subject in subjects:
            book.audit(Entry("test", "noted", "thing", subject, details={"n": len(subject), "why": None}))


def sequences(engine: Engine) -> list[int]:
    with reading(engine) as session:
        return [row or 0 for row in session.exec(select(Audit.sequence).order_by(col(Audit.sequence))).all()]


def test_every_entry_follows_from_the_one_before_it(ledger: Engine) -> None:
    note(ledger, "a", "b")
    note(ledger, "c")
    with reading(ledger) as session:
        rows = session.exec(select(Audit).order_by(col(Audit.sequence))).all()
    assert [row.subject_id for row in rows] == ["a", "b", "c"]
    assert [row.previous_hash for row in rows] == [START, rows[0].hash, rows[1].hash]
    assert first_break_in(ledger) is None


@pytest.mark.parametrize(
    "change",
    [
        {"action": "noted otherwise"},
        {"actor": "person:somebody"},
        {"subject_id": "z"},
        {"details": "{}"},
        {"tenant_id": "t"},
        {"flow_run_id": "run"},
        {"at": NOW + timedelta(microseconds=1)},
        {"previous_hash": START},
        {"hash": "f" * 64},
    ],
)
def test_a_changed_entry_is_found(ledger: Engine, change: dict[str, object]) -> None:
    note(ledger, "a", "b", "c")
    _, second, _ = sequences(ledger)
    with ledger.begin() as connection:
        connection.execute(update(Audit).where(col(Audit.sequence) == second).values(**change))
    assert first_break_in(ledger) == second
    assert broken(ledger) == [f"I7: the audit trail is broken at {second}"]


def test_a_missing_entry_is_found(ledger: Engine) -> None:
    note(ledger, "a", "b", "c")
    _, second, third = sequences(ledger)
    with ledger.begin() as connection:
        connection.execute(delete(Audit).where(col(Audit.sequence) == second))
    assert first_break_in(ledger) == third


def test_writers_at_once_keep_one_chain(ledger: Engine) -> None:
    at_once(10, lambda worker: [note(ledger, f"{worker}.{number}", "x") for number in range(5)])
    assert counted(ledger, Audit) == 100
    with reading(ledger) as session:
        assert session.exec(select(func.count(func.distinct(col(Audit.previous_hash))))).one() == 100
    assert first_break_in(ledger) is None


def half_done(engine: Engine, entry: Entry, *, to_the_end: bool) -> None:
    with writing(engine, NOW) as book:
        book.session.add(Brake(scope="all", stopped=True, by="test", changed_at=NOW))
        book.audit(entry)
        if not to_the_end:
            raise RuntimeError("half way")


def test_a_change_that_fails_leaves_neither_itself_nor_its_entry(ledger: Engine) -> None:
    note(ledger, "a")
    with pytest.raises(RuntimeError, match="half way"):
        half_done(ledger, ENTRY, to_the_end=False)
    assert (counted(ledger, Brake), counted(ledger, Audit)) == (0, 1)
    note(ledger, "b")
    assert first_break_in(ledger) is None


def test_an_entry_that_cannot_be_written_takes_its_change_back(ledger: Engine) -> None:
    unspeakable = cast("dict[str, str]", {"what": object()})
    with pytest.raises(TypeError):
        half_done(ledger, replace(ENTRY, details=unspeakable), to_the_end=True)
    assert (counted(ledger, Brake), counted(ledger, Audit)) == (0, 0)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-12, 14))
def test_the_zone_in_which_a_time_is_written_does_not_change_the_hash(at: datetime, hours: int) -> None:
    try:
        elsewhere = at.astimezone(timezone(timedelta(hours=hours)))
    except OverflowError:
        return
    assert entry_hash(START, at, ENTRY, "{}") == entry_hash(START, elsewhere, ENTRY, "{}")


def test_the_order_of_details_does_not_change_what_is_written() -> None:
    assert written({"b": 1, "a": None}) == written({"a": None, "b": 1}) == '{"a":null,"b":1}'


facts_of_an_entry = st.lists(st.text(max_size=4), min_size=8, max_size=8)


@given(facts_of_an_entry, facts_of_an_entry)
def test_no_two_entries_have_one_hash(one: list[str], other: list[str]) -> None:
    def hashed(facts: list[str]) -> str:
        entry = Entry(*facts[:4], tenant_id=facts[4], flow_run_id=facts[5])
        return entry_hash(facts[6], NOW, entry, facts[7])

    assert (hashed(one) == hashed(other)) == (one == other)


def test_an_empty_chain_and_a_chain_that_was_cut_at_its_front_are_whole() -> None:
    assert first_break([]) is None
    assert first_break([(7, "before", "h7", "h7"), (8, "h7", "h8", "h8")]) is None
    assert first_break([(7, "before", "h7", "h7"), (8, "h6", "h8", "h8")]) == 8
