"""Sweeps ten thousand open invoices of a thousand customers, and counts time, memory and calls to Xero.

    make prove-reminders
    make prove-reminders ARGS="--invoices 1000 --customers 100 --sweeps 10"

First one organisation at the sandbox: what reading all of it costs, and what speaking of it costs. Then six
organisations in six time zones, swept each hour of a day, twice in a row and again and again by a cron that
misfires: nothing is told twice. Between the two, a first connection with half as many old debts, which says
nothing until a person lets it.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import func
from sqlmodel import col, select

from duebell.ledger.engine import migrate, open_ledger, reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Attempt, Notification
from duebell.planning.sweeping import Swept, choose, sweep
from tests.support_facts import Hand, resources_over
from tests.support_first_day import first_day
from tests.support_overdue import Office, Phones
from tests.support_proofs import commit
from tests.support_scale import FIRMS, found
from tests.support_scale_calls import calls_of_reading

MONDAY = date(2026, 11, 23)
LIMITS = "[limits]\nbreaker_from = 100000\nmessages_an_hour = 100000\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play it and print what it took; 1 where something was told twice or an invariant does not hold."""
    wanted = _options(arguments)
    print(f"{wanted.invoices} invoices, {wanted.customers} customers, commit {commit()}", flush=True)  # noqa: T201 - its purpose
    for line in calls_of_reading(wanted.invoices, wanted.customers):
        print(line, flush=True)  # noqa: T201 - its purpose
    with tempfile.TemporaryDirectory() as folder:
        engine = open_ledger(f"sqlite:///{folder}/first.db")
        migrate(engine)
        counted = dict(first_day(engine, Path(folder), wanted.invoices // 2, wanted.customers))
        print(f"a first day with {wanted.invoices // 2} old debts: {counted}", flush=True)  # noqa: T201 - its purpose
        engine.dispose()
        if counted["heard before it is lifted"]:
            return 1
        return 0 if a_day(Path(folder), wanted.invoices, wanted.customers, wanted.sweeps) else 1


def a_day(folder: Path, invoices: int, customers: int, sweeps: int) -> bool:
    """A Monday of six organisations, and the cron that misfires; whether each was told once."""
    engine = open_ledger(f"sqlite:///{folder}/ledger.db")
    migrate(engine)
    (folder / "policy.toml").write_text(LIMITS)
    clock, phones = Hand(datetime.combine(MONDAY, datetime.min.time(), UTC)), Phones()
    each = invoices // len(FIRMS)
    for place, firm in enumerate(FIRMS):
        found(engine, firm, range(place * each, (place + 1) * each), customers // len(FIRMS), clock.now)
    resources = resources_over(engine, clock, twilio=phones, DUEBELL_POLICY=str(folder / "policy.toml"))
    office = Office(resources, clock, phones)
    clock.now -= timedelta(hours=12)
    took: list[float] = []
    for _ in range(36):
        took += _an_hour(office, sweeps=2)
        clock.now += timedelta(hours=1)
    _all(office)
    planned, runs = _counted(office), 0
    for _ in range(sweeps):
        clock.now += timedelta(seconds=1)
        runs += sum(len(swept.runs) for swept in _all(office))
    again, twice, holes = _counted(office), _told_twice(office), broken(engine)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"a day of six zones: {planned} reminders planned, the longest sweep {max(took):.1f} s, {peak} MB")  # noqa: T201 - its purpose
    print(f"{sweeps} misfired sweeps of all: {again - planned} more, {runs} runs started")  # noqa: T201 - its purpose
    print(f"told twice: {twice}; invariants: {holes or 'all hold'}")  # noqa: T201 - its purpose
    engine.dispose()
    return again == planned and not twice and not holes


def _an_hour(office: Office, *, sweeps: int) -> list[float]:
    """The organisations that are in their hours, each swept so often in a row; how long each sweep took."""
    took: list[float] = []
    for tenant_id in choose(office.resources, None):
        for place in range(sweeps):
            began = time.perf_counter()
            swept = sweep(office.resources, tenant_id, flow_run_id="sweep")
            took.append(time.perf_counter() - began)
            assert not place or not swept.runs, "the second sweep in a row started runs"
    return took


def _all(office: Office) -> list[Swept]:
    return [sweep(office.resources, firm.tenant_id, flow_run_id="misfired") for firm in FIRMS]


def _counted(office: Office) -> int:
    with reading(office.engine) as session:
        return session.exec(select(func.count()).select_from(Notification)).one()


def _told_twice(office: Office) -> int:
    """How many stages of an invoice stand more than once for one person, or were posted more than once."""
    with reading(office.engine) as session:
        owed = select(Notification.invoice_id, Notification.step, Notification.recipient)
        stand = Counter(session.exec(owed).all())
        posted = Counter(session.exec(select(col(Attempt.notification_id))).all())
    return sum(count > 1 for count in (*stand.values(), *posted.values()))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make prove-reminders", description=__doc__)
    parser.add_argument("--invoices", type=int, default=10_000, help="how many are open")
    parser.add_argument("--customers", type=int, default=1_000, help="whose they are")
    parser.add_argument("--sweeps", type=int, default=60, help="how often the cron misfires")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
