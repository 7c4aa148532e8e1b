"""Nobody is written to at an address that was read too long ago: it is read again, or the message waits."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest
from prefect.logging import disable_run_logger
from sqlalchemy import Engine

from duebell.books.bursts import BurstReader
from duebell.books.calls import Purpose
from duebell.books.read_in_time import FRESH, not_in_time
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import notifications
from duebell.ledger.engine import reading
from duebell.ledger.notifications import Claim, Owed
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.policy.verdict import Send
from duebell.resources import using
from duebell.sending.giving_back import Said
from duebell.sending.telling import tell
from duebell.showing.reporting import in_words
from tasks import _prefect
from tasks.messages import send
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MOBILE,
    OTHER_CONTACT,
    RULES,
    TENANT,
    resources_over,
)
from tests.support_lists import Polling, no_pace
from tests.test_faults_sending import accepting

ANOTHER = "+64217654321"
TWO_HOURS = timedelta(hours=2)
Answer = Callable[[httpx.Request], httpx.Response | None]


@pytest.fixture
def books(sqlite_ledger: Engine) -> Polling:
    """An invoice whose contact lists and single reads only name."""
    books = Polling(sqlite_ledger)
    books.xero.contact(Phones=[{"PhoneType": "MOBILE", "PhoneNumber": MOBILE}])
    books.xero.contact(OTHER_CONTACT)
    books.xero.invoice(INVOICE, Contact={"ContactID": CONTACT})
    books.poll()
    return books


def claimed(books: Polling, recipient: str = f"contact:{CONTACT}") -> Claim:
    with writing(books.engine, books.clock.now) as book:
        if recipient.startswith("contact"):
            rows = plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], RULES, actor="test", flow_run_id=None)
        else:
            key = f"{TENANT}:{INVOICE_ISSUED}:{INVOICE}::{recipient}"
            owed = Owed(key, TENANT, INVOICE_ISSUED, INVOICE, INVOICE, recipient, None)
            rows = [notifications.plan(book, owed, Send(MOBILE), actor="test", flow_run_id=None)]
        [claim] = notifications.claim_all(book, rows, "run")
    return claim


def look_again(books: Polling, ids: Sequence[str]) -> dict[str, str]:
    reader = BurstReader(books.access(TENANT, Purpose.LOOK_AGAIN))
    return reader.look_again(list(ids), since=books.clock.now - FRESH).unread


def told(books: Polling, claim: Claim) -> tuple[Said, list[str]]:
    """What comes of it, and the numbers that were written to."""
    posted: list[str] = []
    resources = resources_over(books.engine, books.clock, twilio=accepting(posted))
    said = tell(resources, claim, lambda _tenant, ids, _since: look_again(books, ids), flow_run_id="run")
    return said, [to for one in posted for to in parse_qs(one)["To"]]


def names_it(request: httpx.Request) -> bool:
    return CONTACT in request.url.params.get("IDs", "")


def not_served(request: httpx.Request) -> httpx.Response | None:
    return httpx.Response(500, json={}) if names_it(request) else None


def gone(request: httpx.Request) -> httpx.Response | None:
    return httpx.Response(200, json={"Contacts": []}) if names_it(request) else None


@pytest.mark.parametrize(
    ("answer", "why"),
    [(not_served, "Xero answered 500 to GET"), (gone, "Xero knows no such record")],
    ids=["not served", "gone"],
)
def test_a_message_whose_contact_cannot_be_read_waits_with_what_xero_said_of_it(
    books: Polling, answer: Answer, why: str
) -> None:
    books.clock.now += TWO_HOURS
    claim = claimed(books)
    books.xero.instead = answer
    # As a run does it: one step reads, a later one tells, and finds the invoice fresh.
    assert why in look_again(books, [INVOICE])[INVOICE]
    said, numbers = told(books, claim)
    assert (said.state, numbers) == ("held", [])
    assert "its contact could not be read: " in in_words(said.reason)
    assert why in in_words(said.reason)


def test_once_its_contact_can_be_read_it_goes_to_the_number_of_now(books: Polling) -> None:
    books.clock.now += TWO_HOURS
    claim = claimed(books)
    books.xero.contact(Phones=[{"PhoneType": "MOBILE", "PhoneNumber": ANOTHER}], updated=None)
    said, numbers = told(books, claim)
    assert (said.state, said.reason, numbers) == ("accepted", "", [ANOTHER])


def test_an_invoice_that_is_fresh_does_not_make_its_contact_fresh(books: Polling) -> None:
    books.clock.now += TWO_HOURS
    claim = claimed(books)
    with reading(books.engine) as session:
        assert not_in_time(session, claim, books.clock.now) == {INVOICE: ""}
    books.xero.instead = not_served
    look_again(books, [INVOICE])
    with reading(books.engine) as session:
        assert not_in_time(session, claim, books.clock.now) == {INVOICE: "its contact was not read in time"}
    books.xero.instead = lambda _request: None
    look_again(books, [INVOICE])
    with reading(books.engine) as session:
        assert not_in_time(session, claim, books.clock.now) == {}


def test_a_team_hears_of_an_invoice_though_its_contact_cannot_be_read(books: Polling) -> None:
    books.clock.now += TWO_HOURS
    claim = claimed(books, "team:accounts")
    books.xero.instead = not_served
    look_again(books, [INVOICE])
    with reading(books.engine) as session:
        assert not_in_time(session, claim, books.clock.now) == {}


def test_who_is_left_after_a_merge_is_known_as_lately_as_any_contact(books: Polling) -> None:
    books.xero.contact(OTHER_CONTACT, Phones=[{"PhoneType": "MOBILE", "PhoneNumber": MOBILE}])
    books.xero.contact(ContactStatus="ARCHIVED", MergedToContactID=OTHER_CONTACT)
    look_again(books, [INVOICE])
    books.clock.now += TWO_HOURS
    claim = claimed(books)
    books.xero.contact(OTHER_CONTACT, Phones=[{"PhoneType": "MOBILE", "PhoneNumber": ANOTHER}], updated=None)
    said, numbers = told(books, claim)
    assert (said.state, numbers) == ("accepted", [ANOTHER])


def test_a_message_whose_invoice_xero_knows_no_more_waits_with_that_as_its_reason(
    books: Polling, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.clock.now += TWO_HOURS
    claim = claimed(books)
    del books.xero.rows["Invoices"][INVOICE]
    monkeypatch.setattr(_prefect, "pace_of", no_pace)
    with disable_run_logger(), using(books.resources):
        said = send.fn(claim)
    assert (said.state, said.reason) == ("held", "read_too_old:Xero knows no such record")
