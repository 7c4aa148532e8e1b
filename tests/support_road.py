"""The whole road for tests: all of it real, but for the providers, whom the sandbox plays."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun, StateType
from sqlalchemy import Engine, update
from sqlmodel import col, select

from deployments.children import ROOT, Child, module
from deployments.sandbox import credentials
from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import AcceptedMessage, InvoiceSummary
from deployments.sandbox.server import running_sandbox
from duebell.ledger import tenants
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Attempt, Notification, Tenant, XeroEvent
from duebell.settings import Settings, load
from tests.support_ports import free_port
from tests.support_prefect import LONGEST, RunningPrefect, wait_until
from tests.support_provisioned import run_once

CAFE = "Aro Street Cafe"


@dataclass
class Road:
    """An installation against the sandbox; every test brings invoices of its own."""

    prefect: RunningPrefect
    sandbox: SandboxControl
    home: Path
    environment: dict[str, str]
    engine: Engine
    settings: Settings
    children: dict[str, Child] = field(default_factory=dict[str, Child])

    def start(self, name: str, **environment: str) -> Child:
        """Start the worker or the receiver; ready when this returns."""
        command = {
            "worker": module("deployments.worker", "--name", "road", "--drain-seconds", "5"),
            "receiver": module("deployments.receiver"),
        }[name]
        child = Child(name, command, {**self.environment, **environment}, self.home / "logs")
        since = datetime.now(UTC)
        child.start()
        self.children[name] = child
        ready = (
            self._receiver_answers
            if name == "receiver"
            else lambda: self.prefect.online("duebell", "road", since)
        )
        wait_until(ready, f"the {name} is ready, see {child.log}")
        return child

    def _receiver_answers(self) -> bool:
        try:
            url = f"http://{self.settings.listen}/healthz"
            return httpx.get(url, trust_env=False, timeout=60).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self, name: str) -> None:
        """Stop a child, as an operator would."""
        self.children.pop(name).stop()

    def restart(self, name: str, **environment: str) -> Child:
        """Stop a child if it runs, and start it anew."""
        if name in self.children:
            self.stop(name)
        return self.start(name, **environment)

    def contact(self, name: str = CAFE) -> str:
        """The id of a contact of the sandbox's company."""
        return next(one.contact_id for one in self.sandbox.contacts() if one.name == name)

    def draft(self, amount: str = "100.00", contact: str = CAFE) -> InvoiceSummary:
        """A draft of which nobody is told, its own event handled."""
        draft = self.sandbox.add_invoice(self.contact(contact), amount, approved=False)
        wait_until(lambda: self.handled(draft.invoice_id), "the draft's event is handled")
        return draft

    def issue(self, amount: str = "100.00", contact: str = CAFE) -> InvoiceSummary:
        """An invoice that is approved at once."""
        return self.sandbox.add_invoice(self.contact(contact), amount)

    def handled(self, invoice_id: str) -> bool:
        """Whether every event of the invoice was handled, and there was one."""
        with reading(self.engine) as session:
            states = session.exec(select(XeroEvent.state).where(XeroEvent.resource_id == invoice_id)).all()
        return bool(states) and set(states) == {"handled"}

    def notifications(self, invoice_id: str) -> list[Notification]:
        """What is owed about an invoice."""
        with reading(self.engine) as session:
            wanted = select(Notification).where(Notification.subject_id == invoice_id)
            return list(session.exec(wanted.order_by(col(Notification.notification_id))).all())

    def state(self, invoice_id: str) -> str:
        """The state of the one notification about an invoice; empty while there is none."""
        rows = self.notifications(invoice_id)
        return rows[0].state if rows else ""

    def wait_for(self, invoice_id: str, *states: str, seconds: float = LONGEST) -> Notification:
        """The notification, as soon as it is in one of these states."""
        wait_until(
            lambda: self.state(invoice_id) in states,
            f"{invoice_id} is {states}, see {self.home / 'logs'}",
            seconds,
        )
        return self.notifications(invoice_id)[0]

    def messages(self, invoice: InvoiceSummary) -> list[AcceptedMessage]:
        """What the sandbox accepted about an invoice: the oracle."""
        return [one for one in self.sandbox.accepted_messages() if invoice.number in one.body.split()]

    def told_by(self, organisation: str) -> list[AcceptedMessage]:
        """What the sandbox accepted in the name of an organisation that is one test's own."""
        return [one for one in self.sandbox.accepted_messages() if organisation in one.body]

    def attempts(self, invoice_id: str) -> list[Attempt]:
        """Every call to Twilio about an invoice."""
        ids = [row.notification_id for row in self.notifications(invoice_id)]
        with reading(self.engine) as session:
            wanted = select(Attempt).where(col(Attempt.notification_id).in_(ids))
            return list(session.exec(wanted.order_by(col(Attempt.started_at))).all())

    def runs(self, tag: str) -> list[FlowRun]:
        """The flow runs with a tag, as the UI finds them."""
        with self.prefect.client() as client:
            return client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[tag])))

    def run_of(self, invoice: InvoiceSummary) -> FlowRun:
        """The notification run of an invoice, once there is one."""
        wait_until(lambda: self.runs(f"invoice:{invoice.number}"), f"a run tagged {invoice.number}")
        return self.runs(f"invoice:{invoice.number}")[0]

    def by_hand(self, name: str, **parameters: Any) -> UUID:
        """What "Run" in the UI does."""
        with self.prefect.client() as client:
            deployment = client.read_deployment_by_name(f"{name}/{name}")
            return client.create_flow_run_from_deployment(deployment.id, parameters=parameters).id

    def run_whole(self, name: str, **parameters: Any) -> FlowRun:
        """The same to its end; asked for again where the scheduled one was at work just then."""
        run = self.prefect.wait_for(self.by_hand(name, **parameters))
        for _ in range(10):
            if run.state_type is not StateType.CANCELLED:
                break
            run = self.prefect.wait_for(self.by_hand(name, **parameters))
        return run

    def is_quiet(self) -> bool:
        """Whether no event waits, and nothing that is told within the next minute."""
        now = datetime.now(UTC)
        # What waits for one that is closed waits for ever.
        open_ones = select(Tenant.tenant_id).where(*tenants.may_be_drained(now))
        at_work = col(Notification.state).in_(["claimed", "sending"])
        waits = col(Notification.state).in_(["planned", "held"]) & (
            col(Notification.dispatch_at) <= now + timedelta(minutes=1)
        )
        with reading(self.engine) as session:
            event = select(XeroEvent.event_id).where(
                XeroEvent.state == "pending", col(XeroEvent.tenant_id).in_(open_ones)
            )
            message = select(Notification.notification_id).where(
                at_work | waits, col(Notification.tenant_id).in_(open_ones)
            )
            is_over = session.exec(event).first() is None and session.exec(message).first() is None
        return is_over and self.sandbox.settle(1)

    def lapse(self, invoice_id: str) -> None:
        """Let the lease of a dead sender run out, and the first look for its outcome come, at once."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        ids = [row.notification_id for row in self.notifications(invoice_id)]
        with self.engine.begin() as connection:
            connection.execute(
                update(Notification)
                .where(col(Notification.notification_id).in_(ids), col(Notification.lease_until).is_not(None))
                .values(lease_until=past)
            )

    def lapse_drains(self) -> None:
        """Let the lease of a dead drain run out at once."""
        with self.engine.begin() as connection:
            connection.execute(update(Tenant).values(drain_until=None))

    def hurry(self, invoice_id: str) -> None:
        """Let the time come at which a notification that waits is taken up again."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        with self.engine.begin() as connection:
            connection.execute(
                update(Notification)
                .where(col(Notification.subject_id) == invoice_id, col(Notification.state) == "planned")
                .values(not_before=past, dispatch_at=past)
            )

    def look_now(self, invoice_id: str) -> None:
        """Bring the next look for an unknown outcome forward to now, and look."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        ids = [row.notification_id for row in self.notifications(invoice_id)]
        with self.engine.begin() as connection:
            connection.execute(
                update(Attempt).where(col(Attempt.notification_id).in_(ids)).values(settle_at=past)
            )
        self.by_hand("settle")


def environment_for(home: Path, listen: str, url: str, prefect: RunningPrefect) -> dict[str, str]:
    """What every process of the road sees."""
    return {
        **prefect.server.client_environment(),
        "DUEBELL_ENV_FILE": "none",
        "DUEBELL_HOME": str(home),
        "DUEBELL_LISTEN": listen,
        "DUEBELL_PUBLIC_URL": f"http://{listen}",
        "DUEBELL_POLICY": str(policy_of_the_road(home)),
        **played_by(url),
    }


def policy_of_the_road(home: Path) -> Path:
    """The demo's policy, but nothing is polled by itself: it would call Xero at any time."""
    policy = home / "policy.toml"
    policy.parent.mkdir(parents=True, exist_ok=True)
    demo = (ROOT / "deployments" / "demo_policy.toml").read_text(encoding="utf-8")
    # Nor is anybody reminded by the hour: the sandbox's books hold invoices that are overdue today.
    demo = demo.replace("[invoice_overdue]\n", "[invoice_overdue]\nenabled = false\n")
    policy.write_text(f"{demo}\n[polling]\nenabled = false\n", encoding="utf-8")
    return policy


