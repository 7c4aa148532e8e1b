"""The customers' credit that waits in Xero: what is read of it, when, and for how many calls."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books import unallocated
from duebell.books.calls import Purpose
from duebell.errors import Transient
from duebell.ledger import credits
from duebell.ledger.engine import reading
from duebell.ledger.inbox import ClaimedEvent
from duebell.ledger.merges import survivors
from duebell.ledger.tables import Audit, CreditReading
from tests.support_facts import CONTACT, NOW, OTHER_CONTACT, TENANT, numbered, resources_over
from tests.support_lists import IDS, Polling

CREDIT = "eeeeeeee-2222-4333-8444-555555555555"
TYPES = {
    "CreditNotes": "ACCRECCREDIT",
    "Prepayments": "RECEIVE-PREPAYMENT",
    "Overpayments": "RECEIVE-OVERPAYMENT",
}
DAY = timedelta(days=1)


@pytest.fixture
def books(ledger: Engine) -> Polling:
    """A tenant with one customer."""
    books = Polling(ledger)
    books.xero.contact()
    return books


def credit(books: Polling, plural: str = "Overpayments", credit_id: str = CREDIT, **fields: Any) -> None:
    """An overpayment of 50 that waits, or a change of it."""
    usual: dict[str, Any] = {
        "Type": TYPES[plural], "Status": "AUTHORISED", "RemainingCredit": 50, "CurrencyCode": "NZD",
        "Contact": {"ContactID": CONTACT},
    }  # fmt: skip
    books.xero.put(plural, **(usual | {IDS[plural]: credit_id} | fields))


def reads(books: Polling, **age: float) -> int:
    """Have it, at most so old."""
    access = books.access(TENANT, Purpose.LOOK_AGAIN)
    return unallocated.have(access, since=books.clock.now - timedelta(**age))


def waits(books: Polling) -> dict[str, Decimal]:
    with reading(books.engine) as session:
        found = credits.balances(session, TENANT, survivors(session, TENANT, [CONTACT]))
    return dict(found[CONTACT].credit) if found else {}


@pytest.mark.parametrize("plural", TYPES)
def test_what_waits_is_known_after_one_call_a_list(books: Polling, plural: str) -> None:
    credit(books, plural)
    credit(books, plural, numbered(1), Type="ACCPAYCREDIT")
    credit(books, plural, numbered(2), Status="PAID")
    assert reads(books) == 3
    assert waits(books) == {"NZD": 50}
    assert len(books.xero.asked) == 3
    assert reads(books, minutes=5) == 0
    assert len(books.xero.asked) == 3


THEIRS = [
    ("Prepayments", "RECEIVE-PREPAYMENT"), ("Prepayments", "ARPREPAYMENT"),
    ("Overpayments", "RECEIVE-OVERPAYMENT"), ("Overpayments", "AROVERPAYMENT"),
]  # fmt: skip
"""Each word by which Xero's interface description calls a customer's."""


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("plural", "type_"), THEIRS)
def test_it_is_a_customers_by_either_of_xeros_words(
    sqlite_ledger: Engine, plural: str, type_: str, *, whole: bool
) -> None:
    books = Polling(sqlite_ledger)
    books.xero.contact()
    credit(books, plural, numbered(1), Type="SPEND-PREPAYMENT")
    if not whole:
        reads(books)
        books.clock.now += timedelta(minutes=30)
    credit(books, plural, Type=type_)
    assert reads(books) == 3
    assert waits(books) == {"NZD": 50}


def test_after_that_only_what_changed_is_asked_for(books: Polling) -> None:
    credit(books)
    reads(books)
    books.clock.now += timedelta(minutes=30)
    credit(books, RemainingCredit=0, Status="PAID")
    asked = len(books.xero.asked)
    assert reads(books) == 3
    assert all("if-modified-since" in one.headers for one in books.xero.asked[asked:])
    assert len(books.xero.asked) == asked + 3
    assert waits(books) == {}


def test_polling_reads_it_once_an_hour_and_all_of_it_once_a_day(books: Polling) -> None:
    credit(books)
    for _ in range(4):
        books.poll(minutes=15)
    assert len(books.xero.calls("Overpayments")) == 1
    books.poll(minutes=15)
    assert len(books.xero.calls("Overpayments")) == 2
    credit(books, RemainingCredit=0, Status="PAID", updated=None)  # its time stands still
    books.poll(minutes=60)
    assert waits(books) == {"NZD": 50}
    books.clock.now = NOW + DAY
    books.poll()
    assert waits(books) == {}


def test_a_credit_that_slips_between_two_pages_of_the_whole_list_still_waits(books: Polling) -> None:
    another = {"ContactID": OTHER_CONTACT}
    credit(books, "CreditNotes", numbered(1), Contact=another)
    for number in range(2, 6):
        credit(books, "CreditNotes", numbered(number), RemainingCredit=number)
    reads(books)
    books.poll(minutes=60)
    books.xero.largest = 2

    def one_is_used_up(request: httpx.Request) -> None:
        is_whole = request.url.path.endswith("/CreditNotes") and "where" in request.url.params
        if is_whole and request.url.params["page"] == "2":
            credit(books, "CreditNotes", numbered(1), Contact=another, RemainingCredit=0, Status="PAID")

    books.xero.instead = one_is_used_up
    books.clock.now = NOW + DAY
    books.poll()
    assert waits(books) == {"NZD": 2 + 3 + 4 + 5}


def test_what_could_not_be_read_in_the_morning_is_read_whole_by_the_next_poll(books: Polling) -> None:
    credit(books)
    reads(books)
    books.poll(minutes=60)
    credit(books, RemainingCredit=0, Status="PAID", updated=None)  # its time stands still
    books.clock.now = NOW + DAY

    def away(request: httpx.Request) -> httpx.Response | None:
        is_whole = request.url.path.endswith("/Overpayments") and "where" in request.url.params
        return httpx.Response(503) if is_whole else None

    books.xero.instead = away
    with pytest.raises(Transient):
        books.poll()
    books.xero.instead = lambda _request: None
    books.poll()
    assert waits(books) == {}


def test_a_policy_that_ignores_credit_costs_no_call(books: Polling, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text("[invoice_overdue]\ncredit = 'ignore'\n")
    books.resources = resources_over(books.engine, books.clock, xero=books.xero, DUEBELL_POLICY=str(file))
    assert reads(books) == 0
    assert books.xero.asked == []


def test_without_the_scope_of_payments_credit_notes_are_read_alone_and_that_is_written_down_once(
    ledger: Engine,
) -> None:
    books = Polling(ledger, scopes=("accounting.invoices.read",))
    credit(books)
    credit(books, "CreditNotes", numbered(1), RemainingCredit=7)
    assert (reads(books), reads(books, minutes=-1)) == (1, 1)
    assert waits(books) == {"NZD": 7}
    with reading(ledger) as session:
        noted = session.exec(select(Audit).where(Audit.subject_type == "tenant")).all()
    assert [one.action for one in noted] == ["payments cannot be polled"]


def test_the_event_of_a_credit_has_its_list_read_and_no_other(books: Polling) -> None:
    reads(books)
    books.clock.now += timedelta(minutes=1)
    credit(books, "Prepayments")
    now, asked = books.clock.now, len(books.xero.asked)
    event = ClaimedEvent(1, 1, "PREPAYMENT", CREDIT, now, 1)
    assert unallocated.read_changed(books.access(TENANT, Purpose.EVENTS), [event]) == 1
    assert [one.url.path.rsplit("/", 1)[-1] for one in books.xero.asked[asked:]] == ["Prepayments"]
    assert waits(books) == {"NZD": 50}


def test_currencies_stand_apart_and_what_was_merged_counts_for_who_is_left(books: Polling) -> None:
    credit(books)
    credit(books, "Prepayments", numbered(1), CurrencyCode="AUD", RemainingCredit=3)
    credit(books, "CreditNotes", numbered(2), Contact={"ContactID": OTHER_CONTACT}, RemainingCredit=4)
    credit(books, "CreditNotes", numbered(3), Contact={"ContactID": numbered(4)}, RemainingCredit=5)
    books.xero.contact(OTHER_CONTACT, ContactStatus="ARCHIVED", MergedToContactID=CONTACT)
    books.xero.contact(numbered(4), ContactStatus="ARCHIVED", MergedToContactID=OTHER_CONTACT)
    books.poll()
    assert waits(books) == {"NZD": 59, "AUD": 3}


def test_what_a_clock_that_was_ahead_has_read_is_read_again_by_the_right_one(books: Polling) -> None:
    credit(books)
    ahead = 10 * 60
    books.clock.now += timedelta(seconds=ahead)
    reads(books, seconds=60)
    books.clock.now -= timedelta(seconds=ahead)
    credit(books, RemainingCredit=20, updated=None)
    assert reads(books, seconds=60) == 3
    assert reads(books, seconds=60) == 0
    with reading(books.engine) as session:
        assert {row.read_at for row in session.exec(select(CreditReading)).all()} == {books.clock.now}
