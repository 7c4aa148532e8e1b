"""What is asked all day is answered from the few rows that wait, however much was ever said."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, Engine, event

from deployments.receiver.net import Net
from deployments.receiver.parts import Patience
from deployments.receiver.prefect_rest import PrefectPlace, PrefectRest
from duebell import watching
from duebell.ledger import awaiting, inbox, unsettled
from duebell.ledger.engine import reading
from tests.support_facts import NOW, TENANT, open_tenant

GROW = ("attempt", "audit", "contact", "invoice", "leg", "notification", "receipt", "xero_event")
THROUGH_ALL = re.compile(
    rf"SCAN ({'|'.join(GROW)})\b(?! USING INDEX ix_(notification_dispatch|xero_event_waiting))"
)
OF_ALL_OF_A_TENANT = re.compile(
    rf"SEARCH ({'|'.join(GROW)}) USING (?!INDEX ix_xero_event_waiting).*\(tenant_id=\?( AND category=\?)?\)"
)


def looks_of_the_net(engine: Engine) -> None:
    place = PrefectPlace("http://prefect/api", transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    Net(engine, PrefectRest(place), lambda: NOW, Patience(), lambda: frozenset({"twilio", "xero"})).look()


def looks_of_settle(engine: Engine) -> None:
    watching.due(engine, NOW)
    with reading(engine) as session:
        unsettled.unsettled(session, now=NOW)
        unsettled.held_too_long(session, NOW)
        unsettled.unconfirmed(session, after=NOW - timedelta(hours=1), before=NOW)


def reads_for_all(engine: Engine) -> None:
    awaiting.events(engine, TENANT)
    awaiting.messages(engine, TENANT, before=NOW, now=NOW)
    inbox.claim(engine, TENANT, now=NOW, most=50)


@pytest.mark.parametrize("asks", [looks_of_the_net, looks_of_settle, reads_for_all])
def test_sqlite_goes_through_no_table_that_grows(
    sqlite_ledger: Engine, asks: Callable[[Engine], None]
) -> None:
    open_tenant(sqlite_ledger)
    asked: list[tuple[str, Any]] = []

    def note(_: Connection, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    event.listen(sqlite_ledger, "before_cursor_execute", note)
    asks(sqlite_ledger)
    event.remove(sqlite_ledger, "before_cursor_execute", note)
    plans = [(statement, plan_of(sqlite_ledger, statement, values)) for statement, values in asked]
    assert len(plans) > 3
    slow = [(one, plan) for one, plan in plans if THROUGH_ALL.search(plan) or OF_ALL_OF_A_TENANT.search(plan)]
    assert slow == []


def plan_of(engine: Engine, statement: str, values: Any) -> str:
    """How SQLite would answer a statement; empty for what is not one of rows."""
    if not statement.startswith(("SELECT", "UPDATE", "DELETE")):
        return ""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    return "\n".join(row[3] for row in rows)