def played_by(url: str) -> dict[str, str]:
    """The variables by which a sandbox at this address plays Xero, Twilio and SendGrid."""
    return {
        "XERO_CLIENT_ID": credentials.XERO_CLIENT_ID,
        "XERO_CLIENT_SECRET": credentials.XERO_CLIENT_SECRET,
        "XERO_GRANT": "client_credentials",
        "XERO_WEBHOOK_KEYS": credentials.XERO_WEBHOOK_KEY,
        "XERO_API_URL": url,
        "XERO_IDENTITY_URL": url,
        "TWILIO_ACCOUNT_SID": credentials.TWILIO_ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": credentials.TWILIO_AUTH_TOKEN,
        "TWILIO_FROM": credentials.TWILIO_FROM,
        "TWILIO_API_URL": url,
        "TWILIO_ACCOUNTS_URL": url,
        "TWILIO_COMMS_URL": url,
        "EMAIL_FROM": f"Kauri Books <{credentials.EMAIL_FROM}>",
        "SENDGRID_API_KEY": credentials.SENDGRID_API_KEY,
        "SENDGRID_API_URL": url,
        "SENDGRID_WEBHOOK_KEYS": credentials.SENDGRID_WEBHOOK_KEY,
    }


def go_live(engine: Engine, tenant_id: str = credentials.TENANT_ID) -> None:
    """Let a tenant of the road send."""
    tenants.go_live(engine, tenant_id, "person:test", release_held=False, now=datetime.now(UTC))


