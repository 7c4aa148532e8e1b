"""Two who note what Xero says of the same customers wait for each other, and neither dies of it."""

import json
from collections.abc import Callable, Sequence
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from sqlalchemy import Engine

from duebell.ledger import consent_lines, snapshots, wishes
from duebell.ledger.engine import reading
from duebell.ledger.tables import ContactWish
from duebell.ledger.writing import writing
from duebell.policy_file.policy import Policy
from duebell.preferences import wishes_in_xero
from duebell.preferences.mirroring import Consent, Source, Wish
from duebell.xero.parse import parse_contact_body
from tests.support_facts import MINUTE, MOBILE, NOW, OTHER_MOBILE, OTHER_TENANT, TENANT, counted, open_tenant

POLICY = Policy.model_validate(
    {"preferences": {"no_messages_groups": ["No texts"], "mirror_to_twilio": True}}
)
SENDER = "MG" + "1" * 32


def contact(number: int) -> str:
    return f"cccccccc-2222-4333-8444-{number:012d}"


@pytest.fixture
def books(ledger: Engine) -> Engine:
    """Two organisations share two customers, who stand in another order at each."""
    for tenant_id, numbers in ((TENANT, (MOBILE, OTHER_MOBILE)), (OTHER_TENANT, (OTHER_MOBILE, MOBILE))):
        open_tenant(ledger, tenant_id)
        for place, number in enumerate(numbers, start=1):
            body = json.dumps({
                "ContactID": contact(place), "ContactStatus": "ACTIVE",
                "Phones": [{"PhoneType": "MOBILE", "PhoneNumber": number}],
                "ContactGroups": [{"Name": "No texts"}],
                "UpdatedDateUTC": f"/Date({int(NOW.timestamp() * 1000)}+0000)/",
            })  # fmt: skip
            snapshots.save_contacts(ledger, tenant_id, [(parse_contact_body(body), body)], read_at=NOW)
    return ledger


def notes(engine: Engine, tenant_id: str) -> None:
    with writing(engine, NOW + MINUTE) as book:
        wishes_in_xero.note(book, tenant_id, [contact(1), contact(2)], POLICY)


def both(jobs: Sequence[Callable[[], object]]) -> list[str]:
    """Do these at once; returns what they died of."""
    died: list[str] = []

    def done(job: Callable[[], object]) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is what is asked for
            died.append(type(error).__name__)

    threads = [Thread(target=done, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return died


def held_up(monkeypatch: pytest.MonkeyPatch, after_first: Callable[[], object]) -> None:
    """Have each who notes wishes wait once it has noted its first."""
    real, once = wishes.said, set[int]()

    def said(book: Any, address: str, learned: Wish) -> Wish | None:
        found = real(book, address, learned)
        if id(book) not in once:
            once.add(id(book))
            after_first()
        return found

    monkeypatch.setattr(wishes, "said", said)


def meets(barrier: Barrier) -> Callable[[], None]:
    """Wait for the other, but not where the other waits for us by now."""

    def met() -> None:
        try:
            barrier.wait(1)
        except Exception:  # noqa: BLE001 -- it is held up by a lock, as it should be
            return

    return met


@pytest.mark.parametrize("is_known", [False, True])
def test_two_drains_that_meet_the_same_numbers_in_two_orders_both_end(
    books: Engine, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    if books.dialect.name == "sqlite":
        pytest.skip("it has one writer at a time")
    if is_known:
        notes(books, TENANT)
        with writing(books, NOW) as book:
            for number in sorted((MOBILE, OTHER_MOBILE)):
                wishes.said(
                    book, number, Wish(Consent.OPT_OUT, Source.XERO, NOW, "", tenants=frozenset({"t"}))
                )
    held_up(monkeypatch, meets(Barrier(2)))
    assert both([lambda: notes(books, TENANT), lambda: notes(books, OTHER_TENANT)]) == []
    with reading(books) as session:
        found = wishes.known(session, [MOBILE, OTHER_MOBILE])
    assert all({TENANT, OTHER_TENANT} <= one.tenants for one in found.values())
    assert len(found) == 2


def test_a_drain_and_the_laying_out_of_the_same_numbers_both_end(
    books: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if books.dialect.name == "sqlite":
        pytest.skip("it has one writer at a time")
    notes(books, OTHER_TENANT)
    has_one = Event()
    held_up(monkeypatch, lambda: (has_one.set(), Event().wait(0.5)))

    def lays_out() -> None:
        has_one.wait(60)
        with writing(books, NOW) as book:
            numbers = sorted((MOBILE, OTHER_MOBILE))
            consent_lines.lay_out(book, numbers, lambda _address, _wish: frozenset({SENDER}), "")

    assert both([lambda: notes(books, OTHER_TENANT), lays_out]) == []


def test_two_who_meet_a_contact_for_the_first_time_keep_it_once(
    books: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if books.dialect.name == "sqlite":
        pytest.skip("it has one writer at a time")
    held_up(monkeypatch, meets(Barrier(2)))
    assert both([lambda: notes(books, TENANT), lambda: notes(books, TENANT)]) == []
    assert counted(books, ContactWish) == 2
