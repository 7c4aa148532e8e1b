"""A 403 of Xero's: an organisation is closed only where Xero lists it no more, whatever was asked."""

import json
from dataclasses import replace
from datetime import datetime

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books.access import XeroAccess
from duebell.books.calls import Purpose
from duebell.errors import Postponed, RoleMissing, TenantDisconnected, Transient
from duebell.ledger import calls, closings, tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit
from tests.support_calls import Desk, too_many
from tests.support_facts import NOW, OTHER_TENANT, TENANT

FORBIDDEN = httpx.Response(403, json={"Title": "Forbidden", "Detail": "AuthenticationUnsuccessful"})


def asks(desk: Desk, purpose: Purpose = Purpose.EVENTS) -> None:
    access = desk.access(purpose=purpose)
    access.ask(access.client.organisation)


def no_refresh(_access: XeroAccess, *, over: datetime | None = None) -> datetime | None:
    return over


def state(desk: Desk, tenant_id: str = TENANT) -> str:
    return tenants.get(desk.engine, tenant_id).state


@pytest.fixture
def desk(ledger: Engine) -> Desk:
    """Xero forbids the organisation's own record, and nothing else."""
    desk = Desk(ledger, TENANT, OTHER_TENANT)
    desk.xero.refuse = lambda path: FORBIDDEN if path.endswith("/Organisation") else None
    return desk


def test_what_the_role_of_the_user_does_not_allow_closes_nothing_and_says_whose_it_is(desk: Desk) -> None:
    with pytest.raises(RoleMissing) as problem:
        asks(desk)
    assert "403 to GET /api.xro/2.0/Organisation, though the organisation is connected" in str(problem.value)
    assert "give that user a role that does, or run `duebell connect`" in str(problem.value)
    assert state(desk) == "connected"
    desk.call()
    assert tenants.take_drain(desk.engine, TENANT, "run", now=NOW) is not None


def test_an_organisation_that_xero_lists_no_more_is_closed_and_its_neighbour_is_not(desk: Desk) -> None:
    desk.xero.connected.discard(TENANT)
    for _ in range(2):
        with pytest.raises(TenantDisconnected, match="connect it again"):
            asks(desk)
    assert (state(desk), state(desk, OTHER_TENANT)) == ("disconnected", "connected")
    with reading(desk.engine) as session:
        (entry,) = session.exec(select(Audit).where(Audit.action == "tenant disconnected")).all()
    assert "answered 403" in json.loads(entry.details)["why"]


@pytest.mark.parametrize("listed", [True, False])
def test_the_same_holds_of_a_403_after_a_token_that_ended_early(
    desk: Desk,
    listed: bool,  # noqa: FBT001 - given by name
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [FORBIDDEN, httpx.Response(401)]
    desk.xero.refuse = lambda path: answers.pop() if path != "/connections" and answers else None
    monkeypatch.setattr(XeroAccess, "refresh", no_refresh)
    if not listed:
        desk.xero.connected.discard(TENANT)
    with pytest.raises(RoleMissing if listed else TenantDisconnected):
        asks(desk)
    assert answers == []
    assert state(desk) == ("connected" if listed else "disconnected")


@pytest.mark.parametrize(
    "unheard",
    [
        httpx.Response(500),
        httpx.Response(504),
        httpx.Response(401),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"not": "a list"}),
        too_many("appminute", 30),
        FORBIDDEN,
    ],
)
def test_where_xero_does_not_say_what_is_connected_nothing_is_closed_and_it_is_tried_again(
    desk: Desk, unheard: httpx.Response
) -> None:
    desk.xero.connected.clear()
    desk.xero.refuse = lambda path: unheard if path == "/connections" else FORBIDDEN
    with pytest.raises(Transient, match="whether the organisation was disconnected is not known") as problem:
        asks(desk)
    assert not isinstance(problem.value, Postponed)
    assert state(desk) == "connected"


def test_asking_what_is_connected_counts_for_no_organisation_and_waits_for_none(desk: Desk) -> None:
    desk.xero.connected.discard(TENANT)
    desk.xero.settings = replace(desk.xero.settings, day_limit=1)
    with pytest.raises(TenantDisconnected):
        asks(desk, Purpose.POLL)  # whose turn at the day's last calls is over by now
    assert [(row.endpoint, row.calls) for row in calls.of_day(desk.engine, TENANT, "2026-11-20")] == [
        ("Organisation", 1)
    ]


def test_each_closing_is_told_once_and_a_new_one_again(desk: Desk) -> None:
    def told() -> tuple[str, ...]:
        return closings.newly_closed(desk.engine, desk.clock)

    assert told() == ()
    for _ in range(2):
        for one in (OTHER_TENANT, TENANT):
            tenants.disconnect(desk.engine, one, "403", now=NOW)
        assert told() == (TENANT, OTHER_TENANT)
        assert told() == ()
        with desk.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE tenant SET state = 'connected'")
    assert told() == ()
