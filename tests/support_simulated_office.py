"""The people of a simulated life: they stop and resume, review, run again and resend, and customers write."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import update
from sqlmodel import col, select

from duebell.deciding.prospects import BEFORE_LIVE
from duebell.ledger import channel_stops, tenants
from duebell.ledger.engine import reading
from duebell.ledger.inbound import keep_inbound
from duebell.ledger.tables import Notification, Tenant
from duebell.ledger.writing import writing
from duebell.sending import resending
from duebell.states import NotificationState, Sending
from duebell.twilio.inbound import InboundMessage, Wish
from tests.support_facts import ACCOUNT, ENVIRONMENT, OURS, TENANT

if TYPE_CHECKING:
    from tests.support_simulation import Life

S = NotificationState
PERSON = "person:test"
AN_HOUR, MINUTES = 3_600.0, 60.0
NOT_SAID = {S.HELD, S.SKIPPED}
ANSWERS_AFTER = (1_500.0, 5_400.0)
"""After how long a person looks at Twilio's log for what is parked, in seconds."""


class Office:
    """What the people of one life do, each at a time that is drawn."""

    def __init__(self, life: "Life") -> None:
        self._life, self._engine = life, life.engine
        self._chance: random.Random = life.chance
        self._inbound = self._brakes = 0

    def opens(self) -> None:
        """Plan the day."""
        within = self._life.plot.arrive_within
        for _ in range(2):
            self._for_a_while(within, (20, 8 * MINUTES), self._stop, self._resume)
        for _ in range(2):
            self._for_a_while(within, (60, 6 * MINUTES), self._review, self._go_live)
        self._for_a_while(within, (60, 6 * MINUTES), lambda: self._set(Sending.ALLOWLIST), self._go_live)
        for number in range(1, 12):
            self._at(number * 1_800.0, self._resend_what_is_parked)
            self._at(number * 1_200.0, self._run_again)
        self._at(within + AN_HOUR, self._lift_all)

    def _lift_all(self) -> None:
        with writing(self._engine, self._now) as book:
            channel_stops.lift_all(book, PERSON, "")

    def writes(self, to: str, wish: Wish) -> None:
        """A customer sends a word to our number."""
        self._inbound += 1
        sid = f"SM{self._inbound:032x}"
        message = InboundMessage(sid, ACCOUNT, to, ENVIRONMENT["TWILIO_FROM"], wish.value, wish)
        stopped = self._now if wish is Wish.STOP else None
        for one in self._life.truths:
            one.stopped = stopped if one.to == to else one.stopped
        with writing(self._engine, self._now) as book:
            keep_inbound(book, message, to, OURS)

    def regrets(self, to: str) -> None:
        """Have a customer who said STOP say START some time later."""
        later = self._chance.uniform(30, 2_400)
        self._at(later, lambda: self.writes(to, Wish.START))
        self._at(later + 20, self._run_again)

    def stops_for_a_while(self, seconds: float) -> None:
        """Put the brake on, and take it off again unless another wants it by then."""
        self._stop()
        self._at(seconds, self._resume)

    @property
    def _now(self) -> datetime:
        return self._life.clockwork.now

    def _at(self, seconds: float, happens: Callable[[], object]) -> None:
        def does() -> None:
            happens()

        self._life.clockwork.at(seconds, does)

    def _for_a_while(
        self,
        within: float,
        lasts: tuple[float, float],
        begins: Callable[[], object],
        ends: Callable[[], object],
    ) -> None:
        start = self._chance.uniform(0, within)
        self._at(start, begins)
        self._at(start + self._chance.uniform(*lasts), ends)

    def _stop(self) -> None:
        self._brakes += 1
        self._brake(stopped=True)

    def _resume(self) -> None:
        self._brakes -= 1
        if not self._brakes:
            self._brake(stopped=False)

    def _brake(self, *, stopped: bool) -> None:
        tenants.set_brake(self._engine, stopped=stopped, by=PERSON, why="", scope="all", now=self._now)

    def _review(self) -> None:
        self._set(Sending.REVIEW)
        self._at(30, self._run_again)

    def _set(self, sending: Sending) -> None:
        with writing(self._engine, self._now) as book:
            book.session.exec(
                update(Tenant).where(col(Tenant.tenant_id) == TENANT).values(sending=sending.value)
            )

    def _go_live(self) -> None:
        """Release what was held meanwhile, or drop it; what was dropped is sent again later."""
        release = self._chance.random() < 0.6
        tenants.go_live(self._engine, TENANT, PERSON, release_held=release, now=self._now)

    def _run_again(self) -> None:
        """A person runs again what was held back or left out, and may be said now; what was dropped when
        going live takes a wish of its own, and so does a wish that was left out, where Twilio has nothing.
        """
        with reading(self._engine) as session:
            rows = session.exec(select(Notification).order_by(col(Notification.notification_id))).all()
        dropped = {row.invoice_id for row in rows if row.reason == BEFORE_LIVE}
        waits = [row for row in {one.invoice_id: one for one in rows}.values() if row.state in NOT_SAID]
        left_out = [row for row in waits if row.state == S.SKIPPED]
        asked_for = [row for row in left_out if row.generation or row.invoice_id in dropped]
        for row in asked_for:
            if self._life.is_in_a_log(_number_of(row)):
                continue
            self._resend(row, "it was dropped")
        ids = [row.invoice_id for row in waits if row not in asked_for]
        for start in range(0, len(ids), 10):
            self._life.run_by_hand(tuple(ids[start : start + 10]))

    def _resend_what_is_parked(self) -> None:
        """A person looks at Twilio's log: what is not there is sent once more."""
        for row in self._parked():
            self._at(self._chance.uniform(0, 600), lambda it=row: self._look_for(it))

    def _look_for(self, row: Notification) -> None:
        still_parked = any(one.notification_id == row.notification_id for one in self._parked())
        if still_parked and not self._life.is_in_a_log(_number_of(row)):
            self._resend(row, "nothing of it in Twilio's log")

    def _resend(self, row: Notification, why: str) -> None:
        resources = self._life.resources
        resending.resend(resources, row.invoice_id, by=PERSON, why=why, kind=row.kind, stage=row.step)

    def _parked(self) -> Sequence[Notification]:
        with reading(self._engine) as session:
            rows = session.exec(select(Notification).where(Notification.state == S.PARKED.value)).all()
        latest = {row.invoice_id: row for row in rows}
        return [row for row in latest.values() if not self._is_resent(row)]

    def _is_resent(self, row: Notification) -> bool:
        """Whether it was asked for again, and that was not left out in its turn."""
        with reading(self._engine) as session:
            later = select(Notification).where(
                Notification.invoice_id == row.invoice_id,
                col(Notification.generation) > row.generation,
                Notification.state != S.SKIPPED.value,
            )
            return session.exec(later).first() is not None


def _number_of(row: Notification) -> str:
    return f"INV-{int(row.invoice_id[-12:], 16):06}"
