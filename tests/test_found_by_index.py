"""What is asked all day is answered from the few rows that wait, however much was ever said."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, Engine, event

from deployments.receiver.net import Net
from deployments.receiver.parts import Patience
from deployments.receiver.prefect_rest import PrefectPlace, PrefectRest
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import awaiting, inbox, polls, unsettled
from duebell.ledger.engine import reading
from duebell.ledger.polls import FoundBy, News
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.settling import watching
from tests.prove_ledger import measured
from tests.support_facts import NOW, TENANT, keep_contact, numbered, open_tenant, sid
from tests.support_overdue import due, office_over

GROW = ("attempt", "audit", "contact", "invoice", "leg", "notification", "receipt", "xero_event")
THROUGH_ALL = re.compile(
    rf"SCAN ({'|'.join(GROW)})\b(?! USING INDEX ix_(notification_dispatch|xero_event_waiting))"
)
OF_ALL_OF_A_TENANT = re.compile(
    rf"SEARCH ({'|'.join(GROW)}) USING (?!INDEX ix_xero_event_waiting).*\(tenant_id=\?( AND category=\?)?\)"
)

FIRST_OR_LAST = re.compile(r"FROM audit ORDER BY audit.sequence( DESC)?\s+LIMIT")
"""By the key of the table itself: SQLite calls it a scan, and ends it after the first row."""


def looks_of_the_net(engine: Engine, _: Path) -> None:
    place = PrefectPlace("http://prefect/api", transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    Net(engine, PrefectRest(place), lambda: NOW, Patience(), lambda: frozenset({"twilio", "xero"})).look()


def looks_of_settle(engine: Engine, _: Path) -> None:
    watching.due(engine, NOW)
    with reading(engine) as session:
        unsettled.unsettled(session, now=NOW)
        unsettled.held_too_long(session, NOW)
        unsettled.unconfirmed(session, after=NOW - timedelta(hours=1), before=NOW)


def reads_for_all(engine: Engine, _: Path) -> None:
    awaiting.events(engine, TENANT)
    awaiting.messages(engine, TENANT, before=NOW, now=NOW)
    inbox.claim(engine, TENANT, now=NOW, most=50)


def events_that_come(engine: Engine, folder: Path) -> None:
    office = office_over(engine, folder, NOW)
    office.keeps(1, **due(NOW.date()))
    office.hears(1)
    polls.keep_news(
        engine, TENANT, [News("INVOICE", numbered(1), "{}", NOW)], FoundBy.LIST, received_at=NOW, now=NOW
    )
    inbox.claimed_by(engine, "run 1")


def messages_that_are_told(engine: Engine, folder: Path) -> None:
    office = office_over(engine, folder, NOW, email_from="bills@kauri.example")
    keep_contact(engine)
    office.keeps(1, **due(NOW.date() + timedelta(days=20)))
    office.keeps(2, **due(NOW.date() - timedelta(days=3), DateString="2026-10-01T00:00:00"))
    said = [*office.tells([numbered(1)], INVOICE_ISSUED), *office.tells([numbered(2)])]
    assert {one.state for one in said} == {"accepted"}
    keep_receipt(engine, NewReceipt(sid(1), "delivered", None, None, "{}"), now=NOW)


@pytest.mark.parametrize(
    "asks",
    [looks_of_the_net, looks_of_settle, reads_for_all, events_that_come, messages_that_are_told],
)
def test_sqlite_goes_through_no_table_that_grows(
    sqlite_ledger: Engine, tmp_path: Path, asks: Callable[[Engine, Path], None]
) -> None:
    open_tenant(sqlite_ledger)
    asked: list[tuple[str, Any]] = []

    def note(_: Connection, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    event.listen(sqlite_ledger, "before_cursor_execute", note)
    asks(sqlite_ledger, tmp_path)
    event.remove(sqlite_ledger, "before_cursor_execute", note)
    plans = [(statement, plan_of(sqlite_ledger, statement, values)) for statement, values in asked]
    assert len(plans) > 3
    slow = [(one, plan) for one, plan in plans if THROUGH_ALL.search(plan) or OF_ALL_OF_A_TENANT.search(plan)]
    assert [one for one in slow if not FIRST_OR_LAST.search(one[0])] == []


def plan_of(engine: Engine, statement: str, values: Any) -> str:
    """How SQLite would answer a statement; empty for what is not one of rows."""
    if not statement.startswith(("SELECT", "UPDATE", "DELETE")):
        return ""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    return "\n".join(row[3] for row in rows)


def test_what_a_message_costs_behind_others_can_be_measured() -> None:
    assert all(seconds > 0 for seconds in measured("sqlite", 30).values())
