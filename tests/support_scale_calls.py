"""What it costs in calls to Xero to read many invoices, and to speak of those that are due."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

from sqlmodel import select

from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.server import running_sandbox
from duebell.books.access import XeroAccess
from duebell.books.bursts import BurstReader
from duebell.books.calls import Purpose
from duebell.clock import system_clock
from duebell.connecting.connecting import connect_custom
from duebell.ledger import tenants
from duebell.ledger.tables import InvoiceSnapshot
from duebell.ledger.writing import writing
from duebell.planning.draining import RunToStart
from duebell.planning.sweeping import sweep
from duebell.resources import Resources, open_resources
from duebell.settings import load
from tests.support_office import environment_of
from tests.support_scale import contact_body, invoice_of

MUCH = SandboxSettings(minute_limit=100_000, day_limit=100_000)
POLICY = """
[invoice_overdue]
opens = "00:00"
closes = "00:00"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
on_holidays = true
[limits]
breaker_from = 100000
messages_an_hour = 100000
"""


def calls_of_reading(invoices: int, customers: int) -> Iterator[str]:
    """A line each for the first read, for a sweep, and for what is said because of it."""
    with running_sandbox(MUCH) as sandbox, tempfile.TemporaryDirectory() as folder:
        now = system_clock()
        old = now - timedelta(days=30)
        rows = [invoice_of(number, customers, now.date(), old) for number in range(invoices)]
        people = [contact_body(number) for number in range(customers)]
        sandbox.load_books(json.dumps({"Invoices": rows}), json.dumps({"Contacts": people}))
        (Path(folder) / "policy.toml").write_text(POLICY)
        environment = environment_of(Path(folder), f"sqlite:///{folder}/ledger.db", sandbox.base_url)
        environment |= {"DUEBELL_POLICY": str(Path(folder) / "policy.toml")}
        resources = open_resources(load(environment, env_file=None))
        try:
            yield from _measured(sandbox, resources)
        finally:
            resources.close()


def _measured(sandbox: SandboxControl, resources: Resources) -> Iterator[str]:
    connect_custom(resources, lambda _tenant_id: nullcontext, nullcontext)
    yield f"calls to Xero for the first read of all: {_said(_calls(sandbox))}"
    before = _calls(sandbox)
    tenants.go_live(resources.engine, TENANT_ID, "proof", release_held=True, now=resources.clock())
    swept = sweep(resources, TENANT_ID, flow_run_id="sweep")
    spoken = [one for run in swept.runs for one in run.record_ids]
    yield f"for a sweep of {swept.looked_at} that are due: {_said(_calls(sandbox) - before)}"
    before = _calls(sandbox)
    _look_again(resources, swept.runs)
    calls = _calls(sandbox) - before
    yield f"for looking again at the {len(set(spoken))} to be spoken of: {_said(calls)}"


def _look_again(resources: Resources, runs: tuple[RunToStart, ...]) -> None:
    """What the runs read before they speak, ten minutes after the first read."""
    with writing(resources.engine, resources.clock()) as book:
        for row in book.session.exec(select(InvoiceSnapshot)):
            row.read_at -= timedelta(minutes=10)
    for run in runs:
        access = XeroAccess(resources, TENANT_ID, nullcontext, "a run", Purpose.LOOK_AGAIN)
        BurstReader(access).look_again(run.record_ids, since=resources.clock() - timedelta(seconds=60))


def _calls(sandbox: SandboxControl) -> Counter[str]:
    """The calls to the accounting API so far, by what was asked for."""
    paths = [one.path for one in sandbox.requests() if "/api.xro/" in one.path]
    return Counter(path.partition("/2.0/")[2].partition("/")[0] for path in paths)


def _said(calls: Counter[str]) -> str:
    each = ", ".join(f"{count} {name}" for name, count in calls.most_common())
    return f"{calls.total()}{f' ({each})' if each else ''}"
