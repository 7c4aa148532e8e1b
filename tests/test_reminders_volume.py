"""Too many at once: an unusual day waits for a person, and the rest of a full hour waits for the next."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from duebell.keys import INVOICE_OVERDUE
from duebell.ledger import tenants, volumes
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.sending.resending import resend
from duebell.states import NotificationState, Sending
from tests.support_facts import (
    CONTACT,
    MOBILE,
    OTHER_CONTACT,
    TENANT,
    at_once,
    keep_contact,
    numbered,
    open_tenant,
)
from tests.support_first_day import first_day, tenfold_day
from tests.support_overdue import Office, at, due, office_over, policy_text

S = NotificationState
DUE = date(2026, 11, 2)
DAY = timedelta(days=1)


def office_with(
    engine: Engine, folder: Path, customers: int, limits: str, *, sending: str = "live"
) -> Office:
    """A business with so many customers, each with one invoice that is a day overdue."""
    open_tenant(engine, sending=sending)
    office = office_over(engine, folder, at(DUE + DAY), policy_text(rest=f"[limits]\n{limits}"))
    _owe(office, range(1, customers + 1), DUE)
    return office


def _owe(office: Office, numbers: range, day: date) -> None:
    for number in numbers:
        contact = numbered(700 + number)
        keep_contact(office.engine, contact, f"+64215550{number:03}")
        office.keeps(number, **due(day, Contact={"ContactID": contact}))


def states(office: Office) -> list[tuple[str, str]]:
    return sorted({(state, reason) for _, _, state, reason in office.stands()})


def release(office: Office) -> None:
    with reading(office.engine) as session:
        held = volumes.held_for_volume(session, TENANT)
    volumes.lift(office.engine, TENANT, "person:test", held, now=office.clock.now)


def test_f087_a_first_connection_with_many_old_invoices_sends_nothing_until_a_person_lifts_it(
    ledger: Engine, tmp_path: Path
) -> None:
    office = office_with(ledger, tmp_path, 12, "breaker_from = 10")
    for _ in range(3):
        swept = office.sweeps()
        assert (swept.unusual, swept.runs) == (True, ())
        assert office.nets() == []
        office.later(hours=1)
    assert states(office) == [("held", "unusual_volume")]
    assert office.tells([numbered(1), numbered(2)]) == []
    release(office)
    assert office.sweeps().runs != ()
    office.nets()
    office.later(seconds=30)
    office.nets()
    assert len(office.phones.heard) == 12
    assert states(office) == [("accepted", "")]
    assert broken(office.engine) == []


def test_f060_forty_invoices_and_a_number_that_two_share_make_one_message_a_day(
    ledger: Engine, tmp_path: Path
) -> None:
    open_tenant(ledger)
    office = office_over(ledger, tmp_path, at(DUE + DAY))
    for contact_id in (CONTACT, OTHER_CONTACT):
        keep_contact(ledger, contact_id, MOBILE)
    office.keeps(*range(1, 41), **due(DUE))
    office.keeps(41, **due(DUE, Contact={"ContactID": OTHER_CONTACT}))
    office.day()
    office.later(hours=1)
    assert office.nets() == []
    assert len(office.phones.to(MOBILE)) == 1
    assert ("held", "too_many") in states(office)
    office.later(hours=23)
    office.nets()
    assert len(office.phones.to(MOBILE)) == 2
    assert broken(ledger) == []


def test_f060_an_email_address_that_two_share_has_its_limits_however_it_is_typed(
    ledger: Engine, tmp_path: Path
) -> None:
    open_tenant(ledger)
    policy = policy_text('channels = ["email"]')
    office = office_over(ledger, tmp_path, at(DUE + DAY), policy, email_from="Kauri <accounts@kauri.example>")
    keep_contact(ledger, CONTACT, EmailAddress="Ann@Rimu.example")
    keep_contact(ledger, OTHER_CONTACT, EmailAddress="ann@rimu.example")
    office.keeps(1, **due(DUE))
    office.keeps(2, **due(DUE, Contact={"ContactID": OTHER_CONTACT}))
    office.day()
    assert [to for to, _ in office.phones.heard] == ["Ann@Rimu.example"]
    assert ("held", "too_many") in states(office)


def test_a_first_day_with_hundreds_of_old_debts_is_silent_as_shipped_until_a_person_lifts_it(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    counted = dict(first_day(sqlite_ledger, tmp_path, invoices=240, customers=120))
    assert counted["held for a person"] > 60
    assert counted["heard before it is lifted"] == 0
    assert counted["heard in the hour after it is lifted"] > 10
    assert broken(sqlite_ledger) == []


def test_a_day_of_ten_times_the_usual_is_held_as_shipped(sqlite_ledger: Engine, tmp_path: Path) -> None:
    assert list(tenfold_day(sqlite_ledger, tmp_path, usual=6)) == [
        ("heard on day 1", 6), ("heard on day 2", 6), ("heard on day 3", 6), ("heard on day 4", 0),
    ]  # fmt: skip


def test_what_waits_for_a_person_stays_held_though_fewer_are_left(small: Office) -> None:
    small.sweeps()
    _pay(small, range(1, 12))
    small.later(hours=1)
    assert small.sweeps().unusual is False
    assert small.stands()[-1] == ("12", "overdue", "held", "unusual_volume")
    assert small.phones.heard == []


def _pay(office: Office, numbers: range) -> None:
    for number in numbers:
        paid = {"Status": "PAID", "AmountDue": 0, "AmountPaid": 115}
        office.keeps(number, **due(DUE, Contact={"ContactID": numbered(700 + number)}, **paid))


@pytest.fixture
def small(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    return office_with(sqlite_ledger, tmp_path, 12, "breaker_from = 10")


def test_what_a_person_let_go_is_not_held_again_and_more_of_the_same_day_is_counted_alone(
    small: Office,
) -> None:
    small.sweeps()
    release(small)
    _owe(small, range(13, 16), DUE)
    swept = small.sweeps()
    assert swept.unusual is False
    small.runs(swept.runs)
    assert len(small.phones.heard) == 15


def test_the_busiest_of_the_days_before_says_what_is_usual(small: Office) -> None:
    small.sweeps()
    release(small)
    small.runs(small.sweeps().runs)
    small.later(days=1)
    _owe(small, range(20, 55), DUE + DAY)
    assert small.day() != []  # 35 are less than three times the 12 of the day before
    small.later(days=1)
    _owe(small, range(100, 206), DUE + 2 * DAY)
    assert small.day() == []
    assert ("205", "overdue", "held", "unusual_volume") in small.stands()


def test_held_messages_that_go_live_lets_go_are_counted_all_the_same(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = office_with(sqlite_ledger, tmp_path, 12, "breaker_from = 10", sending=Sending.REVIEW.value)
    office.sweeps()
    assert states(office) == [("held", "in_review")]
    tenants.go_live(office.engine, TENANT, "person:test", release_held=True, now=office.clock.now)
    office.nets()
    office.tells([numbered(number) for number in range(1, 13)])
    assert office.phones.heard == []
    assert states(office) == [("held", "unusual_volume")]
    assert broken(office.engine) == []


def test_an_hour_takes_no_more_than_the_ceiling_and_the_next_one_goes_on(
    ledger: Engine, tmp_path: Path
) -> None:
    office = office_with(ledger, tmp_path, 7, "messages_an_hour = 3")
    office.day()
    assert len(office.phones.heard) == 3
    assert states(office) == [("accepted", ""), ("held", "hour_full")]
    office.later(minutes=30)
    assert office.day() == []
    office.nets()
    assert len(office.phones.heard) == 3
    office.clock.now = at(DUE + DAY, 11)
    office.nets()
    assert len(office.phones.heard) == 6
    office.clock.now = at(DUE + DAY, 12)
    office.day()
    assert len(office.phones.heard) == 7
    assert broken(office.engine) == []


def test_senders_at_once_do_not_pass_the_ceiling_together(ledger: Engine, tmp_path: Path) -> None:
    office = office_with(ledger, tmp_path, 6, "messages_an_hour = 2")
    office.sweeps()
    claims = office.claims([numbered(number) for number in range(1, 7)])
    said = at_once(6, lambda number: office.says(claims[number]).state)
    assert sorted(said) == [S.ACCEPTED] * 2 + [S.HELD] * 4
    assert broken(office.engine) == []


def test_what_a_person_wants_said_again_does_not_wait_for_the_hour(small: Office) -> None:
    _pay(small, range(2, 13))
    small.day()
    (Path(small.resources.settings.policy)).write_text(policy_text(rest="[limits]\nmessages_an_hour = 1"))
    again = resend(small.resources, "INV-0001", by="person:test", why="asked for it", kind=INVOICE_OVERDUE)
    assert again.state == S.PLANNED
    assert [said.state for said in small.tells([numbered(1)])] == [S.ACCEPTED]
    assert len(small.phones.heard) == 2
