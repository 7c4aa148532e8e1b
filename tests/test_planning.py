"""From what the ledger knows to what is owed: one notification a person and invoice, whatever changes."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from duebell.deciding.deciding import Rules
from duebell.deciding.known import known_of
from duebell.errors import ConfigurationError
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import preferences, snapshots
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import InvoiceSnapshot, Leg, Notification
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.states import NotificationState, Sending
from duebell.xero.parse import parse_invoice_body
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
    OTHER_CONTACT,
    OTHER_MOBILE,
    RULES,
    TENANT,
    accepted,
    at_once,
    begin,
    claim,
    conclude,
    counted,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    policy,
)

S = NotificationState


def planned(engine: Engine, *ids: str, rules: Rules = RULES) -> list[Notification]:
    with writing(engine, NOW) as book:
        rows = plan_kind(
            book, TENANT, INVOICE_ISSUED, ids or [INVOICE], rules, actor="test", flow_run_id="run 1"
        )
        for row in rows:
            book.session.expunge(row)
        return rows


def one_planned(engine: Engine, **more: Any) -> Notification:
    [row] = planned(engine, **more)
    return row


def with_invoice(engine: Engine, **fields: Any) -> None:
    open_tenant(engine)
    keep_invoice(engine, invoice_body(**fields))
    keep_contact(engine)


def address_of(engine: Engine) -> str:
    with writing(engine, NOW) as book:
        return book.session.get_one(Leg, 1).address


def test_an_issued_invoice_owes_its_contact_one_message(ledger: Engine) -> None:
    with_invoice(ledger)
    row = one_planned(ledger)
    assert row.key == f"{TENANT}:invoice_issued:{INVOICE}::contact:{CONTACT}"
    assert (row.state, address_of(ledger)) == (S.PLANNED, MOBILE)
    assert one_planned(ledger).notification_id == row.notification_id
    assert broken(ledger) == []


def test_plans_at_once_over_the_same_invoices_make_one_row_each(ledger: Engine) -> None:
    open_tenant(ledger)
    keep_contact(ledger)
    ids = [keep_invoice(ledger, invoice_body(numbered(number))) for number in range(8)]
    at_once(6, lambda worker: planned(ledger, *ids[:: 1 if worker % 2 else -1]))
    assert counted(ledger, Notification) == counted(ledger, Leg) == 8
    assert broken(ledger) == []


def test_reads_kept_at_once_in_any_order_never_wait_for_each_other(ledger: Engine) -> None:
    open_tenant(ledger)

    def keep(worker: int) -> None:
        for number in range(6)[:: 1 if worker % 2 else -1]:
            keep_invoice(ledger, invoice_body(numbered(number)), read_at=NOW + worker * MINUTE)
            keep_contact(ledger, read_at=NOW + worker * MINUTE)

    at_once(6, keep)
    with writing(ledger, NOW) as book:
        known = known_of(book.session, TENANT, [numbered(number) for number in range(6)])
    assert {one.read.read_at for one in known.values()} == {NOW + 5 * MINUTE}


def test_an_older_read_changes_nothing(ledger: Engine) -> None:
    with_invoice(ledger, Status="PAID", updated_at=NOW)
    keep_invoice(ledger, invoice_body(updated_at=NOW - MINUTE), read_at=NOW + MINUTE)
    keep_invoice(ledger, invoice_body(updated_at=NOW), read_at=NOW - MINUTE)
    assert one_planned(ledger).reason == "already_paid"


def test_a_read_whose_reader_stood_still_for_minutes_is_as_old_as_it_is(ledger: Engine) -> None:
    """It is kept after a later one, and where Xero moved no time it is told from that by its own alone."""
    with_invoice(ledger, Status="PAID", updated_at=NOW)
    keep_invoice(ledger, invoice_body(Status="PAID"), read_at=NOW + 3 * MINUTE)
    late = invoice_body()
    records = [(parse_invoice_body(late), late)]
    snapshots.save_invoices(ledger, TENANT, records, read_at=NOW + MINUTE, now=NOW + 4 * MINUTE)
    assert one_planned(ledger).reason == "already_paid"
    snapshots.save_invoices(ledger, TENANT, records, read_at=NOW + MINUTE, now=NOW + MINUTE)
    with reading(ledger) as session:
        assert session.get_one(InvoiceSnapshot, (TENANT, INVOICE)).body == late


def test_an_invoice_that_was_never_read_owes_nobody_anything_yet(ledger: Engine) -> None:
    open_tenant(ledger)
    assert planned(ledger, INVOICE) == []


def test_a_tenant_that_was_never_connected_is_a_mistake_of_the_setup(sqlite_ledger: Engine) -> None:
    with pytest.raises(ConfigurationError, match="duebell connect"):
        planned(sqlite_ledger)


def test_a_skip_is_kept_with_its_reason(ledger: Engine) -> None:
    open_tenant(ledger)
    keep_invoice(ledger)
    row = one_planned(ledger)
    assert (row.state, row.reason, row.not_before, row.dispatch_at) == (S.SKIPPED, "no_contact", None, None)


@pytest.mark.parametrize(
    ("sending", "ceiling", "state"),
    [
        ("live", Sending.LIVE, S.PLANNED),
        ("live", Sending.REVIEW, S.HELD),
        ("review", Sending.LIVE, S.HELD),
        ("live", Sending.ALLOWLIST, S.HELD),
    ],
)
def test_the_more_careful_of_tenant_and_ceiling_decides(
    sqlite_ledger: Engine, sending: str, ceiling: Sending, state: NotificationState
) -> None:
    open_tenant(sqlite_ledger, sending=sending)
    keep_invoice(sqlite_ledger)
    keep_contact(sqlite_ledger)
    assert one_planned(sqlite_ledger, rules=replace(RULES, ceiling=ceiling)).state == state


def test_a_held_one_is_decided_anew_and_takes_the_newest_number(ledger: Engine) -> None:
    with_invoice(ledger)
    closed = Rules(policy(opens="03:00", closes="03:01"), Sending.LIVE)
    assert one_planned(ledger, rules=closed).state == S.HELD
    keep_contact(ledger, mobile=OTHER_MOBILE, read_at=NOW + MINUTE)
    assert one_planned(ledger).state == S.PLANNED
    assert address_of(ledger) == OTHER_MOBILE


def test_a_held_one_is_skipped_once_it_is_no_longer_true(ledger: Engine) -> None:
    with_invoice(ledger)
    assert one_planned(ledger, rules=replace(RULES, ceiling=Sending.REVIEW)).state == S.HELD
    keep_invoice(ledger, invoice_body(Status="VOIDED", updated_at=NOW + MINUTE), read_at=NOW + MINUTE)
    row = one_planned(ledger)
    assert (row.state, row.reason) == (S.SKIPPED, "no_longer_valid")


def test_a_person_who_opts_out_between_two_plans_is_skipped(ledger: Engine) -> None:
    with_invoice(ledger)
    assert one_planned(ledger).state == S.PLANNED
    with writing(ledger, NOW) as book:
        preferences.refuse_address(book, MOBILE, "sms", preferences.OPTED_OUT, "STOP")
    assert (one_planned(ledger).state, one_planned(ledger).reason) == (S.SKIPPED, "opted_out")


@pytest.mark.parametrize("state", [S.HELD, S.ACCEPTED])
def test_an_invoice_whose_contact_was_merged_or_exchanged_is_told_of_once(
    ledger: Engine, state: NotificationState
) -> None:
    with_invoice(ledger)
    rules = replace(RULES, ceiling=Sending.REVIEW if state is S.HELD else Sending.LIVE)
    first = one_planned(ledger, rules=rules)
    if state is S.ACCEPTED:
        claimed = claim(ledger, first.notification_id or 0)
        assert claimed
        begin(ledger, claimed)
        conclude(ledger, accepted())
    moved = invoice_body(Contact={"ContactID": OTHER_CONTACT}, updated_at=NOW + MINUTE)
    keep_invoice(ledger, moved, read_at=NOW + MINUTE)
    keep_contact(ledger, OTHER_CONTACT, OTHER_MOBILE)
    again = one_planned(ledger)
    assert (again.key, counted(ledger, Notification)) == (first.key, 1)
    expected = (S.PLANNED, OTHER_CONTACT, OTHER_MOBILE) if state is S.HELD else (S.ACCEPTED, CONTACT, MOBILE)
    assert (again.state, again.contact_id, address_of(ledger)) == expected
    assert broken(ledger) == []
