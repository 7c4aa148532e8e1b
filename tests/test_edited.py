"""An invoice of which nobody was told for a slip in it: the edit that mends the slip has it decided anew."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books.reading import Reading
from duebell.deciding.deciding import Rules
from duebell.ledger import inbox
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.ledger.writing import writing
from duebell.planning import draining
from duebell.planning.contacts_in_step import bring_in_step
from duebell.states import Sending
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    NOW,
    OTHER_CONTACT,
    OTHER_MOBILE,
    TENANT,
    invoice_body,
    keep_contact,
    keep_invoice,
    open_tenant,
    policy,
)

TO_THE_RIGHT_ONE: dict[str, Any] = {"Contact": {"ContactID": OTHER_CONTACT}}
STAFF: dict[str, Any] = {"ContactGroups": [{"Name": "Staff", "Status": "ACTIVE"}]}


def rules_where(when: dict[str, Any]) -> Rules:
    """A policy that leaves unsaid what matches, and sends all else at any hour."""
    rule = {"when": when, "then": {"silence": True}}
    kind = {"opens": "00:00", "closes": "00:00"}
    return Rules(policy().model_validate({"invoice_issued": kind, "rule": [rule]}), Sending.LIVE)


RULES = rules_where({"reference": "internal*"})


def see(engine: Engine, minute: float, rules: Rules = RULES, **fields: Any) -> list[str]:
    """An event of the invoice, which stands so by then; returns the kinds of the runs that follow."""
    at = NOW + minute * MINUTE
    inbox.keep(engine, [NewEvent(TENANT, "INVOICE", INVOICE, "UPDATE", at.isoformat(), at)], [], now=at)
    keep_invoice(engine, invoice_body(updated_at=at, **fields), read_at=at)
    claimed = inbox.claim(engine, TENANT, now=at, most=10)
    with writing(engine, at) as book:
        runs = draining.record_changes(book, TENANT, claimed, Reading(0, 1), rules, flow_run_id=None)
    return [run.kind for run in runs]


def the_only(engine: Engine) -> tuple[str, str, str | None]:
    with reading(engine) as session:
        row = session.exec(select(Notification)).one()
    assert broken(engine) == []
    return row.state, row.reason, row.contact_id


@pytest.fixture
def open_ledger(ledger: Engine) -> Engine:
    """A live organisation with two contacts."""
    open_tenant(ledger)
    keep_contact(ledger)
    keep_contact(ledger, OTHER_CONTACT, OTHER_MOBILE)
    return ledger


@pytest.mark.parametrize(
    ("slip", "reason", "mended"),
    [
        ({"DateString": "2025-11-20T00:00:00"}, "too_old", {}),
        ({"Reference": "internal copy"}, "silenced_by_rule", {"Reference": "PO 77"}),
        ({"Reference": "internal copy"}, "silenced_by_rule", {"Reference": ""}),
    ],
)
def test_an_edit_of_the_invoice_that_mends_the_slip_has_it_announced_once(
    open_ledger: Engine, slip: dict[str, Any], reason: str, mended: dict[str, Any]
) -> None:
    assert see(open_ledger, 1, **slip) == []
    assert the_only(open_ledger)[:2] == ("skipped", reason)
    assert see(open_ledger, 5, **mended) == ["invoice_issued"]
    assert the_only(open_ledger) == ("planned", "", CONTACT)
    see(open_ledger, 7, **mended, Total=116)
    assert the_only(open_ledger) == ("planned", "", CONTACT)


@pytest.mark.parametrize(
    ("wrong", "reason"), [({"Phones": []}, "no_phone"), ({"ContactStatus": "ARCHIVED"}, "contact_closed")]
)
def test_an_invoice_that_is_addressed_to_the_right_contact_after_all_is_announced_to_that_one(
    open_ledger: Engine, wrong: dict[str, Any], reason: str
) -> None:
    keep_contact(open_ledger, CONTACT, read_at=NOW + MINUTE, **wrong)
    assert see(open_ledger, 2) == []
    state, why, contact_id = the_only(open_ledger)
    assert (state, why.split(":")[0], contact_id) == ("skipped", reason, CONTACT)
    assert see(open_ledger, 5, **TO_THE_RIGHT_ONE) == ["invoice_issued"]
    assert the_only(open_ledger) == ("planned", "", OTHER_CONTACT)


def test_an_edit_that_mends_nothing_leaves_it_unsaid_for_the_reason_that_holds_now(
    open_ledger: Engine,
) -> None:
    see(open_ledger, 1, DateString="2025-11-20T00:00:00")
    assert see(open_ledger, 5, Reference="internal copy") == []
    assert the_only(open_ledger)[:2] == ("skipped", "silenced_by_rule")


def test_what_is_mended_a_month_later_is_no_news_any_more(open_ledger: Engine) -> None:
    keep_contact(open_ledger, CONTACT, read_at=NOW + MINUTE, Phones=[])
    see(open_ledger, 2)
    late = timedelta(days=31) / MINUTE
    assert see(open_ledger, late, **TO_THE_RIGHT_ONE) == []
    assert the_only(open_ledger)[::2] == ("skipped", CONTACT)


def test_what_was_left_out_in_review_is_not_let_go_by_an_edit(ledger: Engine) -> None:
    open_tenant(ledger, sending=Sending.REVIEW)
    keep_contact(ledger)
    see(ledger, 1)
    with ledger.begin() as connection:
        connection.exec_driver_sql("UPDATE tenant SET sending = 'live'")
    assert see(ledger, 5, Reference="PO 77") == []
    assert the_only(ledger)[:2] == ("held", "in_review")


def test_a_customer_who_is_taken_out_of_a_silenced_group_is_told(ledger: Engine) -> None:
    open_tenant(ledger)
    keep_contact(ledger, **STAFF)
    rules = rules_where({"contact_group": ["Staff"]})
    see(ledger, 1, rules)
    assert the_only(ledger)[:2] == ("skipped", "silenced_by_rule")
    keep_contact(ledger, read_at=NOW + 2 * MINUTE)
    with writing(ledger, NOW + 3 * MINUTE) as book:
        bring_in_step(book, TENANT, [CONTACT], rules, flow_run_id=None)
    assert the_only(ledger)[:2] == ("planned", "")
