"""What nobody started is started by the net, once, and an idle ledger is left in peace."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select, update

from deployments.receiver.net import LONGEST_PAUSE, Net, Pause
from deployments.receiver.nudge import Nudges
from deployments.receiver.parts import Patience
from deployments.receiver.prefect_rest import PrefectRest
from duebell.ledger import inbox, tables, tenants
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.writing import writing
from tests.support_receiver import (
    INVOICE,
    NOW,
    TENANT,
    FakePrefect,
    MovableClock,
    add_attempt,
    add_notification,
    connect_tenant,
)

DRAIN = "process-xero-events/process-xero-events"
ISSUED = "invoice-issued/invoice-issued"
OVERDUE = "invoice-overdue/invoice-overdue"
SETTLE = "settle/settle"
DOWN = "Prefect does not answer: ConnectError; trying on"
UP = "Prefect does not answer: well again"


class Scene:
    """A net over a ledger with one tenant, a Prefect that holds state, and a clock."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.clock = MovableClock()
        self.prefect = FakePrefect()
        self.prefect.deploy(DRAIN, ISSUED, OVERDUE, SETTLE)
        self.rest = PrefectRest(self.prefect.place())
        self.net = Net(engine, self.rest, self.clock, Patience())
        connect_tenant(engine)

    def looks(self, count: int = 1) -> None:
        """Look once a second."""
        for _ in range(count):
            self.clock.move(seconds=1)
            self.net.look()

    def event(self) -> None:
        """One event comes in now."""
        event = inbox.NewEvent(TENANT, "INVOICE", INVOICE, "UPDATE", self.clock.now.isoformat(), None)
        inbox.keep(self.engine, [event], [], now=self.clock.now)

    def plan(self, key: str, **values: Any) -> None:
        """One notification is due now."""
        with writing(self.engine, self.clock.now) as book:
            add_notification(book.session, key, **values)

    def made(self) -> list[str]:
        """The keys of all runs, in the order in which they were made."""
        return list(self.prefect.runs)


@pytest.fixture
def scene(ledger: Engine) -> Scene:
    return Scene(ledger)


def test_an_idle_hour_makes_no_run(scene: Scene) -> None:
    scene.looks(5)
    scene.clock.move(hours=1)
    scene.looks(5)
    assert not scene.prefect.runs
    assert not scene.prefect.events


def test_an_event_that_waits_for_more_than_five_seconds_gets_one_drain(scene: Scene) -> None:
    scene.event()
    scene.looks(4)
    assert not scene.prefect.runs
    scene.looks(10)
    assert scene.prefect.runs == {
        f"drain:{TENANT}:1:2026-11-20T01:16": {
            "deployment": DRAIN,
            "parameters": {"tenant_id": TENANT},
            "idempotency_key": f"drain:{TENANT}:1:2026-11-20T01:16",
            "tags": [f"tenant:{TENANT}"],
        }
    }


def test_a_drain_that_came_to_nothing_is_made_again_in_the_next_minute(scene: Scene) -> None:
    scene.event()
    for _ in range(3):
        scene.looks(8)
        scene.clock.move(seconds=52)
    assert [key[-5:] for key in scene.made()] == ["01:16", "01:17", "01:18"]


def test_what_a_clock_ahead_put_off_gets_its_runs_within_a_minute_after_it_is_right(scene: Scene) -> None:
    scene.clock.move(hours=13)
    scene.looks()
    scene.event()
    scene.plan("k1", not_before=scene.clock.now, dispatch_at=scene.clock.now)
    scene.clock.move(hours=-13)
    scene.looks(60)
    assert {key.partition(":")[0] for key in scene.made()} == {"drain", "notify"}


def test_two_nets_make_one_run(scene: Scene) -> None:
    other = Net(scene.engine, PrefectRest(scene.prefect.place()), scene.clock, Patience())
    scene.event()
    for _ in range(10):
        scene.looks()
        other.look()
    assert len(scene.prefect.runs) == 1


def test_a_tenant_that_is_drained_parked_or_disconnected_is_left_alone(scene: Scene) -> None:
    scene.event()
    scene.clock.move(seconds=10)
    lease = tenants.take_drain(scene.engine, TENANT, "a run", now=scene.clock.now)
    assert lease is not None
    scene.looks()
    tenants.release_drain(scene.engine, lease, now=scene.clock.now)
    tenants.park(scene.engine, TENANT, scene.clock.now + timedelta(hours=1), "day", now=scene.clock.now)
    scene.looks()
    tenants.park(scene.engine, TENANT, NOW, "over", now=scene.clock.now)
    tenants.disconnect(scene.engine, TENANT, "closed", now=scene.clock.now)
    scene.looks()
    assert not scene.prefect.runs


def test_due_notifications_get_a_run_of_their_kind_and_are_looked_at_again_later(scene: Scene) -> None:
    scene.plan("a")
    scene.plan("b", subject_id="another-invoice")
    scene.plan("c", kind="invoice_overdue")
    scene.plan("d", dispatch_at=None)
    scene.plan("e", state="delivered")
    scene.looks(10)
    assert [(run["deployment"], run["parameters"]) for run in scene.prefect.runs.values()] == [
        (ISSUED, {"tenant_id": TENANT, "invoice_ids": [INVOICE, "another-invoice"]}),
        (OVERDUE, {"tenant_id": TENANT, "invoice_ids": [INVOICE]}),
    ]
    scene.looks(25)
    assert scene.made() == [
        f"notify:invoice_issued:{TENANT}:1:0",
        f"notify:invoice_overdue:{TENANT}:3:0",
        f"notify:invoice_issued:{TENANT}:1:1",
        f"notify:invoice_overdue:{TENANT}:3:1",
    ]


