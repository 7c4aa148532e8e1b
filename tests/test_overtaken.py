"""A run that stood still while another took over: what the other has told is not touched any more."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from duebell.keys import INVOICE_OVERDUE, PAYMENT_RECEIVED
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import SEND_LEASE
from duebell.sending.giving_back import Said
from tests.support_facts import MOBILE, keep_contact, numbered, open_tenant
from tests.support_overdue import Office, a_payment, at, due, office_over

DUE = date(2026, 11, 2)  # a Monday
DAY = timedelta(days=1)
BOTH = [numbered(1), numbered(2)]


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    open_tenant(ledger)
    keep_contact(ledger)
    return office_over(ledger, tmp_path, at(DUE + DAY))


def overtaken(office: Office, kind: str, **change: object) -> Said:
    """A run claims one message about two invoices and stands still; another tells it; then the first of the
    invoices changes, and the run goes on. Returns what it says of its claim."""
    [mine] = office.claims(BOTH, "run 1", kind)
    office.later(seconds=SEND_LEASE.total_seconds() + 1)
    [theirs] = office.claims(BOTH, "run 2", kind)
    assert office.says(theirs).state == "accepted"
    office.keeps(1, **due(DUE, **change))
    return office.says(mine)


def test_a_payment_that_another_run_has_confirmed_is_not_confirmed_again(office: Office) -> None:
    for number in (1, 2):
        paid = [a_payment(number, 40, DUE)]
        office.keeps(number, **due(DUE, AmountDue=75, AmountPaid=40, Payments=paid))
    office.hears(1, 2)
    said = overtaken(office, PAYMENT_RECEIVED, AmountDue=115, AmountPaid=0, Payments=[])
    assert said.state == "accepted"
    office.later(minutes=1)
    office.nets()
    assert len([one for one in office.phones.to(MOBILE) if "we received" in one]) == 1
    assert broken(office.engine) == []


def test_a_stage_that_another_run_has_said_is_not_said_again(office: Office) -> None:
    office.keeps(1, 2, **due(DUE))
    office.sweeps()
    assert overtaken(office, INVOICE_OVERDUE, Status="PAID", AmountDue=0, AmountPaid=115).state == "accepted"
    for _ in range(5):
        office.later(days=1)
        office.day()
        office.nets()
    assert len(office.phones.to(MOBILE)) == 1
    assert broken(office.engine) == []
