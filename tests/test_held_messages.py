"""What stands of held messages is read for a whole batch at once, and each is given its own."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, event

from duebell.ledger import groups, legs, present
from duebell.ledger.engine import reading
from duebell.ledger.held_messages import standing
from duebell.ledger.scheduled import Held
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import Writing, writing
from tests.support_facts import NOW, TENANT, open_tenant

SEND_AT = NOW + timedelta(hours=1)


def _notification(book: Writing, name: str, lead_id: int | None = None) -> int:
    row = Notification(
        key=name, tenant_id=TENANT, kind="invoice_issued", subject_id=name, invoice_id=name,
        state="scheduled", planned_at=NOW, updated_at=NOW, recipient="contact:x", lease_token=1,
        lead_id=lead_id,
    )  # fmt: skip
    book.session.add(row)
    book.session.flush()
    return row.notification_id or 0


def _leg(book: Writing, number: int, position: int, channel: str, over: str = "") -> int:
    leg = Leg(notification_id=number, position=position, channel=channel, address="x", text="t", over=over)
    book.session.add(leg)
    book.session.flush()
    return leg.leg_id or 0


def _attempt(book: Writing, attempt_id: str, number: int, leg_id: int) -> None:
    attempt = Attempt(
        attempt_id=attempt_id, notification_id=number, leg_id=leg_id, lease_token=1, state="accepted",
        started_at=NOW, finished_at=NOW, address="x", text="t", read_age_seconds=1, sid=f"SM {attempt_id}",
        provider_status="scheduled", send_at=SEND_AT,
    )  # fmt: skip
    book.session.add(attempt)
    book.session.flush()


def _held(attempt_id: str, number: int) -> Held:
    return Held(attempt_id, number, TENANT, "invoice_issued", f"SM {attempt_id}", SEND_AT, "", doubtful=False)


def _many(engine: Engine, count: int) -> list[Held]:
    """So many messages, every second of which tells another one, too, and every third was begun twice."""
    open_tenant(engine)
    held: list[Held] = []
    with writing(engine, NOW) as book:
        for place in range(count):
            number = _notification(book, f"n{place}")
            leg_id = _leg(book, number, 0, "sms", over="refused" if place % 2 else "")
            leg_id = _leg(book, number, 1, "email") if place % 2 else leg_id
            if place % 2 == 0:
                _leg(book, _notification(book, f"told with n{place}", number), 0, "sms")
            for again in range(2 if place % 3 == 0 else 1):
                _attempt(book, f"a{place}.{again}", number, leg_id)
            held.append(_held(f"a{place}.0", number))
    return held


def test_each_of_a_batch_is_given_what_it_would_be_read_by_itself(ledger: Engine) -> None:
    held = _many(ledger, 7)
    with reading(ledger) as session:
        found = standing(session, held)
        assert list(found) == held
        for one, stands in found.items():
            number = one.notification_id
            lead, own = present.notification(session, number), present.attempt(session, one.attempt_id)
            beside = present.other_attempts(session, number, one.attempt_id)
            assert stands.told == (lead, *groups.of_lead(session, number))
            assert stands.attempt == own
            assert {row.attempt_id for row in stands.beside} == {row.attempt_id for row in beside}
            assert stands.channel == legs.of_attempt(session, own).channel
            assert stands.failed == legs.failed_channels(session, lead)
        assert {stands.channel for stands in found.values()} == {"sms", "email"}
        assert {len(stands.told) for stands in found.values()} == {1, 2}
        assert {len(stands.beside) for stands in found.values()} == {0, 1}


def test_a_message_that_an_heir_took_over_meanwhile_goes_by_the_leg_that_it_has_there(ledger: Engine) -> None:
    [held] = _many(ledger, 1)
    with writing(ledger, NOW) as book:
        heir = _notification(book, "heir")
        attempt = present.locked_attempt(book.session, held.attempt_id)
        attempt.notification_id, attempt.leg_id = heir, _leg(book, heir, 0, "email")
    with reading(ledger) as session:
        stands = standing(session, [held])[held]
    assert stands.channel == "email"
    assert stands.told[0].notification_id == held.notification_id


def test_a_hundred_cost_as_many_statements_as_one(sqlite_ledger: Engine) -> None:
    held = _many(sqlite_ledger, 100)

    def asked(some: list[Held]) -> int:
        seen: list[Any] = []
        with reading(sqlite_ledger) as session:
            event.listen(sqlite_ledger, "before_cursor_execute", lambda *given: seen.append(given[2]))
            standing(session, some)
        return len([one for one in seen if one.startswith("SELECT")])

    assert asked(held[:1]) == 3
    assert asked(held) == 3
    assert asked([]) == 0
