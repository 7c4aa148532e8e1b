"""Prefect's server is killed under the road and comes back: nothing is lost, nothing is told twice."""

import os
import signal
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prefect.client.schemas.objects import StateType
from sqlalchemy import update
from sqlmodel import col, select

from deployments.prefect_server import PrefectServer
from deployments.sandbox.control_types import InvoiceSummary
from duebell.ledger.engine import reading
from duebell.ledger.tables import XeroEvent
from tests.support_prefect import FINAL, own_server, wait_until
from tests.support_provisioned import run_once
from tests.support_road import Road, open_road

INVOICES = "/api.xro/2.0/Invoices*"
MESSAGES = "/2010-04-01/Accounts/*/Messages.json"


class MortalServer(PrefectServer):
    """A server that can be killed, and started again on the same home and port."""

    def die(self) -> None:
        """SIGKILL to it and whatever it started: nothing is tidied up."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def forget(self) -> None:
        """Lose the whole database."""
        files = list((self.home / "prefect").glob("prefect.db*"))
        assert files
        for file in files:
            file.unlink()

    def rise(self) -> None:
        """Start it anew; it answers when this returns."""
        self.start()
        self.wait_ready()


@dataclass(frozen=True)
class Ground:
    """A road of its own, and the server under it."""

    server: MortalServer
    road: Road

    def pids(self) -> dict[str, int | None]:
        """The processes that are to live on."""
        return {name: child.pid for name, child in self.road.children.items()}

    def one_message_each(self, *invoices: InvoiceSummary) -> None:
        """Wait until each is told, and see that it was told once."""
        for invoice in invoices:
            self.road.wait_for(invoice.invoice_id, "delivered", seconds=240)
        assert [len(self.road.messages(invoice)) for invoice in invoices] == [1 for _ in invoices]

    def lapse_claims(self) -> None:
        """Let what a failed drain held come back at once: by itself that takes two minutes."""
        self.road.lapse_drains()
        past = datetime.now(UTC) - timedelta(minutes=1)
        with self.road.engine.begin() as connection:
            connection.execute(
                update(XeroEvent).where(col(XeroEvent.state) == "pending").values(retry_at=past)
            )

    def drain_of(self, invoice: InvoiceSummary) -> UUID:
        """The flow run that claimed the invoice's event."""
        wanted = select(XeroEvent.flow_run_id).where(XeroEvent.resource_id == invoice.invoice_id)
        with reading(self.road.engine) as session:
            return UUID(session.exec(wanted).one())

    def is_kept(self, invoice: InvoiceSummary) -> bool:
        """Whether an event of the invoice is in the inbox."""
        with reading(self.road.engine) as session:
            wanted = select(XeroEvent.event_id).where(XeroEvent.resource_id == invoice.invoice_id)
            return session.exec(wanted).first() is not None

    def asked(self, text: str) -> bool:
        """Whether a request that contains ``text`` has reached a provider."""
        return any(text in str(one) for one in self.road.sandbox.requests())


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Generator[Ground]:
    """The road over a server that no other test uses."""
    with (
        own_server(tmp_path_factory, "mortal", MortalServer) as (server, prefect),
        open_road(prefect, tmp_path_factory.mktemp("ground")) as road,
    ):
        yield Ground(server, road)


def test_f102_a_send_under_way_and_events_that_come_survive_the_death_of_prefect(
    ground: Ground,
) -> None:
    road, before = ground.road, ground.pids()
    road.sandbox.fail_next("delay", method="POST", path=MESSAGES, seconds=3.0)
    under_way = road.issue()
    wait_until(lambda: road.state(under_way.invoice_id) == "sending", "the message is being posted")
    run = road.run_of(under_way)
    delivered = len(road.sandbox.deliveries())

    ground.server.die()
    meanwhile = [road.issue(), road.issue()]
    ground.one_message_each(under_way)
    answers = [one.status for one in road.sandbox.deliveries()[delivered:]]
    assert answers
    assert set(answers) == {200}
    assert [road.notifications(invoice.invoice_id) for invoice in meanwhile] == [[], []]

    ground.server.rise()
    ground.one_message_each(under_way, *meanwhile)
    ended = road.prefect.wait_for(run.id, *FINAL)
    assert ended.state_type in {StateType.COMPLETED, StateType.CRASHED}
    assert ground.pids() == before


def test_a_drain_under_way_when_prefect_dies_loses_nothing_and_doubles_nothing(ground: Ground) -> None:
    road, before = ground.road, ground.pids()
    road.sandbox.fail_next("delay", method="GET", path=INVOICES, seconds=2.0)
    invoice = road.issue()
    wait_until(lambda: ground.asked(invoice.invoice_id), "the drain asks Xero")
    drain = ground.drain_of(invoice)

    ground.server.die()
    ground.server.rise()

    # On SQLite a Prefect that was killed may hold its own writers up for a minute at a time when it is back.
    road.prefect.wait_for(drain, *FINAL, seconds=400)
    ground.lapse_claims()
    ground.one_message_each(invoice)
    assert ground.pids() == before


def test_f105_what_was_owed_when_prefect_s_database_was_lost_is_told_once(ground: Ground) -> None:
    road = ground.road
    told = road.issue()
    ground.one_message_each(told)
    road.stop("worker")
    waiting = road.issue()
    wait_until(lambda: ground.is_kept(waiting), "the event is kept")

    ground.server.die()
    ground.server.forget()
    meanwhile = road.issue()
    ground.server.rise()
    for step in ("deployments.provision", "deployments.connect"):  # as `duebell up` does at its start
        run_once(road.environment, step)
    road.start("worker")

    ground.one_message_each(told, waiting, meanwhile)