@contextmanager
def open_road(prefect: RunningPrefect, home: Path, **changes: str) -> Generator[Road]:
    """Provision, connect and start everything; stopped again at the end, with the invariants checked.

    ``changes`` are variables of the environment that are to be others.
    """
    listen = f"127.0.0.1:{free_port()}"
    sandbox_settings = SandboxSettings(
        webhook_url=f"http://{listen}/webhooks/xero",
        events_url=f"http://{listen}/webhooks/sendgrid",
        callback_step_seconds=0.05,
        minute_limit=100_000,
    )
    with running_sandbox(sandbox_settings) as sandbox:
        environment = {**environment_for(home, listen, sandbox.base_url, prefect), **changes}
        settings = load(environment, env_file=None)
        if not prefect.provisioned:
            run_once(environment, "deployments.provision")
        run_once(environment, "deployments.connect")
        engine = open_ledger(settings.database_url.get_secret_value())
        go_live(engine)
        road = Road(prefect, sandbox, home, environment, engine, settings)
        try:
            road.start("receiver")
            road.start("worker")
            yield road
        finally:
            for name in list(road.children):
                road.stop(name)
            assert broken(engine) == []
            engine.dispose()


@pytest.fixture(scope="session")
def road(prefect_server: RunningPrefect, tmp_path_factory: pytest.TempPathFactory) -> Generator[Road]:
    """One road for the session; a test that stops or kills a process starts it again."""
    with open_road(prefect_server, tmp_path_factory.mktemp("road")) as opened:
        yield opened


@pytest.fixture
def calm(road: Road) -> Generator[Road]:
    """The road with both processes up, and no faults and nothing to be told left over from another test.

    What is told meanwhile would meet the faults that a test plans for its own.
    """
    road.sandbox.clear_faults()
    for name in ("receiver", "worker"):
        if name not in road.children or road.children[name].pid is None:
            road.restart(name)
    with suppress(AssertionError):  # some of it may wait for what its own test no longer does
        wait_until(road.is_quiet, "what other tests began is over", 60)
    yield road
    road.sandbox.clear_faults()
