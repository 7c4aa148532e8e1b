"""A run writes each message by itself: what was taken away under one of them stops no other."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.logging import disable_run_logger
from sqlalchemy import Engine

from duebell.errors import TemplateProblem
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, PAYMENT_RECEIVED
from duebell.ledger import snapshots
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import Claim
from duebell.resources import using
from duebell.sending import telling
from duebell.sending.giving_back import Said
from duebell.sending.telling import tell
from duebell.xero.parse import parse_invoice_body
from tasks.messages import render
from tests.support_facts import (
    CONTACT,
    MOBILE,
    OTHER_CONTACT,
    OTHER_MOBILE,
    TENANT,
    keep_contact,
    numbered,
    open_tenant,
)
from tests.support_overdue import Office, a_payment, at, due, office_over, policy_text

TODAY = date(2026, 11, 3)
NOBODY = "eeeeeeee-2222-4333-8444-555555555555"
"""A contact that was never read."""


@pytest.fixture
def office(sqlite_ledger: Engine, tmp_path: Path) -> Iterator[Office]:
    """Two customers, on a day on which the invoices of October are overdue."""
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger)
    keep_contact(sqlite_ledger, OTHER_CONTACT, OTHER_MOBILE, Name="Nikau Test Limited")
    office = office_over(sqlite_ledger, tmp_path, at(TODAY), policy_text())
    with using(office.resources), disable_run_logger():
        yield office


def keeps(office: Office, number: int, contact_id: str = CONTACT, *, paid: int = 0, **fields: Any) -> None:
    """An invoice of today that was due yesterday, with a payment of so much."""
    payments = [a_payment(number, paid, TODAY)] if paid else []
    day = {"DateString": f"{TODAY}T00:00:00"}
    owed = {"AmountPaid": paid, "AmountDue": 115 - paid, "Payments": payments}
    usual = due(TODAY - timedelta(days=1)) | day | owed
    office.keeps(number, **(usual | {"Contact": {"ContactID": contact_id}} | fields))


def claimed(office: Office, kind: str, *numbers: int) -> list[Claim]:
    """What a run takes of these invoices, whose events were handled."""
    office.hears(*numbers)
    return office.claims([numbered(one) for one in numbers], kind=kind)


def told(office: Office, claims: Sequence[Claim]) -> list[tuple[str, str]]:
    """The rest of the run: every text, and then every message."""
    said: list[Said] = [
        tell(office.resources, one, _not_needed, flow_run_id="run 1") for one in render.fn(list(claims))
    ]
    assert broken(office.engine) == []
    return [(one.state, one.reason) for one in said]


def _not_needed(_tenant_id: str, _invoice_ids: Sequence[str], _since: datetime) -> None:
    raise AssertionError("the invoices were read a moment ago")


def removed(office: Office, number: int) -> None:
    """The payment is taken off again."""
    office.later(seconds=5)
    keeps(office, number)


def handed_on(office: Office, number: int) -> None:
    """The invoice is addressed to a contact that nobody has read yet."""
    office.later(seconds=5)
    fields = json.loads(office.books[numbered(number)])
    body = json.dumps(fields | {"Contact": {"ContactID": NOBODY}})
    pairs = [(parse_invoice_body(body), body)]
    snapshots.save_invoices(office.engine, TENANT, pairs, read_at=office.clock.now)


GONE: list[tuple[str, int, Callable[[Office, int], None], str]] = [
    (PAYMENT_RECEIVED, 20, removed, "payment_removed"),
    (PAYMENT_RECEIVED, 20, handed_on, "no_contact"),
    (INVOICE_ISSUED, 0, handed_on, "no_contact"),
    (INVOICE_OVERDUE, 0, handed_on, "no_contact"),
]


@pytest.mark.parametrize(("kind", "paid", "take", "reason"), GONE)
def test_what_was_taken_away_after_it_was_claimed_is_left_unsaid_and_the_others_are_told(
    office: Office, kind: str, paid: int, take: Callable[[Office, int], None], reason: str
) -> None:
    # Of an old one nobody is told that it was issued, for which a reminder would wait.
    day = {"DateString": "2026-09-01T00:00:00"} if kind == INVOICE_OVERDUE else {}
    keeps(office, 1, paid=paid, **day)
    keeps(office, 2, OTHER_CONTACT, paid=paid, **day)
    if kind == INVOICE_OVERDUE:
        office.sweeps()
    claims = claimed(office, kind, 1, 2)
    take(office, 1)
    assert told(office, claims) == [("skipped", reason), ("accepted", "")]
    assert (office.phones.to(MOBILE), len(office.phones.to(OTHER_MOBILE))) == ([], 1)


def test_of_what_one_message_tells_the_rest_is_told_without_what_was_taken_away(office: Office) -> None:
    for number in (1, 2, 3):
        keeps(office, number, paid=20)
    [claim] = claimed(office, PAYMENT_RECEIVED, 1, 2, 3)
    removed(office, 2)
    assert told(office, [claim]) == [("accepted", "")]
    assert "$40.00 for invoices INV-0001, INV-0003" in office.phones.to(MOBILE)[0]


def test_where_all_that_one_message_tells_was_taken_away_the_other_messages_go_out(office: Office) -> None:
    for number in (1, 2):
        keeps(office, number, paid=20)
    keeps(office, 3, OTHER_CONTACT, paid=20)
    claims = claimed(office, PAYMENT_RECEIVED, 1, 2, 3)
    removed(office, 1)
    removed(office, 2)
    assert told(office, claims) == [("skipped", "payment_removed"), ("accepted", "")]
    assert office.phones.to(MOBILE) == []


def test_it_is_told_once_the_payment_is_entered_anew(office: Office) -> None:
    keeps(office, 1, paid=20)
    claims = claimed(office, PAYMENT_RECEIVED, 1)
    removed(office, 1)
    told(office, claims)
    office.later(minutes=1)
    keeps(office, 1, paid=20, Payments=[a_payment(9, 20, TODAY)])
    office.runs(office.hears(1))
    assert len(office.phones.to(MOBILE)) == 1


def test_a_text_that_fails_in_an_unforeseen_way_keeps_no_other_from_being_told(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeps(office, 1)
    keeps(office, 2, OTHER_CONTACT)
    first, second = claimed(office, INVOICE_ISSUED, 1, 2)
    write_text = telling.write_text

    def fails(*given: Any, **named: Any) -> str:
        if given[2].notification_id == first.notification_id:
            raise ZeroDivisionError
        return write_text(*given, **named)

    monkeypatch.setattr(telling, "write_text", fails)
    assert render.fn([first, second]) == [first, second]
    assert told(office, [second]) == [("accepted", "")]
    with pytest.raises(ZeroDivisionError):
        tell(office.resources, first, _not_needed, flow_run_id="run 1")
    monkeypatch.undo()
    office.later(minutes=2)  # its lease lapses, and another run takes it
    assert [said.state for said in office.tells([numbered(1)], INVOICE_ISSUED)] == ["accepted"]
    assert broken(office.engine) == []


def test_a_template_that_cannot_say_it_is_held_and_the_others_are_told(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeps(office, 1)
    keeps(office, 2, OTHER_CONTACT)
    first, second = claimed(office, INVOICE_ISSUED, 1, 2)
    write_text = telling.write_text

    def fails(*given: Any, **named: Any) -> str:
        if given[2].notification_id == first.notification_id:
            raise TemplateProblem("invoice_issued/en/sms.txt: no such field")
        return write_text(*given, **named)

    monkeypatch.setattr(telling, "write_text", fails)
    assert told(office, [first, second]) == [("accepted", "")]
    assert office.phones.to(MOBILE) == []
