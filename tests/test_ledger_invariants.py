"""What must hold in every ledger is looked at in its own rows: what does not is found, and named."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, update
from sqlmodel import SQLModel, col

from duebell.books.read_in_time import FRESH
from duebell.ledger import invariants
from duebell.ledger.engine import at_one_moment
from duebell.ledger.invariants import LOT, MOST_TOLD, broken, broken_messages, told
from duebell.ledger.tables import Attempt, Notification, Tenant
from tests.support_facts import (
    CONTACT,
    NOW,
    TENANT,
    UNKNOWN,
    accepted,
    begin,
    claim,
    conclude,
    counted,
    open_tenant,
    plan,
    sent_off,
    sid,
)


def change(engine: Engine, table: type[SQLModel], **values: Any) -> None:
    """Write over every row of a table by hand, as no code of ours would."""
    with engine.begin() as connection:
        connection.execute(update(table).values(**values))


def told_one(engine: Engine) -> None:
    sent_off(engine)
    conclude(engine, accepted())


def unknown_one(engine: Engine) -> None:
    sent_off(engine)
    conclude(engine, UNKNOWN)


@pytest.mark.parametrize(
    ("before", "table", "values", "found"),
    [
        (told_one, Notification, {"lease_token": 0}, "I2: notification 1: an attempt stands on a claim that"),
        (told_one, Notification, {"lease_until": NOW}, "I4: notification 1: it is accepted with a lease"),
        (sent_off, Notification, {"lease_until": None}, "I4: notification 1: it is sending without a lease"),
        (told_one, Attempt, {"sid": None}, "I5: attempt a1: it is accepted without a SID"),
        (sent_off, Attempt, {"sid": sid()}, "I5: attempt a1: it is sending with a SID"),
        (told_one, Attempt, {"state": "cancelled"}, "I5: attempt a1: it is cancelled, and nobody asked"),
        (told_one, Notification, {"state": "sent"}, "I6: notification 1: it is sent, and its attempts say"),
        (unknown_one, Attempt, {"settle_at": None}, "I7: attempt a1: nobody will look for its outcome"),
        (plan, Notification, {"dispatch_at": None}, "I7: notification 1: it is planned, and no run will"),
        (told_one, Attempt, {"read_age_seconds": 61.0}, "I8: attempt a1: what it says was read 61 s before"),
        (told_one, Attempt, {"read_age_seconds": -61.0}, "I8: attempt a1: what it says was read -61 s"),
    ],
)
def test_what_does_not_hold_is_found_with_its_number_and_its_id(
    ledger: Engine, before: Any, table: type[SQLModel], values: dict[str, Any], found: str
) -> None:
    before(ledger)
    assert broken(ledger) == []
    change(ledger, table, **values)
    assert [one for one in broken(ledger) if one.startswith(found)]


def test_a_read_that_is_just_young_enough_is_no_finding(ledger: Engine) -> None:
    told_one(ledger)
    for age in (FRESH.total_seconds(), -FRESH.total_seconds(), 0.0):
        change(ledger, Attempt, read_age_seconds=age)
        assert broken(ledger) == []


def test_two_attempts_that_are_under_way_are_found(ledger: Engine) -> None:
    claimed = sent_off(ledger)
    change(ledger, Notification, state="claimed")
    assert begin(ledger, claimed, "a2") is not None
    assert broken_messages(ledger) == [
        "I2: notification 1: two attempts stand on one claim",
        "I3: notification 1: two attempts are under way",
    ]


def test_what_stands_apart_from_its_lead_is_found_wherever_that_one_lies(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "LOT", 1)
    for number in (1, 2, 3):
        plan(ledger, number)
    with ledger.begin() as connection:
        for member, lead in ((1, 3), (3, 2)):
            which = col(Notification.notification_id) == member
            connection.execute(update(Notification).where(which).values(lead_id=lead))
        which = col(Notification.notification_id) == 1
        connection.execute(update(Notification).where(which).values(state="held"))
    assert broken(ledger) == [
        "I7: notification 1: its lead is led by another",
        "I7: notification 1: it is held, and its lead is planned",
    ]


def test_the_attempts_of_a_lead_speak_for_those_told_with_it_in_whatever_lot_they_are(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "LOT", 1)
    sent_off(ledger)
    plan(ledger, 2)
    with ledger.begin() as connection:
        which = col(Notification.notification_id) == 2
        values = {"lead_id": 1, "state": "sending", "lease_until": NOW + timedelta(seconds=75)}
        connection.execute(update(Notification).where(which).values(**values, lease_token=1))
    assert broken(ledger) == []


def test_a_large_ledger_is_read_in_lots(ledger: Engine) -> None:
    rows = [
        {
            "notification_id": number, "key": f"k{number}", "tenant_id": TENANT, "kind": "invoice_issued",
            "subject_id": "i", "invoice_id": "i", "contact_id": CONTACT, "state": "held", "reason": "hours",
            "generation": 0, "planned_at": NOW, "dispatches": 0, "lease_token": 0, "updated_at": NOW,
        }
        for number in range(1, LOT * 2 + 2)
    ]  # fmt: skip
    with ledger.begin() as connection:
        connection.execute(insert(Notification), rows)
        last = col(Notification.notification_id) == LOT * 2 + 1
        connection.execute(update(Notification).where(last).values(lease_until=NOW))
    asked: list[str] = []
    event.listen(ledger, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert broken_messages(ledger) == [f"I4: notification {LOT * 2 + 1}: it is held with a lease"]
    assert len([one for one in asked if one.startswith("SELECT")]) == 2 + 3 * 2 + 1


def test_what_is_committed_meanwhile_is_not_seen_by_half(ledger: Engine) -> None:
    """A message that is claimed and told between two statements would look as if it had no attempt."""
    open_tenant(ledger)
    plan(ledger)
    with at_one_moment(ledger) as session:
        assert session.get_one(Tenant, TENANT).sending == "live"
        claimed = claim(ledger, 1)
        assert claimed is not None
        assert begin(ledger, claimed) is not None
        assert session.get_one(Notification, 1).state == "planned"
        assert session.get(Attempt, "a1") is None
    assert counted(ledger, Attempt) == 1


def test_a_person_reads_the_first_of_many() -> None:
    many = [f"I4: notification {number}: it is held with a lease" for number in range(MOST_TOLD + 5)]
    assert told(many[:MOST_TOLD]) == many[:MOST_TOLD]
    assert told(many) == [*many[:MOST_TOLD], "and 5 more"]
