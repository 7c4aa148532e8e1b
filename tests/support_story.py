"""A business that is watched over HTTP alone: the sandbox plays Xero and Twilio, the receiver hears them.

What happens is what the flows do, step by step and in their order; only Prefect, which would start the runs
and pace the calls, is left out. Time is the sandbox's clock, which is pushed.
"""

import json
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prefect.logging import disable_run_logger
from sqlalchemy import Engine

from deployments.receiver.parts import ReceiverParts
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import AcceptedMessage
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.wire import Record
from duebell.books.access import unpaced
from duebell.connecting.connecting import connect_custom
from duebell.keys import INVOICE_OVERDUE, NEEDS_ATTENTION
from duebell.ledger import dispatch, inbox, tenants
from duebell.planning.draining import RunToStart
from duebell.resources import Resources, open_resources, using
from duebell.settings import load
from tasks import _prefect
from tasks.ledger import begin_drain, check_dedup, claim_events, end_drain, record_changes
from tasks.messages import render, send
from tasks.polling import begin_polls, poll_tenant
from tasks.sweeping import choose_tenants, sweep_tenant
from tasks.xero import fetch_changed, fetch_credit, fetch_invoices, fetch_links, refresh_token
from tests.support_lists import no_pace
from tests.support_office import environment_of
from tests.support_ports import free_port
from tests.support_receiver import SLOW_MACHINE, FakePrefect, serving

ZONE = ZoneInfo("Pacific/Auckland")
DAY = timedelta(days=1)


@dataclass
class Ahead:
    """The sandbox's clock, read here: the machine's, and so much ahead."""

    by: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.by


@dataclass
class Watched:
    """The business, and what watches it."""

    sandbox: SandboxControl
    resources: Resources
    clock: Ahead

    @property
    def today(self) -> date:
        """The day on the organisation's calendar."""
        return self.clock().astimezone(ZONE).date()

    def until(self, day: date, hour: int, minute: int = 0) -> None:
        """Push the clock, here and in the sandbox, to this time of that day in Auckland."""
        moment = datetime.combine(day, time(hour, minute), ZONE)
        ahead = moment - self.clock()
        assert ahead > timedelta(), "the time has come already"
        self.sandbox.shift_clock(ahead.total_seconds())
        self.clock.by += ahead

    def heard(self) -> tuple[AcceptedMessage, ...]:
        """All that the sandbox's Twilio accepted, oldest first."""
        return self.sandbox.accepted_messages()

    def polls(self) -> None:
        """A run of `poll_xero`, and the drain of what it found."""
        for due in begin_polls.fn(None).due:
            assert not poll_tenant.fn(due).put_off
        self.drains()

    def rings(self) -> None:
        """Xero's webhooks have come, and the drain follows that their nudge asks for."""
        assert self.sandbox.settle()
        assert inbox.waiting(self.resources.engine, TENANT_ID, now=self.clock())
        self.drains()

    def drains(self) -> None:
        """A run of `process_xero_events`, if there is anything in the inbox, and the runs that it starts."""
        if not inbox.waiting(self.resources.engine, TENANT_ID, now=self.clock()):
            return
        lease = begin_drain.fn(TENANT_ID)
        assert lease is not None
        events = claim_events.fn(lease)
        refresh_token.fn(TENANT_ID)
        runs = record_changes.fn(TENANT_ID, events, fetch_changed.fn(TENANT_ID, events))
        assert end_drain.fn(lease) == 0
        self.runs(runs)

    def sweeps(self) -> None:
        """A run of `overdue_sweep`, where it is the organisation's hours, and the runs that it starts."""
        for tenant_id in choose_tenants.fn(None):
            self.runs(sweep_tenant.fn(tenant_id).runs)

    def nets(self) -> None:
        """The runs that the receiver's net asks for: of what waited for its hour."""
        for run in dispatch.due(self.resources.engine, now=self.clock()):
            self.tells(run.kind, list(run.invoice_ids))

    def runs(self, runs: Sequence[RunToStart]) -> None:
        """The runs that follow from one, each to its end."""
        for run in runs:
            self.tells(run.kind, list(run.record_ids))

    def tells(self, kind: str, invoice_ids: list[str]) -> None:
        """A run of the kind's flow, to the last receipt of what it sent."""
        refresh_token.fn(TENANT_ID)
        fetch_invoices.fn(TENANT_ID, invoice_ids)
        if kind == INVOICE_OVERDUE:
            fetch_credit.fn(TENANT_ID)
        if kind != NEEDS_ATTENTION:
            fetch_links.fn(TENANT_ID, kind, invoice_ids)
        for claim in render.fn(check_dedup.fn(TENANT_ID, kind, invoice_ids)):
            send.fn(claim)
        assert self.sandbox.settle()


@contextmanager
def watched(
    sandbox: SandboxControl, engine: Engine, folder: Path, policy: str, customer: Record
) -> Generator[Watched]:
    """The sandbox's organisation with this one customer and nothing in its books, connected and live."""
    listen, clock = f"127.0.0.1:{free_port()}", Ahead()
    (folder / "policy.toml").write_text(policy)
    database = engine.url.render_as_string(hide_password=False)
    environment = environment_of(folder / "home", database, sandbox.base_url) | {
        "DUEBELL_LISTEN": listen,
        "DUEBELL_PUBLIC_URL": f"http://{listen}",
        "DUEBELL_POLICY": str(folder / "policy.toml"),
    }
    sandbox.load_books("[]", json.dumps([customer]))
    sandbox.settings(webhook_url=f"http://{listen}/webhooks/xero", callback_step_seconds=0.0)
    with ExitStack() as stack:
        settings = load(environment, env_file=None)
        resources = open_resources(settings, clock)
        stack.callback(resources.close)
        connect_custom(resources, no_pace, unpaced)
        tenants.go_live(engine, TENANT_ID, "person:test", release_held=False, now=clock())
        # The net's work is done in its turn by the story: by itself it would do it at any moment.
        calm = replace(SLOW_MACHINE, net_seconds=3600)
        stack.enter_context(serving(ReceiverParts(settings, engine, clock, FakePrefect().place(), calm)))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(_prefect, "pace_of", no_pace)
        stack.enter_context(disable_run_logger())
        stack.enter_context(using(resources))
        yield Watched(sandbox, resources, clock)
