"""Reading Xero under faults: killed anywhere, raced, lagging or given nonsense, nothing is lost or undone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from duebell.books.calls import Purpose
from duebell.books.reading import XeroReader
from duebell.errors import Transient
from duebell.ledger import inbox, polls, snapshots
from duebell.ledger.inbox import NewEvent
from duebell.xero.parse import parse_invoice_body
from tests.support_facts import INVOICE, MINUTE, NOW, TENANT, at_once, invoice_body, numbered
from tests.support_lists import WATCHED_FROM, Polling


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def books(ledger: Engine) -> Polling:
    return Polling(ledger)


def killed(*_: Any, **__: Any) -> None:
    raise Killed


@pytest.mark.parametrize("step", ["keep_news", "move_cursor"])
def test_f022_a_poll_that_is_killed_between_two_steps_finds_the_same_again_once(
    books: Polling, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    books.xero.invoice()
    books.xero.contact()
    with monkeypatch.context() as patch:
        patch.setattr(polls, step, killed)
        with pytest.raises(Killed):
            books.poll()
    assert books.tenant().invoices_cursor is None
    books.poll(minutes=1)
    books.poll(minutes=1)
    assert sorted(category for category, _, _ in books.inbox()) == ["CONTACT", "INVOICE"]


def test_f022_an_event_whose_drain_was_killed_before_it_read_comes_back(books: Polling) -> None:
    event = NewEvent(TENANT, "INVOICE", INVOICE, "UPDATE", "m", NOW)
    inbox.keep(books.engine, [event], [], now=NOW)
    assert len(inbox.claim(books.engine, TENANT, now=NOW, most=9)) == 1
    assert inbox.claim(books.engine, TENANT, now=NOW + MINUTE, most=9) == ()
    assert len(inbox.claim(books.engine, TENANT, now=NOW + 3 * MINUTE, most=9)) == 1


def test_f023_an_event_that_comes_while_its_invoice_is_read_has_it_read_again(books: Polling) -> None:
    books.xero.invoice()

    def edited_meanwhile(request: httpx.Request) -> httpx.Response | None:
        answer = books.xero.answer(request)
        books.clock.now += timedelta(seconds=1)
        books.xero.invoice(Reference="edited")
        event = NewEvent(TENANT, "INVOICE", INVOICE, "UPDATE", "m", books.clock.now)
        inbox.keep(books.engine, [event], [], now=books.clock.now)
        books.xero.instead = lambda _request: None
        return answer

    books.xero.instead = edited_meanwhile
    reader = XeroReader(books.access(TENANT, Purpose.EVENTS))
    reader.invoices([INVOICE], since=NOW)
    [event] = inbox.claim(books.engine, TENANT, now=books.clock.now, most=9)
    reader.invoices([INVOICE], since=event.received_at)
    assert snapshots.invoices(books.engine, TENANT, [INVOICE])[INVOICE].invoice.reference == "edited"


def save(engine: Engine, updated_at: datetime, read_at: datetime) -> None:
    body = invoice_body(updated_at=updated_at, Reference=f"as of {updated_at:%H:%M}")
    snapshots.save_invoices(engine, TENANT, [(parse_invoice_body(body), body)], read_at=read_at)


def reference(engine: Engine) -> str:
    return snapshots.invoices(engine, TENANT, [INVOICE])[INVOICE].invoice.reference


def test_f024_of_several_that_read_the_same_the_newest_state_stays(books: Polling) -> None:
    at_once(12, lambda one: save(books.engine, NOW + one % 5 * MINUTE, NOW + 10 * MINUTE))
    assert reference(books.engine) == f"as of {NOW + 4 * MINUTE:%H:%M}"


def test_f038_a_read_that_lags_behind_what_is_known_changes_nothing(books: Polling) -> None:
    save(books.engine, NOW + MINUTE, NOW)
    save(books.engine, NOW, NOW + 2 * MINUTE)
    assert reference(books.engine) == f"as of {NOW + MINUTE:%H:%M}"


def cut_short(books: Polling) -> Callable[[httpx.Request], httpx.Response]:
    def half(request: httpx.Request) -> httpx.Response:
        whole = books.xero.answer(request).content
        return httpx.Response(200, content=whole[: len(whole) // 2])

    return half


NONSENSE: dict[str, httpx.Response] = {
    "a web page": httpx.Response(200, html="<html>Bad Gateway</html>"),
    "an empty object": httpx.Response(200, json={}),
    "another list": httpx.Response(200, json={"Contacts": []}),
    "a list": httpx.Response(200, json=[]),
    "nothing": httpx.Response(204),
    "an empty body": httpx.Response(200),
    "null": httpx.Response(200, json={"Invoices": None}),
    "no change, unasked": httpx.Response(206, json={"Invoices": []}),
}


@pytest.mark.parametrize("nonsense", [*NONSENSE, "half of it"])
def test_f032_nonsense_is_an_error_to_try_again_and_never_no_invoices(books: Polling, nonsense: str) -> None:
    books.xero.invoice()
    given = NONSENSE.get(nonsense)
    books.xero.instead = cut_short(books) if given is None else lambda _request: given
    with pytest.raises(Transient):
        books.poll()
    assert (books.tenant().invoices_cursor, books.inbox()) == (None, [])
    books.xero.instead = lambda _request: None
    assert books.poll().found == 1


def test_f044_a_first_sync_that_is_killed_at_any_page_ends_when_it_is_made_again(books: Polling) -> None:
    books.xero.largest = 20
    for number in range(90):
        books.xero.invoice(numbered(number), updated=WATCHED_FROM - MINUTE)

    def kill_at(page: int) -> Callable[[httpx.Request], httpx.Response | None]:
        def at_page(request: httpx.Request) -> httpx.Response | None:
            if request.url.params.get("page") == str(page):
                raise Killed
            return None

        return at_page

    reader = XeroReader(books.access(TENANT, Purpose.FIRST_SYNC))
    for page in range(1, 6):
        books.xero.instead = kill_at(page)
        with pytest.raises(Killed):
            reader.first_sync(WATCHED_FROM)
        kept = snapshots.invoices(books.engine, TENANT, [numbered(number) for number in range(90)])
        assert len(kept) == 20 * (page - 1)
    books.xero.instead = lambda _request: None
    asked = len(books.xero.asked)
    assert reader.first_sync(WATCHED_FROM) == 90
    assert len(books.xero.asked) - asked == 5
    assert snapshots.never_compared(books.engine, TENANT) == []
    assert books.poll().found == 0
