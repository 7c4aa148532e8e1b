"""Of the records that are asked for Xero cannot serve one: it alone waits, and is named with the reason."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.books import allocations
from duebell.books.bursts import BurstReader
from duebell.books.calls import Purpose
from duebell.books.portions import MOST_UNSERVED, Portions
from duebell.books.read_in_time import FRESH
from duebell.books.reading import Reading
from duebell.errors import BadAnswer, DuebellError, NotServed, Permanent, Rejected, Transient
from duebell.ledger import awaiting, inbox, notifications, snapshots, trail
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.notifications import Owed
from duebell.ledger.tables import Notification, XeroEvent
from duebell.ledger.writing import writing
from duebell.model import Invoice
from duebell.planning import contacts_in_step, draining
from duebell.planning.draining import MOST_ATTEMPTS
from duebell.policy.verdict import Send
from duebell.sending.giving_back import Said
from duebell.sending.resending import read_first
from duebell.sending.telling import tell
from duebell.showing import explaining
from duebell.showing.reporting import in_words
from duebell.xero.parse import parse_invoice_body
from duebell.xero.records import Record, Records, record_id
from tests.support_facts import (
    CONTACT,
    MINUTE,
    MOBILE,
    OTHER_CONTACT,
    RULES,
    TENANT,
    invoice_body,
    numbered,
)
from tests.support_lists import Polling

GOOD, ILL = numbered(1), numbered(2)
WHY = "Xero does not serve this record"
CREDIT = "eeeeeeee-2222-4333-8444-555555555555"
HOW = [500, 503, 504, 400, "a control character"]


class Served:
    """Invoices that are read by their ids, of which Xero fails at some; ``asked`` is what was asked for."""

    def __init__(self, ill: Sequence[str], problem: DuebellError, passes_after: int = 1_000) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._ill, self._problem, self._passes_after = ill, problem, passes_after

    def read(self, ids: tuple[str, ...]) -> Records[Invoice]:
        self.asked.append(ids)
        if len(self.asked) <= self._passes_after and any(one in self._ill for one in ids):
            raise self._problem
        return Records(good=tuple(Record(parse_invoice_body(invoice_body(one)), "{}") for one in ids))


ALL = tuple(numbered(number) for number in range(50))
OTHER = numbered(99)
SERVER_ERROR = NotServed("Xero answered 500 to GET /api.xro/2.0/Invoices")


def others(_unserved: tuple[str, ...]) -> Sequence[str]:
    return [OTHER]


@pytest.mark.parametrize("problem", [SERVER_ERROR, Rejected("Xero answered 400"), BadAnswer("not JSON")])
@given(ill=st.sets(st.sampled_from(ALL), max_size=4))
def test_whatever_few_are_not_served_each_is_named_and_all_others_come(
    problem: DuebellError, ill: set[str]
) -> None:
    xero = Served(sorted(ill), problem)
    found = Portions(xero.read, others).of(ALL)
    assert [record_id(one.value) for one in found.good] == [one for one in ALL if one not in ill]
    assert {one.record_id: one.reason for one in found.bad} == dict.fromkeys(ill, f"{WHY}: {problem}")
    assert len(xero.asked) <= 1 + 16 * len(ill)


@pytest.mark.parametrize("ids", [ALL, ALL[:2], ALL[:1]])
def test_where_xero_serves_nothing_its_problem_is_raised_after_one_more_call(ids: tuple[str, ...]) -> None:
    xero = Served([*ALL, OTHER], SERVER_ERROR)
    with pytest.raises(NotServed):
        Portions(xero.read, others).of(ids)
    assert xero.asked == [ids, (OTHER,)]


def test_where_nobody_else_can_be_asked_for_no_record_is_blamed() -> None:
    xero = Served(ALL[:1], SERVER_ERROR)
    with pytest.raises(NotServed):
        Portions(xero.read).of(ALL)
    assert len(xero.asked) == 1


@pytest.mark.parametrize("ids", [ALL, ALL[:1]])
def test_a_failure_that_passes_makes_no_record_a_bad_one(ids: tuple[str, ...]) -> None:
    xero = Served(ids, SERVER_ERROR, passes_after=1)
    found = Portions(xero.read, others).of(ids)
    assert (len(found.good), found.bad) == (len(ids), ())


def test_where_most_of_them_are_not_served_the_calls_end() -> None:
    xero = Served(ALL[::2], SERVER_ERROR)
    with pytest.raises(NotServed):
        Portions(xero.read, others).of(ALL)
    assert len(xero.asked) < 4 * MOST_UNSERVED


@pytest.mark.parametrize("problem", [Transient("ConnectError"), Permanent("an id is no UUID")])
def test_what_is_no_answer_about_records_is_asked_for_once(problem: DuebellError) -> None:
    xero = Served(ALL[:1], problem)
    with pytest.raises(type(problem)):
        Portions(xero.read, others).of(ALL)
    assert len(xero.asked) == 1


@pytest.fixture
def books(sqlite_ledger: Engine) -> Polling:
    books = Polling(sqlite_ledger)
    books.xero.contact(Phones=[{"PhoneType": "MOBILE", "PhoneNumber": MOBILE}])
    for one in (GOOD, ILL):
        books.xero.invoice(one, Contact=books.xero.rows["Contacts"][CONTACT])
    return books


def fails_at(books: Polling, how: int | str, *names: str) -> Callable[[httpx.Request], httpx.Response | None]:
    """An answer of this kind to whatever names one of these, by its id or by its list."""

    def instead(request: httpx.Request) -> httpx.Response | None:
        if not any(name in str(request.url) for name in names):
            return None
        if isinstance(how, int):
            return httpx.Response(how, json={"ErrorNumber": 0})
        whole = books.xero.answer(request).content
        return httpx.Response(200, content=whole.replace(b'"Status"', b'"Sta\ttus"'))

    return instead


def rings(books: Polling, *resource_ids: str, category: str = "INVOICE") -> None:
    now = books.clock.now
    news = [NewEvent(TENANT, category, one, "UPDATE", now.isoformat(), now) for one in resource_ids]
    inbox.keep(books.engine, news, [], now=now)


def drain(books: Polling) -> Reading | None:
    """What a drain does with what it can claim now; nothing where that is nothing."""
    events = inbox.claim(books.engine, TENANT, now=books.clock.now, most=200)
    if not events:
        return None
    access = books.access(TENANT, Purpose.EVENTS)
    reader, since = BurstReader(access), max(event.received_at for event in events)
    ids = {
        category: [event.resource_id for event in events if event.category == category]
        for category in ("INVOICE", "CONTACT")
    }
    read, contacts = reader.changed(ids["INVOICE"], since=since), reader.contacts(ids["CONTACT"], since=since)
    waiting = allocations.read_concerned(access, events)
    whole = Reading(0, read.read + contacts.read, (), read.bad + contacts.bad + waiting)
    with writing(books.engine, books.clock.now) as book:
        contacts_in_step.hand_over(book, TENANT, events, whole)
    with writing(books.engine, books.clock.now) as book:
        draining.record_changes(book, TENANT, events, whole, RULES, flow_run_id="run")
        allocations.close(book, events, dict(whole.bad))
    return whole


def stands(books: Polling) -> dict[str, tuple[str, str]]:
    with reading(books.engine) as session:
        rows = session.exec(select(XeroEvent)).all()
    return {row.resource_id: (row.state, row.outcome) for row in rows}


def drain_on(books: Polling) -> int:
    """Drain for two hours whenever there is something to claim; returns how often."""
    drains = 0
    for _ in range(30):
        drains += drain(books) is not None
        books.clock.now += 4 * MINUTE
    return drains


@pytest.mark.parametrize("how", HOW)
def test_the_event_of_an_invoice_that_is_not_served_holds_up_no_other_and_is_given_up_in_the_end(
    books: Polling, how: int | str
) -> None:
    books.xero.instead = fails_at(books, how, ILL)
    rings(books, ILL, GOOD)
    drain(books)
    assert stands(books)[GOOD] == ("handled", "invoice issued")
    assert stands(books)[ILL][0] == "pending"
    assert drain_on(books) == MOST_ATTEMPTS - 1
    state, outcome = stands(books)[ILL]
    assert state == "handled"
    assert outcome.startswith(f"given up: {WHY}: ")
    [last] = [one for one in trail.entries(books.engine, ILL, 100) if one.action == "event given up"]
    assert outcome.removeprefix("given up: ") in last.details
    assert outcome in explaining.explain(books.resources, ILL).heading


def test_an_outage_makes_no_event_count_as_looked_at(books: Polling) -> None:
    rings(books, GOOD)
    drain(books)
    books.clock.now += MINUTE
    rings(books, ILL)
    books.xero.instead = lambda _request: httpx.Response(503)
    with pytest.raises(NotServed):
        drain(books)
    assert stands(books)[ILL] == ("pending", "")
    books.xero.instead = lambda _request: None
    books.clock.now += timedelta(hours=1)
    drain(books)
    assert stands(books)[ILL] == ("handled", "invoice issued")


def test_the_event_of_a_contact_that_is_not_served_holds_up_no_other(books: Polling) -> None:
    books.xero.contact(OTHER_CONTACT)
    books.xero.instead = fails_at(books, 500, OTHER_CONTACT)
    rings(books, OTHER_CONTACT, CONTACT, category="CONTACT")
    drain(books)
    assert stands(books)[CONTACT] == ("handled", "contact read anew; nothing waits for it")
    assert stands(books)[OTHER_CONTACT][0] == "pending"
    assert drain_on(books) == MOST_ATTEMPTS - 1
    assert stands(books)[OTHER_CONTACT][1].startswith(f"given up: {WHY}: ")


def test_of_an_invoice_whose_contact_is_not_served_it_is_said_that_it_is_the_contact(books: Polling) -> None:
    ids = [numbered(number) for number in range(1, 5)]
    books.xero.contact(OTHER_CONTACT)
    for one in ids:
        books.xero.invoice(one, Contact={"ContactID": OTHER_CONTACT if one == ILL else CONTACT})
    books.xero.instead = fails_at(books, 500, OTHER_CONTACT)
    rings(books, *ids)
    drain(books)
    assert stands(books)[GOOD] == ("handled", "invoice issued")
    state, outcome = stands(books)[ILL]
    assert state == "pending"
    assert outcome.startswith(f"its contact could not be read: {WHY}: ")


def test_the_event_of_a_credit_whose_list_is_not_served_waits_and_holds_up_no_other(books: Polling) -> None:
    books.xero.instead = fails_at(books, 500, "order=UpdatedDateUTC")
    rings(books, GOOD)
    rings(books, CREDIT, category="CREDITNOTE")
    drain(books)
    assert stands(books)[GOOD] == ("handled", "invoice issued")
    assert stands(books)[CREDIT] == ("pending", "Xero answered 500 to GET /api.xro/2.0/Invoices")
    books.clock.now += timedelta(hours=1)
    with pytest.raises(NotServed):
        drain(books)
    books.xero.instead = lambda _request: None
    books.clock.now += timedelta(hours=1)
    drain(books)
    assert stands(books)[CREDIT][0] == "handled"


def test_where_the_list_of_a_burst_is_not_served_its_invoices_are_read_by_their_ids(books: Polling) -> None:
    ids = [numbered(number) for number in range(60)]
    for one in ids:
        books.xero.invoice(one)
    rings(books, *ids)
    books.xero.instead = fails_at(books, 500, "order=UpdatedDateUTC")
    drain(books)
    assert {state for state, _ in stands(books).values()} == {"handled"}


def owe(books: Polling, *ids: str) -> None:
    """Messages about these are due."""
    books.poll()
    with writing(books.engine, books.clock.now) as book:
        for one in ids:
            key = f"{TENANT}:invoice_issued:{one}::contact:{CONTACT}"
            owed = Owed(key, TENANT, "invoice_issued", one, one, f"contact:{CONTACT}", CONTACT)
            notifications.plan(book, owed, Send(MOBILE), actor="test", flow_run_id=None)
    books.clock.now += 15 * MINUTE


def look_again(books: Polling, *ids: str) -> Reading:
    reader = BurstReader(books.access(TENANT, Purpose.LOOK_AGAIN))
    return reader.look_again(list(ids), since=books.clock.now - FRESH)


@pytest.mark.parametrize("how", HOW)
def test_a_message_is_looked_at_again_beside_one_that_waits_and_is_not_served(
    books: Polling, how: int | str
) -> None:
    owe(books, GOOD, ILL)
    books.xero.instead = fails_at(books, how, ILL)
    assert look_again(books, GOOD).bad == ()
    assert snapshots.invoices(books.engine, TENANT, [GOOD])[GOOD].read_at == books.clock.now


def told_of(books: Polling, invoice_id: str) -> Notification:
    with reading(books.engine) as session:
        return session.exec(select(Notification).where(col(Notification.invoice_id) == invoice_id)).one()


def test_the_message_of_an_invoice_that_is_not_served_waits_with_what_xero_said(books: Polling) -> None:
    owe(books, GOOD, ILL)
    books.xero.instead = fails_at(books, 500, ILL)
    with writing(books.engine, books.clock.now) as book:
        [claim] = notifications.claim_all(book, [told_of(books, ILL)], "run")

    def read_again(_tenant: str, ids: Sequence[str], _since: object) -> dict[str, str]:
        return dict(look_again(books, *ids).bad)

    said: Said = tell(books.resources, claim, read_again, flow_run_id="run")
    row = told_of(books, ILL)
    assert (said.state, row.state) == ("held", "held")
    assert f"{WHY}: Xero answered 500 to GET" in in_words(row.reason)
    [person] = explaining.explain(books.resources, ILL).people
    assert f"{WHY}: Xero answered 500 to GET" in person.stands
    # Until its time no other run reads it along.
    now = books.clock.now
    waiting = awaiting.messages(books.engine, TENANT, before=now + MINUTE, now=now)
    assert [one.invoice_id for one in waiting] == [GOOD]


def test_of_a_known_invoice_it_is_told_that_a_change_of_it_could_not_be_read(books: Polling) -> None:
    rings(books, GOOD, ILL)
    drain(books)
    books.clock.now += MINUTE
    rings(books, ILL)
    books.xero.instead = fails_at(books, 500, ILL)
    drain(books)
    last = explaining.explain(books.resources, ILL).happened[-1]
    assert last.at == books.clock.now
    assert last.what.startswith(f"Xero told of a change that could not be read: {WHY}")


def test_nothing_is_sent_again_about_an_invoice_that_cannot_be_read_first(books: Polling) -> None:
    rings(books, GOOD, ILL)
    drain(books)
    books.clock.now += 5 * MINUTE
    books.xero.instead = fails_at(books, 500, ILL)
    with pytest.raises(Permanent, match=r"could not be read from Xero now.*Xero answered 500"):
        read_first(books.resources, ILL, lambda tenant_id: books.access(tenant_id, Purpose.RESEND))
