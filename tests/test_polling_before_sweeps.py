"""What polling finds is announced before a sweep may remind of it."""

import httpx
import pytest
from sqlalchemy import Engine

from duebell.books.reading import XeroReader
from duebell.ledger import snapshots
from tests.support_facts import INVOICE, TENANT
from tests.support_lists import Polling


def test_no_invoice_is_kept_before_its_event_so_that_no_sweep_comes_first(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = Polling(ledger)
    books.xero.invoice()
    seen: list[set[str]] = []

    def kept(request: httpx.Request) -> None:
        if "Contacts" in request.url.path:
            seen.append(set(snapshots.invoices(books.engine, TENANT, [INVOICE])))

    def dies(*_: object, **__: object) -> None:
        raise SystemExit

    books.xero.instead = kept
    with monkeypatch.context() as patch:
        patch.setattr(XeroReader, "save_invoices", dies)
        with pytest.raises(SystemExit):
            books.poll()
    told = ("INVOICE", INVOICE, "poll")
    assert (seen[0], books.inbox()) == (set(), [told])
    books.xero.instead = lambda _request: None
    assert books.poll(minutes=1).found == 0
    assert (set(snapshots.invoices(books.engine, TENANT, [INVOICE])), books.inbox()) == ({INVOICE}, [told])
