"""Xero's numbers of events: what is missing is known as a gap, and no delivery is refused for it."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import col, select

from deployments.receiver.app import make_app
from duebell.ledger import sequences
from duebell.ledger.engine import reading
from duebell.ledger.sequences import Gap, after
from duebell.ledger.tables import SequenceGap, Tenant, WebhookSequence
from duebell.ledger.webhook_state import heard
from duebell.ledger.writing import writing
from tests.support_facts import MINUTE, NOW, OTHER_TENANT, TENANT, at_once
from tests.support_receiver import connect_tenant, deliver, parts, xero_event


def numbers(gaps: list[Gap]) -> set[int]:
    return {number for gap in gaps for number in range(gap.first, gap.last + 1)}


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 5)), min_size=1, max_size=30))
def test_the_open_gaps_are_the_numbers_that_did_not_come_in_whatever_order(
    deliveries: list[tuple[int, int]],
) -> None:
    highest: int | None = None
    gaps: list[Gap] = []
    began = deliveries[0][0]
    came: set[int] = set()
    for first, more in deliveries:
        noted = after(highest, gaps, first, first + more, NOW)
        highest = noted.highest
        gaps = [gap for gap in gaps if gap.first not in noted.closed] + list(noted.opened)
        came |= set(range(first, first + more + 1))
        # What lies before the first number that ever came was never expected.
        assert numbers(gaps) == set(range(began, max(came))) - came
        assert len(numbers(gaps)) == sum(gap.last - gap.first + 1 for gap in gaps)
        assert highest == max(came)


def test_what_is_left_of_a_gap_is_as_old_as_the_gap() -> None:
    old = Gap(5, 9, NOW)
    noted = after(12, [old], 7, 7, NOW + MINUTE)
    assert noted.opened == (Gap(5, 6, NOW), Gap(8, 9, NOW))
    assert noted.closed == (5,)


@pytest.mark.parametrize(
    ("first", "last", "counted"),
    [
        (0, 0, False),
        (None, None, False),
        (None, 3, False),
        (1, 1, True),
        (5, 4, False),
        (3, 2**31 - 1, True),
        (3, 2**31, False),
    ],
)
def test_the_intent_to_receive_and_nonsense_are_not_counted(
    first: int | None, last: int | None, *, counted: bool
) -> None:
    assert sequences.is_counted(first, last) is counted


def open_gaps(engine: Engine) -> list[tuple[int, int]]:
    with reading(engine) as session:
        rows = session.exec(select(SequenceGap).where(col(SequenceGap.closed_at).is_(None))).all()
    return sorted((row.first_missing, row.last_missing) for row in rows)


def highest(engine: Engine) -> int:
    with reading(engine) as session:
        return session.exec(select(WebhookSequence.highest)).one()


def note(engine: Engine, first: int, last: int, minute: int = 0) -> None:
    with writing(engine, NOW + minute * MINUTE) as book:
        sequences.note(book, first, last)


def test_a_jump_opens_a_gap_which_late_deliveries_split_and_close(ledger: Engine) -> None:
    note(ledger, 3, 4)
    assert open_gaps(ledger) == []
    note(ledger, 10, 11, minute=1)
    assert (open_gaps(ledger), highest(ledger)) == ([(5, 9)], 11)
    note(ledger, 7, 7, minute=2)
    assert open_gaps(ledger) == [(5, 6), (8, 9)]
    note(ledger, 8, 9, minute=3)
    note(ledger, 7, 11, minute=4)
    assert (open_gaps(ledger), highest(ledger)) == ([(5, 6)], 11)
    note(ledger, 5, 6, minute=5)
    assert open_gaps(ledger) == []
    with reading(ledger) as session:
        rows = session.exec(select(SequenceGap).order_by(col(SequenceGap.first_missing))).all()
    assert [(row.first_missing, row.last_missing) for row in rows] == [(5, 6), (8, 9)]
    assert {row.noticed_at for row in rows} == {NOW + MINUTE}


def test_receivers_that_note_at_once_agree_on_what_is_missing(ledger: Engine) -> None:
    note(ledger, 1, 1)
    wanted = [number for number in range(2, 26) if number not in {7, 8, 20}]
    at_once(len(wanted), lambda one: note(ledger, wanted[one], wanted[one]))
    assert (open_gaps(ledger), highest(ledger)) == ([(7, 8), (20, 20)], 25)


def a_delivery(first: object, last: object, *events: object) -> bytes:
    body = {"events": events, "firstEventSequence": first, "lastEventSequence": last, "entropy": "A"}
    return json.dumps(body).encode()


def webhook_at(engine: Engine, tenant_id: str = TENANT) -> object:
    with reading(engine) as session:
        return session.get_one(Tenant, tenant_id).webhook_at


def test_the_receiver_notes_a_delivery_and_its_numbers_beside_its_events(ledger: Engine) -> None:
    connect_tenant(ledger)
    connect_tenant(ledger, OTHER_TENANT)
    app = make_app(parts(ledger))
    assert deliver(app, a_delivery(0, 0)) == 200
    assert webhook_at(ledger) is None
    assert deliver(app, a_delivery(7, 7, xero_event())) == 200
    assert deliver(app, a_delivery(9, 9, xero_event(eventCategory="CONTACT"))) == 200
    assert (open_gaps(ledger), webhook_at(ledger)) == ([(8, 8)], NOW)
    assert webhook_at(ledger, OTHER_TENANT) is None


@pytest.mark.parametrize("sequence", [None, "7", -1, 1.5, 10**30, True])
def test_numbers_that_make_no_sense_refuse_no_event(ledger: Engine, sequence: object) -> None:
    connect_tenant(ledger)
    app = make_app(parts(ledger))
    assert deliver(app, a_delivery(sequence, sequence, xero_event())) == 200
    assert webhook_at(ledger) == NOW
    assert open_gaps(ledger) == []


def test_a_burst_writes_a_tenant_s_row_once_in_ten_seconds(ledger: Engine) -> None:
    connect_tenant(ledger)
    for seconds in (0, 9, 11):
        with writing(ledger, NOW + timedelta(seconds=seconds)) as book:
            heard(book, {TENANT, "an unknown tenant"}, None, None)
        assert webhook_at(ledger) == NOW + timedelta(seconds=11 if seconds == 11 else 0)


def test_a_webhook_that_was_made_anew_is_counted_from_its_own_beginning(ledger: Engine) -> None:
    for first, last, is_news in (
        (500, 500, True),
        (520, 520, True),
        (2, 3, True),
        (4, 4, True),
        (7, 7, True),
    ):
        with writing(ledger, NOW) as book:
            sequences.note(book, first, last, is_news=is_news)
    with reading(ledger) as session:
        open_gaps = session.exec(select(SequenceGap).where(col(SequenceGap.closed_at).is_(None))).all()
        highest = session.exec(select(WebhookSequence.highest)).one()
    assert [(gap.first_missing, gap.last_missing) for gap in open_gaps] == [(5, 6)]
    assert highest == 7


def test_numbers_that_are_missing_again_after_the_webhook_was_made_anew_keep_no_event_out(
    ledger: Engine,
) -> None:
    connect_tenant(ledger)
    app = make_app(parts(ledger))
    for second, number in enumerate((1, 5, 2, 3, 4, 60, 1, 5, 6, 2)):
        event = xero_event(eventDateUtc=f"2026-11-20T01:15:{second:02}.902")
        assert deliver(app, a_delivery(number, number, event)) == 200
    assert (open_gaps(ledger), highest(ledger)) == ([(3, 4)], 6)


@pytest.mark.parametrize(
    ("first", "is_news"),
    [(3, False), (480, True), (12, True)],
    ids=["a repeated one", "a late one from before the first", "not among the first numbers"],
)
def test_what_comes_late_or_again_begins_no_new_count(first: int, is_news: bool) -> None:  # noqa: FBT001 -- a case of the table
    assert after(500, [], first, first, NOW, is_news=is_news).highest == 500
