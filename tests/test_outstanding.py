"""What doctor and the UI name for a person to decide on: everything that the message told of."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from deployments import doctor_sending
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.outstanding import outstanding
from duebell.ledger.tables import Attempt
from duebell.sending.resending import resend
from tests.support_facts import PARKED, conclude, keep_contact, open_tenant
from tests.support_overdue import Office, at, due, office_over

DUE = date(2026, 11, 2)
DAY = timedelta(days=1)


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    """One message about three invoices, of which nobody knows whether it went out."""
    open_tenant(ledger)
    keep_contact(ledger)
    office = office_over(ledger, tmp_path, at(DUE + DAY))
    office.keeps(1, 2, 3, **due(DUE))
    office.phones.answer = 500
    office.day()
    return office


def named(office: Office) -> list[tuple[str, str]]:
    """The invoices that are named, each with how its message stands."""
    with reading(office.engine) as session:
        return [(one.invoice, one.state) for one in outstanding(session, now=office.clock.now)]


def is_parked(office: Office) -> None:
    """The search for it has come to its end."""
    with reading(office.engine) as session:
        [attempt] = session.exec(select(Attempt)).all()
    conclude(office.engine, PARKED, attempt.attempt_id, now=office.clock.now)


def again(office: Office, number: str) -> None:
    """A person has it said again."""
    resend(office.resources, number, by="person:test", why="it did not arrive", kind=INVOICE_OVERDUE)


def test_a_message_about_several_invoices_is_left_to_a_person_until_each_was_said_again(
    office: Office,
) -> None:
    """Else who has the one said again that is named never learns that others were told with it."""
    is_parked(office)
    assert named(office) == [("INV-0001", "parked"), ("INV-0002", "parked"), ("INV-0003", "parked")]
    again(office, "INV-0001")
    assert named(office) == [("INV-0002", "parked"), ("INV-0003", "parked")]
    again(office, "INV-0003")
    again(office, "INV-0002")
    assert named(office) == []
    assert broken(office.engine) == []


def test_while_it_is_looked_for_it_is_one_message(office: Office) -> None:
    assert named(office) == [("INV-0001", "unknown")]


def said_by_doctor(office: Office) -> list[tuple[str, bool]]:
    """What doctor says of messages that nobody knows of, and whether that is sound."""
    findings = doctor_sending.look(office.resources)
    return [
        (one.said.partition(": ")[2], one.sound)
        for one in findings
        if "may not" in one.what or "person" in one.what
    ]


def test_doctor_names_the_message_itself_and_not_another_one_about_its_invoice(office: Office) -> None:
    """`duebell resend INV-0001` alone would announce the invoice once more."""
    is_parked(office)
    again(office, "INV-0003")
    [(said, sound)] = said_by_doctor(office)
    assert not sound
    assert said == (
        "look in Twilio's log for each, then `duebell settle` with the SID of one that is there "
        "(of an email comms_email_…), and have said again what is not: "
        "`duebell resend INV-0001 --kind invoice_overdue --stage overdue@2026-11-02`, "
        "`duebell resend INV-0002 --kind invoice_overdue --stage overdue@2026-11-02`"
    )


def test_a_message_to_a_team_is_nothing_that_a_person_can_have_said_again(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger, Phones=[])
    office = office_over(sqlite_ledger, tmp_path, at(DUE + 14 * DAY))
    office.keeps(1, **due(DUE))
    office.phones.answer = 500
    office.day()
    is_parked(office)
    assert said_by_doctor(office) == [("`duebell explain` says of what", True)]
