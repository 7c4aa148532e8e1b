"""An address that passes from a person at the customer to the customer, or back, hears nothing twice."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import select

from duebell.deciding.deciding import Basis, Rules, decide, subjects_of
from duebell.deciding.known import known_of
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, PAYMENT_RECEIVED, address_hash
from duebell.ledger import legs
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Notification
from duebell.ledger.told_at_address import Told
from duebell.ledger.writing import writing
from duebell.model import ContactPerson
from duebell.planning.contacts_in_step import bring_in_step
from duebell.policy.reaching import Way
from duebell.policy.verdict import Skip
from duebell.sending.looking_again import NotNow, look_again
from duebell.sending.resending import resend
from duebell.sending.telling import rules_of
from duebell.states import AttemptState, NotificationState, Sending
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
    TENANT,
    Hand,
    a_contact,
    an_invoice,
    begin,
    claim,
    conclude,
    keep_contact,
    keep_invoice,
    open_tenant,
    policy,
    receipt,
    resources_over,
)
from tests.support_overdue import Office, a_payment, at, due, office_over
from tests.support_words import Business
from tests.test_contact_persons import (
    ANA,
    BEN,
    BOTH,
    BY_BOTH,
    MAIN,
    SHIPPED,
    keep,
    person,
    planned,
    reason,
    sent,
    told,
)
from tests.test_verdicts_kept import recalled

S = NotificationState
DUE = date(2026, 11, 19)
BY_EMAIL = Rules(policy(channels=["email"]), Sending.LIVE)
BY_ALL = BY_BOTH.replace("[invoice_issued]", '[invoice_issued]\nchannels = ["sms", "email"]')
FAR = date(2026, 12, 31)


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    """A customer without a number and an address, where one further person is told."""
    office = office_over(
        ledger, tmp_path, at(DUE + timedelta(days=1)), BY_ALL, email_from="bills@kauri.example"
    )
    open_tenant(ledger)
    reads(office, "")
    return office


def reads(office: Office, email: str, *numbers: str) -> None:
    """The customer, with the person, as Xero has it from now on."""
    phones = [{"PhoneType": "MOBILE", "PhoneNumber": one} for one in numbers]
    fields: dict[str, Any] = {"EmailAddress": email, "Phones": phones, "ContactPersons": [person(ANA)]}
    keep_contact(office.engine, read_at=office.clock.now, **fields)


def in_step(office: Office) -> None:
    """What follows from the contact's change, told to its end."""
    with writing(office.engine, office.clock.now) as book:
        step = bring_in_step(book, TENANT, [CONTACT], rules_of(office.resources), flow_run_id=None)
    office.runs(step.runs)


def issued(office: Office) -> None:
    office.keeps(1, 2, **due(FAR))
    office.runs([run for run in office.hears(1, 2) if run.kind == INVOICE_ISSUED])


def paid(office: Office) -> None:
    issued(office)
    office.later(minutes=1)
    for number in (1, 2):
        office.keeps(number, AmountDue=100, Payments=[a_payment(number, 15, DUE)], **due(FAR))
    office.runs([run for run in office.hears(1, 2) if run.kind == PAYMENT_RECEIVED])


def overdue(office: Office) -> None:
    office.keeps(1, 2, **due(DUE))
    office.day()


def customers_rows(office: Office, kind: str) -> set[tuple[str, str]]:
    with reading(office.engine) as session:
        rows = session.exec(select(Notification).where(Notification.kind == kind)).all()
    return {(row.state, row.reason) for row in rows if row.recipient == f"contact:{CONTACT}"}


@pytest.mark.parametrize(
    ("happens", "kind"), [(issued, INVOICE_ISSUED), (paid, PAYMENT_RECEIVED), (overdue, INVOICE_OVERDUE)]
)
def test_a_person_s_address_that_is_entered_at_the_customer_hears_of_nothing_again(
    office: Office, happens: Callable[[Office], None], kind: str
) -> None:
    happens(office)
    assert {to for to, _ in office.phones.heard} == {ANA}
    heard = len(office.phones.heard)
    office.later(hours=1)
    reads(office, ANA.upper())
    in_step(office)
    assert customers_rows(office, kind) == {(S.SKIPPED, "address_told")}
    office.later(days=1)
    office.nets()
    assert len(office.phones.heard) == heard
    reads(office, MAIN)
    in_step(office)
    assert office.phones.to(MAIN), "the customer's own address is owed it still"
    assert broken(office.engine) == []
    assert all(one.again == one.said for one in recalled(office.engine))


def test_who_has_a_number_too_is_told_by_it(office: Office) -> None:
    issued(office)
    office.later(hours=1)
    reads(office, ANA, MOBILE)
    in_step(office)
    assert sorted({to for to, _ in office.phones.heard}) == [MOBILE, ANA]
    assert customers_rows(office, INVOICE_ISSUED) == {(S.ACCEPTED, "")}


