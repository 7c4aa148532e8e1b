"""The safety net: about every second it looks for work that nobody is doing and has a run made for it."""

import threading
from collections.abc import Callable
from datetime import datetime
from itertools import count

from sqlalchemy import Engine

from deployments.receiver.orders import RunOrder, Seen, orders_for
from deployments.receiver.parts import Patience
from deployments.receiver.prefect_rest import OnChange, PrefectAway, PrefectRefused, PrefectRest
from duebell.clock import Clock
from duebell.ledger import consent_lines, group_lines
from duebell.ledger.attempts import reap
from duebell.ledger.channel_stops import stops
from duebell.ledger.clock_put_right import put_right
from duebell.ledger.dispatch import due, put_off
from duebell.ledger.inbox import backlog
from duebell.ledger.unsettled import settle_due
from duebell.ledger.writing import writing
from duebell.policy_file.policy import TWILIO, XERO

LONGEST_PAUSE = 30

PUTS_RIGHT_AFTER = 60.0
"""Seconds of looks: so soon after a clock that was ahead is right, nothing waits for its hours any more."""


class Pause:
    """How many looks to leave out after a failure: 1, 2, 4 … up to ``LONGEST_PAUSE``.

    Counted in looks and not in time, so that a clock that is set back cannot put the net to sleep.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._left = 0

    def is_over(self) -> bool:
        """Whether to try at this look."""
        self._left = max(0, self._left - 1)
        return self._left == 0

    def failed(self) -> None:
        """Leave out more looks than the last time."""
        # One more than is left out, because the look that tries again counts it down too.
        self._left = min(2**self._failures, LONGEST_PAUSE) + 1
        self._failures = min(self._failures + 1, 10)

    def worked(self) -> None:
        """Try at every look again."""
        self._failures = self._left = 0


class Net:
    """One net; several, over several receivers, make no run twice because the keys are the same."""

    def __init__(
        self,
        engine: Engine,
        prefect: PrefectRest,
        clock: Clock,
        patience: Patience,
        tells: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._engine = engine
        self._prefect = prefect
        self._clock = clock
        self._patience = patience
        self._tells = tells
        self._well = OnChange("the safety net cannot look at the ledger")
        self._pause = Pause()
        self._pauses: dict[str, Pause] = {}
        self._refusals: dict[str, OnChange] = {}
        self._made: set[str] = set()
        self._looks = count()

    def run(self, stop: threading.Event) -> None:
        """Look until ``stop`` is set."""
        while not stop.wait(self._patience.net_seconds):
            self.look()

    def start(self, stop: threading.Event) -> threading.Thread:
        """Run in a thread that does not keep the process alive."""
        thread = threading.Thread(target=self.run, args=(stop,), name="safety-net", daemon=True)
        thread.start()
        return thread

    def look(self) -> None:
        """One look. Never raises: what fails is tried again at a later look."""
        now = self._clock()
        try:
            self._reap(now)
            self._have_made(self._see(now), now)
        except Exception as error:  # noqa: BLE001 -- a net that ended would be missed by nobody
            self._well.failed(type(error).__name__)
        else:
            self._well.worked()

    def _reap(self, now: datetime) -> None:
        with writing(self._engine, now) as book:
            if next(self._looks) % max(1, round(PUTS_RIGHT_AFTER / self._patience.net_seconds)) == 0:
                put_right(book, self._patience.first_look)
            reap(book, self._patience.first_look)

    def _see(self, now: datetime) -> Seen:
        return Seen(
            backlog(self._engine, now=now, waited=self._patience.drain_after),
            due(self._engine, now=now),
            settle_due(self._engine, now=now),
            tuple((stop.scope, stop.changed_at) for stop in stops(self._engine)),
            mirror_due=self._is_mirror_due(now),
        )

    def _is_mirror_due(self, now: datetime) -> bool:
        """Whether Twilio or Xero is to be told what somebody wants, as far as the policy tells them."""
        due = {TWILIO: consent_lines.is_due, XERO: group_lines.is_due}
        return any(due[one](self._engine, now) for one in self._tells())

    def _have_made(self, seen: Seen, now: datetime) -> None:
        orders = orders_for(seen, now)
        keys = {order.idempotency_key for order in orders}
        self._made &= keys
        self._pauses = {key: pause for key, pause in self._pauses.items() if key in keys}
        wanted = [order for order in orders if order.idempotency_key not in self._made]
        if not wanted or not self._pause.is_over():
            return
        try:
            for order in wanted:
                self._make(order, now)
        except PrefectAway:
            self._pause.failed()  # said once, where it is noticed
        else:
            self._pause.worked()

    def _make(self, order: RunOrder, now: datetime) -> None:
        """Have one run made. An order that Prefect refuses does not hold up the others."""
        pause = self._pauses.setdefault(order.idempotency_key, Pause())
        if not pause.is_over():
            return
        refusal = self._refusals.setdefault(order.deployment, OnChange(f"no run of {order.deployment}"))
        try:
            self._prefect.create_run(order.deployment, order.parameters, order.idempotency_key, order.tags)
        except PrefectRefused as error:
            pause.failed()
            refusal.failed(str(error))
            return
        refusal.worked()
        if order.due is None:
            self._made.add(order.idempotency_key)
            return
        with writing(self._engine, now) as book:
            put_off(book, order.due)
