"""When the net starts a run for what waits, and when it leaves it alone."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from duebell.ledger import dispatch, tenants
from duebell.ledger.notifications import Owed, plan
from duebell.ledger.tables import Tenant, TokenSet
from duebell.ledger.writing import writing
from duebell.policy.verdict import Send

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
ADDRESS = "+64211234567"


def waiting(ledger: Engine, tenant_id: str, *invoices: str, state: str = "connected") -> None:
    """A tenant with one planned notification an invoice."""
    with writing(ledger, NOW) as book:
        if book.session.get(TokenSet, "set") is None:
            book.session.add(TokenSet(token_set_id="set", grant="g", expires_at=NOW, refreshed_at=NOW))
            book.session.flush()
        book.session.add(Tenant(tenant_id=tenant_id, token_set_id="set", connected_at=NOW, state=state))
        for invoice in invoices:
            owed = Owed(
                f"{tenant_id}:{invoice}", tenant_id, "invoice_issued", invoice, invoice, "contact:c", "c"
            )
            plan(book, owed, Send(ADDRESS), actor="test", flow_run_id=None)


def test_what_waits_is_due_once_its_own_run_had_the_time_to_come(ledger: Engine) -> None:
    waiting(ledger, "A", "one", "two")

    assert dispatch.due(ledger, now=NOW) == ()
    (run,) = dispatch.due(ledger, now=LATER)
    assert (run.tenant_id, run.kind, run.invoice_ids) == ("A", "invoice_issued", ("one", "two"))


@pytest.mark.parametrize("scope", ["all", "A"])
def test_no_run_is_made_behind_the_brake(ledger: Engine, scope: str) -> None:
    waiting(ledger, "A", "one")
    tenants.set_brake(ledger, stopped=True, by="person:test", why="", scope=scope, now=NOW)
    assert dispatch.due(ledger, now=LATER) == ()

    tenants.set_brake(ledger, stopped=False, by="person:test", why="", scope=scope, now=NOW)
    assert len(dispatch.due(ledger, now=LATER)) == 1


def test_the_brake_of_one_tenant_holds_no_other(ledger: Engine) -> None:
    waiting(ledger, "A", "one")
    waiting(ledger, "B", "two")
    tenants.set_brake(ledger, stopped=True, by="person:test", why="", scope="A", now=NOW)

    assert [run.tenant_id for run in dispatch.due(ledger, now=LATER)] == ["B"]


def test_no_run_is_made_for_a_closed_or_parked_tenant(ledger: Engine) -> None:
    waiting(ledger, "A", "one", state="disconnected")
    waiting(ledger, "B", "two")
    tenants.park(ledger, "B", LATER + timedelta(hours=1), "the day's calls are used up", now=NOW)

    assert dispatch.due(ledger, now=LATER) == ()
    assert [run.tenant_id for run in dispatch.due(ledger, now=LATER + timedelta(hours=1))] == ["B"]


def test_a_tenant_with_very_many_waiting_starves_no_other(ledger: Engine) -> None:
    waiting(ledger, "A", *[f"invoice-{n}" for n in range(60)])
    waiting(ledger, "B", "two")

    runs = {run.tenant_id: run for run in dispatch.due(ledger, now=LATER, most=25)}

    assert len(runs["A"].invoice_ids) == 25
    assert runs["B"].invoice_ids == ("two",)
