"""How many calls to Xero a burst of invoices costs: ``make prove-calls``, ``make prove-calls ARGS="50"``.

The real road over real processes, with Xero's true limits at the sandbox: 60 calls a minute, 5 at a time,
1,000 a day. What was sent is what the sandbox accepted, and every call is counted there too.
"""

import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import col, func, select

from deployments.prefect_server import PrefectServer
from deployments.sandbox.control_types import Event
from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, Notification, XeroCall
from duebell.states import TOLD
from tests.support_calls import burst
from tests.support_ports import free_port
from tests.support_prefect import running, wait_until
from tests.support_proofs import commit
from tests.support_provisioned import run_once
from tests.support_road import Road, go_live, open_road

TRUE_LIMITS = {"minute_limit": 60, "day_limit": 1_000, "concurrent_limit": 5}
MOST_CALLS = 30
A_DELIVERY = 20  # events in one webhook
SEED = 0  # nothing is drawn by chance: the same invoices in the same order each time


@dataclass(frozen=True)
class Cost:
    """What one burst came to."""

    invoices: int
    messages: int
    calls: Counter[tuple[str, str]]
    refused: int
    oldest_read: float
    """Seconds; how old the oldest read was when its message was posted."""
    seconds: float

    @property
    def total(self) -> int:
        """All calls to Xero."""
        return self.calls.total()


def name_of(tenant_id: str) -> str:
    """What the organisation is called, in its messages too."""
    return f"Burst {tenant_id[:4]}"


def new_tenant(road: Road) -> str:
    """A connected organisation that is live, its books still empty."""
    tenant_id = str(uuid.uuid4())
    road.sandbox.add_tenant(tenant_id, name_of(tenant_id))
    run_once(road.environment, "deployments.connect")
    go_live(road.engine, tenant_id)
    return tenant_id


def approve_at_once(road: Road, tenant_id: str, count: int) -> tuple[str, ...]:
    """So many invoices of as many customers, and the webhooks about them; returns their ids."""
    now = datetime.now(UTC)
    books = burst(count, count, now)
    road.sandbox.load_books(books.invoices, books.contacts, tenant_id=tenant_id)
    at = now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    events = [Event(tenant_id, "INVOICE", "UPDATE", one, at) for one in books.ids]
    for start in range(0, count, A_DELIVERY):
        road.sandbox.deliver(events[start : start + A_DELIVERY])
    return books.ids


def lift_our_own_limits(policy: Path) -> None:
    """Hold nothing back for the hour or for a person: what is measured is what Xero costs."""
    limits = "[limits]\nmessages_an_hour = 100000\nbreaker_from = 100000\n"
    policy.write_text(f"{policy.read_text(encoding='utf-8')}\n{limits}", encoding="utf-8")


def states(road: Road, tenant_id: str) -> Counter[str]:
    """How many notifications of a tenant are in which state."""
    with reading(road.engine) as session:
        rows = session.exec(select(Notification.state).where(Notification.tenant_id == tenant_id)).all()
    return Counter(rows)


def spent(road: Road, tenant_id: str) -> Counter[tuple[str, str]]:
    """The calls of a tenant by endpoint and purpose."""
    with reading(road.engine) as session:
        rows = session.exec(select(XeroCall).where(XeroCall.tenant_id == tenant_id)).all()
    return Counter({(row.endpoint, row.purpose): row.calls for row in rows})


def asked(road: Road, tenant_id: str) -> list[int | None]:
    """The status of every call of a tenant, as the sandbox saw them."""
    found = [one for one in road.sandbox.requests() if one.path.startswith("/api.xro/")]
    return [one.status for one in found if one.tenant_id == tenant_id]


def measure(road: Road, count: int, seconds: float = 1_800) -> Cost:
    """Approve ``count`` invoices at once, wait until everybody is told, and count."""
    tenant_id = new_tenant(road)
    before, asked_before = spent(road, tenant_id), len(asked(road, tenant_id))
    began = time.monotonic()
    approve_at_once(road, tenant_id, count)
    wait_until(lambda: _told(road, tenant_id) == count, f"{count} are told", seconds)
    took = time.monotonic() - began
    wait_until(lambda: spent(road, tenant_id).total() == len(asked(road, tenant_id)), "every call is counted")
    statuses, calls = asked(road, tenant_id)[asked_before:], spent(road, tenant_id) - before
    told = [one.body.split() for one in road.told_by(name_of(tenant_id))]
    numbers = Counter(word.rstrip(":") for words in told for word in words if word.startswith("BURST-"))
    assert set(numbers.values()) == {1}, "nobody is told twice"
    return Cost(count, len(numbers), calls, statuses.count(429), _oldest_read(road, tenant_id), took)


def _told(road: Road, tenant_id: str) -> int:
    found = states(road, tenant_id)
    return sum(found[state.value] for state in TOLD)


def _oldest_read(road: Road, tenant_id: str) -> float:
    wanted = (
        select(func.max(Attempt.read_age_seconds))
        .join(Notification, col(Notification.notification_id) == col(Attempt.notification_id))
        .where(Notification.tenant_id == tenant_id)
    )
    with reading(road.engine) as session:
        return session.exec(wanted).one() or 0.0


def line(cost: Cost) -> str:
    """One measurement as a line of the table."""
    what = ", ".join(
        f"{calls} {endpoint} ({purpose})" for (endpoint, purpose), calls in cost.calls.most_common()
    )
    each = cost.total / cost.messages
    return (
        f"{cost.invoices:>6} {cost.messages:>9} {cost.total:>6} {each:>9.3f} {cost.refused:>5} "
        f"{cost.oldest_read:>7.1f} {cost.seconds:>7.1f}  {what}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each count that was named, by default 1, 50, 200 and 1,000; returns 1 where one is too dear."""
    counts = [int(word) for word in (sys.argv[1:] if arguments is None else arguments)] or [1, 50, 200, 1_000]
    print(f"calls to Xero for invoices approved at once, seed {SEED}, commit {commit()}")  # noqa: T201 - its purpose
    print("     N  messages  calls  calls/msg  429  oldest  seconds  what for")  # noqa: T201 - its purpose
    sound = True
    with tempfile.TemporaryDirectory() as folder:
        server = PrefectServer(Path(folder) / "prefect", free_port())
        with running(server) as prefect, open_road(prefect, Path(folder) / "road") as road:
            road.sandbox.settings(**TRUE_LIMITS)
            lift_our_own_limits(Path(road.environment["DUEBELL_POLICY"]))
            for count in counts:
                cost = measure(road, count)
                print(line(cost), flush=True)  # noqa: T201 - its purpose
                sound = sound and cost.total <= MOST_CALLS and not cost.refused and cost.oldest_read <= 60
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
