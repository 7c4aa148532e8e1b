"""Which runs the net has to have made: a pure decision over what stands in the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from duebell.ledger.dispatch import DueRun
from duebell.ledger.inbox import Backlog

DRAIN = "process-xero-events/process-xero-events"
SETTLE = "settle/settle"
MIRROR = "mirror-preferences/mirror-preferences"
CHANNEL_STOPPED = "channel-stopped/channel-stopped"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the ledger found that no run is handling."""

    backlogs: tuple[Backlog, ...] = ()
    due: tuple[DueRun, ...] = ()
    settle_due: bool = False
    stops: tuple[tuple[str, datetime], ...] = ()
    """The channels that are stopped, each with the time since when."""
    mirror_due: bool = False


@dataclass(frozen=True, slots=True)
class RunOrder:
    """One run to be made. The same key never makes a second run; ``due`` is what the run is for."""

    deployment: str
    idempotency_key: str
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    tags: tuple[str, ...] = ()
    due: DueRun | None = None


def orders_for(seen: Seen, now: datetime) -> tuple[RunOrder, ...]:
    """A drain for each backlog, a run for each due group, a settle, an alarm for each stopped channel, and
    one run that tells on what people want.

    Nothing seen, nothing ordered.

    The minute (UTC) in a key lets a run that came to nothing be made again, at most once a minute however
    many receivers look. A due group's key changes with its dispatches instead, which ``put_off`` spaces out.
    """
    minute = now.strftime("%Y-%m-%dT%H:%M")
    drains = [_drain(backlog, minute) for backlog in seen.backlogs]
    # Which messages lack their receipts is asked once an hour, by the schedule of the deployment.
    settle = RunOrder(SETTLE, f"settle:{minute}", {"asks_for_receipts": False})
    settles = [settle] if seen.settle_due else []
    mirrors = [RunOrder(MIRROR, f"mirror:{minute}", {"everything": False})] if seen.mirror_due else []
    return (*drains, *map(_notify, seen.due), *settles, *mirrors, *map(_explain, seen.stops))


def _drain(backlog: Backlog, minute: str) -> RunOrder:
    return RunOrder(
        DRAIN,
        f"drain:{backlog.tenant_id}:{backlog.oldest_event_id}:{minute}",
        {"tenant_id": backlog.tenant_id},
        (f"tenant:{backlog.tenant_id}",),
    )


def _explain(stop: tuple[str, datetime]) -> RunOrder:
    """One run a stop, however long it lasts: it stands out in the UI as failed."""
    scope, since = stop
    return RunOrder(CHANNEL_STOPPED, f"stopped:{scope}:{since.isoformat()}", {"scope": scope})


def _notify(due: DueRun) -> RunOrder:
    # Prefect names a flow after its function with hyphens, and each deployment bears its flow's name.
    flow = due.kind.replace("_", "-")
    return RunOrder(
        f"{flow}/{flow}",
        f"notify:{due.kind}:{due.tenant_id}:{due.first_notification_id}:{due.dispatches}",
        {"tenant_id": due.tenant_id, "invoice_ids": list(due.invoice_ids)},
        (f"tenant:{due.tenant_id}", *(f"invoice:{invoice_id}" for invoice_id in due.invoice_ids)),
        due,
    )