def test_more_invoices_than_one_run_takes_follow_in_the_next(scene: Scene) -> None:
    for number in range(60):
        scene.plan(f"key {number}", subject_id=f"invoice {number}")
    scene.looks(4)
    told = [run["parameters"]["invoice_ids"] for run in scene.prefect.runs.values()]
    assert [len(ids) for ids in told] == [25, 25, 10]
    assert sorted(one for ids in told for one in ids) == sorted(f"invoice {number}" for number in range(60))


def test_a_send_whose_lease_lapsed_becomes_unknown_and_is_settled_after_the_first_look(scene: Scene) -> None:
    with writing(scene.engine, NOW) as book:
        add_attempt(book.session, "attempt-1")
    scene.looks()
    with reading(scene.engine) as session:
        attempt = session.get(tables.Attempt, "attempt-1")
        assert attempt is not None
        assert (attempt.state, attempt.settle_at) == ("unknown", scene.clock.now + timedelta(minutes=1))
    assert not scene.prefect.runs
    scene.clock.move(seconds=50)
    scene.looks(12)
    assert scene.made() == ["settle:2026-11-20T01:17"]


def test_a_claim_whose_lease_lapsed_returns_and_gets_a_run(scene: Scene) -> None:
    scene.plan("a", state="claimed", lease_token=1, lease_until=NOW, dispatch_at=None)
    scene.looks(2)
    assert scene.made() == [f"notify:invoice_issued:{TENANT}:1:0"]


def test_an_outage_of_prefect_is_said_once_on_the_way_down_and_once_on_the_way_up(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.prefect.away = True
    scene.event()
    scene.plan("a")
    scene.looks(40)
    nudges = Nudges(scene.rest, scene.clock)
    nudges.send([TENANT])
    assert [record.getMessage() for record in caplog.records] == [DOWN]
    scene.prefect.away = False
    scene.looks(LONGEST_PAUSE + 2)
    nudges.send([TENANT])
    assert [record.getMessage() for record in caplog.records][1:] == [UP]
    assert len([key for key in scene.made() if key.startswith("notify:")]) == 1
    assert len([key for key in scene.made() if key.startswith("drain:")]) == 1


def test_a_password_that_prefect_does_not_take_is_named_and_nothing_crashes(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.prefect.auth = "admin:changed"
    scene.event()
    scene.looks(20)
    assert "PREFECT_API_AUTH_STRING" in caplog.text
    assert len(caplog.records) == 1
    assert "only-for-tests" not in caplog.text


def test_a_deployment_that_is_not_there_holds_up_nobody_and_is_said_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    del scene.prefect.deployments[ISSUED]
    scene.plan("a")
    scene.plan("b", kind="invoice_overdue")
    scene.looks(40)
    assert {run["deployment"] for run in scene.prefect.runs.values()} == {OVERDUE}
    assert [record.getMessage() for record in caplog.records if "invoice-issued" in record.getMessage()] == [
        f"no run of {ISSUED}: Prefect answered 404 for {ISSUED}: run `prefect deploy --all`; trying on"
    ]
    scene.prefect.deploy(ISSUED)
    scene.looks(LONGEST_PAUSE + 2)
    assert f"notify:invoice_issued:{TENANT}:1:0" in scene.made()


def test_a_deployment_that_was_made_anew_is_found_under_its_new_id(scene: Scene) -> None:
    scene.plan("a")
    scene.looks()
    scene.prefect.deploy(ISSUED)
    scene.plan("b", subject_id="another-invoice")
    scene.looks(5)
    assert len(scene.prefect.runs) == 2


def test_a_locked_ledger_is_waited_for(
    migrated: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(migrated.read_bytes())
    engine = open_ledger(f"sqlite:///{path}", busy_seconds=0.05)
    scene = Scene(engine)
    scene.event()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    scene.looks(10)
    assert not scene.prefect.runs
    holder.execute("ROLLBACK")
    holder.close()
    scene.looks()
    assert len(scene.prefect.runs) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "the safety net cannot look at the ledger: OperationalError; trying on",
        "the safety net cannot look at the ledger: well again",
    ]
    engine.dispose()


def test_a_run_whose_putting_off_failed_is_not_made_twice(scene: Scene) -> None:
    scene.plan("a")
    scene.looks()
    with writing(scene.engine, scene.clock.now) as book:
        book.session.exec(update(tables.Notification).values(dispatch_at=NOW, dispatches=0))
    scene.looks(3)
    assert scene.made() == [f"notify:invoice_issued:{TENANT}:1:0"]
    with reading(scene.engine) as session:
        row = session.exec(select(tables.Notification).where(col(tables.Notification.key) == "a")).one()
        assert row.dispatches == 1


def test_pauses_grow_to_a_limit_and_end_with_the_first_success() -> None:
    pause = Pause()

    def left_out() -> int:
        pause.failed()
        looks = 0
        while not pause.is_over():
            looks += 1
        return looks

    assert [left_out() for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    pause.worked()
    assert pause.is_over()
    assert left_out() == 1
