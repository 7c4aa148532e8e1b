"""The nudge: one Prefect event for each tenant that has something waiting. It only makes things quick.

Prefect's 204 is not durable, and a redeploy recreates its automations; what a nudge does not start, the net
starts a few seconds later.
"""

import queue
import threading
import uuid
from collections.abc import Iterable
from datetime import datetime

from deployments.receiver.prefect_rest import OnChange, PrefectAway, PrefectRefused, PrefectRest
from duebell.clock import Clock

EVENT = "xero.events.received"


def event_for(tenant_id: str, event_id: uuid.UUID, now: datetime) -> dict[str, object]:
    """The event as Prefect's interface takes it: ids only, and the present as its time.

    Prefect leaves an event aside as late that occurred 15 minutes before an open trigger, so Xero's own time
    has no place here.
    """
    return {
        "id": str(event_id),
        "occurred": now.isoformat(),
        "event": EVENT,
        "resource": {"prefect.resource.id": f"xero.tenant.{tenant_id}"},
        "payload": {"tenant_id": tenant_id},
    }


class Nudges:
    """Sends nudges from a thread of its own, so that no answer waits for Prefect."""

    def __init__(self, prefect: PrefectRest, clock: Clock) -> None:
        self._prefect = prefect
        self._clock = clock
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._refused = OnChange("Prefect refuses nudges")

    def add(self, tenant_ids: Iterable[str]) -> None:
        """Nudge for these tenants soon; returns at once."""
        for tenant_id in tenant_ids:
            self._waiting.put(tenant_id)

    def stop(self) -> None:
        """End ``run`` after what it is sending now."""
        self._waiting.put(None)

    def run(self) -> None:
        """Send until stopped. What comes while one call is under way goes out together with the next."""
        while True:
            tenants = self._take()
            if None in tenants:
                return
            self.send([tenant_id for tenant_id in tenants if tenant_id])

    def send(self, tenant_ids: Iterable[str]) -> None:
        """One call with an event for each tenant. A failure is left to the net."""
        now = self._clock()
        try:
            self._prefect.send_events([event_for(tenant_id, uuid.uuid4(), now) for tenant_id in tenant_ids])
        except PrefectAway:
            return  # said once, where it is noticed
        except PrefectRefused as error:
            self._refused.failed(str(error))
        else:
            self._refused.worked()

    def start(self) -> threading.Thread:
        """Run in a thread that does not keep the process alive."""
        thread = threading.Thread(target=self.run, name="receiver-nudges", daemon=True)
        thread.start()
        return thread

    def _take(self) -> dict[str | None, None]:
        """Everything that waits, each tenant once, in the order in which they came; at least one."""
        taken: dict[str | None, None] = {self._waiting.get(): None}
        while True:
            try:
                taken[self._waiting.get_nowait()] = None
            except queue.Empty:
                return taken
