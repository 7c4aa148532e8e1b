"""Statements that are built once, and rows that are inserted where they are not there yet."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import UpdateBase
from sqlmodel import col, select
from sqlmodel.sql.expression import Select, SelectOfScalar

from duebell.ledger.built_once import built_once
from duebell.ledger.engine import reading
from duebell.ledger.inserting import insert_missing, insert_new
from duebell.ledger.tables import Brake, Notification, PolicyText
from duebell.ledger.writing import writing
from tests.support_facts import NOW, plan

BUILT: list[object] = []


@built_once
def of_state(state: str, ids: Sequence[int]) -> SelectOfScalar[Notification]:
    BUILT.append(state)
    wanted = select(Notification).where(
        Notification.state == state, col(Notification.notification_id).in_(ids)
    )
    return wanted.order_by(col(Notification.notification_id))


@built_once
def keys_and_reasons(kind: str) -> Select[str, str]:
    return select(Notification.key, Notification.reason).where(Notification.kind == kind)


@built_once
def rename(state: str, reason: str) -> UpdateBase:
    changed = update(Notification).where(col(Notification.state) == state).values(reason=reason)
    return changed.returning(col(Notification.notification_id))


def test_what_is_built_once_is_asked_with_the_values_of_each_time(ledger: Engine) -> None:
    first, second = (plan(ledger, number).notification_id or 0 for number in (1, 2))
    BUILT.clear()
    with reading(ledger) as session:
        assert [row.notification_id for row in of_state(session, "planned", [first, second]).all()] == [1, 2]
        assert [row.notification_id for row in of_state(session, "planned", [second]).all()] == [second]
        assert of_state(session, ids=[first, second], state="held").all() == []
        assert of_state(session, "planned", []).all() == []
    assert len(BUILT) <= 1


def test_several_columns_come_as_rows(ledger: Engine) -> None:
    row = plan(ledger)
    with reading(ledger) as session:
        assert [tuple(one) for one in keys_and_reasons(session, row.kind).all()] == [(row.key, "")]


def test_a_change_sees_what_the_session_has_not_written_yet(ledger: Engine) -> None:
    row_id = plan(ledger).notification_id
    with writing(ledger, NOW) as book:
        row = book.session.get_one(Notification, row_id)
        row.state = "held"
        assert rename(book.session, "held", "by hand").scalars().all() == [row_id]
        assert row.reason == ""
    with reading(ledger) as session:
        assert session.get_one(Notification, row_id).reason == "by hand"


def test_a_value_that_is_missing_is_refused(ledger: Engine) -> None:
    with reading(ledger) as session, pytest.raises(KeyError, match="ids"):
        of_state(session, "planned")  # pyright: ignore[reportCallIssue]  # what is tested


def test_a_row_is_inserted_once_and_the_first_stays(ledger: Engine) -> None:
    first: dict[str, Any] = {"sha256": "a", "text": "the first", "first_used_at": NOW}
    second: dict[str, Any] = first | {"text": "the second", "first_used_at": NOW + timedelta(hours=1)}
    third: dict[str, Any] = second | {"sha256": "b"}
    with writing(ledger, NOW) as book:
        assert insert_new(book.session, PolicyText, first) == "a"
        assert insert_new(book.session, PolicyText, second) is None
        insert_missing(book.session, [PolicyText(**second), PolicyText(**third)])
    with reading(ledger) as session:
        kept = session.exec(select(PolicyText).order_by(PolicyText.sha256)).all()
    assert [(one.sha256, one.text, one.first_used_at) for one in kept] == [
        ("a", "the first", NOW),
        ("b", "the second", NOW + timedelta(hours=1)),
    ]


def test_a_column_that_is_left_out_has_its_default(ledger: Engine) -> None:
    with writing(ledger, NOW) as book:
        assert insert_new(book.session, Brake, {"scope": "x", "stopped": True, "by": "me", "changed_at": NOW})
    with reading(ledger) as session:
        row = session.get_one(Brake, "x")
    assert (row.why, row.retry_at, row.stopped) == ("", None, True)


def test_what_no_row_may_lack_is_not_passed_over_in_silence(ledger: Engine) -> None:
    with pytest.raises(IntegrityError), writing(ledger, NOW) as book:
        insert_new(book.session, Brake, {"scope": "x", "stopped": True, "by": None, "changed_at": NOW})


def test_a_naive_time_is_refused_here_too(ledger: Engine) -> None:
    values = {"sha256": "a", "text": "", "first_used_at": NOW.replace(tzinfo=None)}
    with pytest.raises(Exception, match="without a zone"), writing(ledger, NOW) as book:
        insert_new(book.session, PolicyText, values)