@pytest.fixture
def books(ledger: Engine) -> Engine:
    """An issued invoice of a customer with a mobile, an address, and one further person."""
    open_tenant(ledger)
    keep_invoice(ledger)
    keep(ledger, person(ANA))
    return ledger


def came_back(engine: Engine) -> None:
    """The customer's SMS and the person's email went out, and the SMS came back."""
    planned(engine)
    sent(engine, 1)
    sent(engine, 2)
    keep_receipt(engine, receipt("undelivered", 1, code=30005), now=NOW + 6 * MINUTE)


def test_an_email_that_takes_over_from_an_sms_is_not_sent_where_a_person_had_it(books: Engine) -> None:
    came_back(books)
    keep(books, person(ANA), minute=10, EmailAddress=ANA)
    tomorrow = NOW + timedelta(hours=25)
    taken = claim(books, 1, now=tomorrow)
    assert taken is not None
    with writing(books, tomorrow) as book:
        found = look_again(book, taken, known_of(book.session, TENANT, [INVOICE]), BOTH)
    assert found == NotNow(S.SKIPPED, "address_told", None)


def test_an_email_that_takes_over_is_left_out_as_soon_as_the_contact_is_read(books: Engine) -> None:
    came_back(books)
    keep(books, person(ANA), minute=10, EmailAddress=ANA)
    with writing(books, NOW + 10 * MINUTE) as book:
        assert bring_in_step(book, TENANT, [CONTACT], BOTH, flow_run_id=None).decided == 1
    assert (told(books)[0][2], reason(books, 1)) == (S.SKIPPED, "address_told")


def told_at(engine: Engine, address: str) -> None:
    """The customer is told at this address, which nobody planned for."""
    with writing(engine, NOW + MINUTE) as book:
        legs.tell_by(book.session, book.session.get_one(Notification, 1), "email", address)
    sent(engine, 1)


def test_a_person_does_not_hear_again_what_reached_the_customer_at_their_address(books: Engine) -> None:
    planned(books, BY_EMAIL)
    told_at(books, ANA)  # while it was the customer's own
    planned(books, BY_EMAIL, minute=9)
    assert (told(books)[1][2], reason(books)) == (S.SKIPPED, "address_told")


def test_a_re_send_that_a_person_asks_for_goes_to_the_address_all_the_same(books: Engine) -> None:
    keep(books, person(ANA), Phones=[], EmailAddress="")
    planned(books)
    sent(books, 2)
    keep(books, person(ANA), minute=1, Phones=[], EmailAddress=ANA)
    planned(books, minute=1)
    assert reason(books, 1) == "address_told"
    resources = resources_over(books, Hand(), DUEBELL_POLICY=str(SHIPPED), EMAIL_FROM="a@kauri.example")
    again = resend(resources, INVOICE, by="person:test", why="lost", kind=INVOICE_ISSUED)
    assert again.reason != "address_told"


def test_what_a_provider_refused_or_never_took_was_told_to_nobody(books: Engine) -> None:
    keep(books, person(ANA), Phones=[], EmailAddress="")
    planned(books)
    taken = claim(books, 2, now=NOW)
    assert taken is not None
    assert begin(books, taken, "a2", now=NOW) is not None
    conclude(books, Conclusion(AttemptState.REFUSED, S.GIVEN_UP, reason="twilio:1"), "a2")
    keep(books, person(ANA), minute=1, Phones=[], EmailAddress=ANA)
    assert planned(books, minute=1)[0][2] == S.PLANNED


PEOPLE = (MAIN, ANA, BEN, ANA.upper())


@given(
    st.sampled_from(("", *PEOPLE)),
    st.lists(st.sampled_from(PEOPLE)),
    st.lists(st.tuples(st.sampled_from(("", *PEOPLE)), st.sampled_from(PEOPLE))),
    st.sampled_from([["sms", "email"], ["email", "sms"], ["email"]]),
)
def test_no_address_is_written_to_that_heard_it_for_another(
    own: str, persons: list[str], went_out: list[tuple[str, str]], channels: list[str]
) -> None:
    those = tuple(ContactPerson("A", "B", one, included=True) for one in persons)
    whose = [("" if not one else address_hash(one), address_hash(at)) for one, at in went_out]
    known = replace(
        Business(contact=a_contact(email=own, persons=those), invoice=an_invoice()).known(1),
        told=tuple(Told(INVOICE_ISSUED, INVOICE, "", one, at) for one, at in whose),
    )
    rules = Rules(policy(channels=channels), Sending.LIVE)
    for subject in subjects_of(INVOICE_ISSUED, known, rules, NOW):
        verdict = decide(Basis(subject, known, rules, NOW, seen_at=NOW))
        others = {at for one, at in whose if one != subject.person}
        ways = () if isinstance(verdict, Skip) else (Way(verdict.channel, verdict.address), *verdict.others)
        assert others.isdisjoint(address_hash(one.address) for one in ways if one.channel == "email")
