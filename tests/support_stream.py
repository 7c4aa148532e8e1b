"""A company whose books never stand still: what its customers are owed, and what came of each of them."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlmodel import col, select

from deployments.sandbox.control_types import AcceptedMessage
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, PAYMENT_RECEIVED
from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, Notification
from duebell.states import NotificationState
from tests.support_road import Road

S = NotificationState
TOLD = {S.ACCEPTED, S.SENT, S.DELIVERED}
ENDED = TOLD | {S.UNDELIVERED, S.FAILED, S.SKIPPED, S.GIVEN_UP, S.PARKED}
SAID = {PAYMENT_RECEIVED: "we received", INVOICE_OVERDUE: "is still open"}
"""Words by which the shipped text of a kind is known; without any, it tells of an issued invoice."""
TO_PAY = (INVOICE_ISSUED, INVOICE_OVERDUE)


class Turn(StrEnum):
    """What became of an invoice after it was issued."""

    NONE = "none"
    PART_PAID = "part paid"
    PAID = "paid"
    VOIDED = "voided"


@dataclass
class Sale:
    """An invoice, whose customer has no other. ``news`` is the kind of message by which it is to be told."""

    number: str
    invoice_id: str
    mobile: str
    news: str
    turn: Turn = Turn.NONE
    turned_at: datetime | None = None
    """When nothing was to be paid any more, by Xero's clock."""

    @property
    def owed(self) -> list[str]:
        """The kinds of what its customer is owed, each once."""
        return [self.news, *([PAYMENT_RECEIVED] if self.turn in {Turn.PAID, Turn.PART_PAID} else [])]

    def may_go_unsaid(self, kind: str) -> bool:
        """Whether it stopped being true, perhaps before anybody could be told."""
        return kind in TO_PAY and self.turned_at is not None


@dataclass
class Stream:
    """The books of a company in which something happens at every call of ``step``."""

    road: Road
    chance: random.Random
    sales: list[Sale] = field(default_factory=list[Sale])

    def step(self) -> None:
        """Issue one to three invoices, and let one or two of all that stand open be paid or voided."""
        for _ in range(self.chance.randrange(1, 4)):
            self._issue()
        standing = [one for one in self.sales if one.turn is Turn.NONE]
        for sale in self.chance.sample(standing, min(len(standing), self.chance.randrange(3))):
            self._turn(sale)

    def _issue(self) -> None:
        digits = f"211{len(self.sales):06}"
        contact = self.road.sandbox.add_contact(f"Customer {digits}", mobile=("64", "", digits))
        amount, today = f"{self.chance.randrange(50, 500)}.00", datetime.now(UTC).date()
        news, issued, due = INVOICE_ISSUED, today, today + timedelta(days=20)
        if self.chance.random() < 0.2:
            news, issued, due = INVOICE_OVERDUE, today - timedelta(days=28), today - timedelta(days=8)
        one = self.road.sandbox.add_invoice(contact.contact_id, amount, issued_on=issued, due_on=due)
        self.sales.append(Sale(one.number, one.invoice_id, f"+64{digits}", news))

    def _turn(self, sale: Sale) -> None:
        sale.turn = self.chance.choice([Turn.PART_PAID, Turn.PAID, Turn.PAID, Turn.VOIDED])
        if sale.turn is Turn.VOIDED:
            sale.turned_at = self.road.sandbox.void(sale.invoice_id).updated_at
            return
        paid = self.road.sandbox.pay(sale.invoice_id, "10.00" if sale.turn is Turn.PART_PAID else None)
        sale.turned_at = paid.updated_at if sale.turn is Turn.PAID else None

    def states(self) -> dict[tuple[str, str], S]:
        """The states in the ledger, by invoice and kind."""
        with reading(self.road.engine) as session:
            rows = session.exec(
                select(Notification.invoice_id, Notification.kind, Notification.state).where(
                    col(Notification.recipient).like("contact:%")
                )
            ).all()
        return {(invoice_id, kind): S(state) for invoice_id, kind, state in rows}

    def told(self) -> int:
        """How much of what is owed is known to be told."""
        return sum(state in TOLD for state in self.states().values())

    def _attempts(self) -> Sequence[Attempt]:
        with reading(self.road.engine) as session:
            return session.exec(select(Attempt)).all()

    def open_ones(self) -> list[str]:
        """What is owed and has not come to its end, each with its state."""
        states = self.states()
        return [
            f"{sale.number} {kind} {states.get((sale.invoice_id, kind), 'not planned')}"
            for sale in self.sales
            for kind in sale.owed
            if not self._has_ended(sale, kind, states)
        ]

    @staticmethod
    def _has_ended(sale: Sale, kind: str, states: dict[tuple[str, str], S]) -> bool:
        state = states.get((sale.invoice_id, kind))
        return sale.may_go_unsaid(kind) if state is None else state in ENDED

    def came(self) -> "Came":
        """What came of all that was owed, by what the sandbox accepted and by what the ledger says."""
        accepted = self.road.sandbox.accepted_messages()
        said = Counter((one.to, kind_of(one)) for one in accepted)
        came, states = Came(late=late(accepted, self.sales, self._attempts())), self.states()
        for sale in self.sales:
            for kind in sale.owed:
                count = said.pop((sale.mobile, kind), 0)
                came.take(sale, kind, count, states.get((sale.invoice_id, kind)))
        ours = {sale.mobile for sale in self.sales}
        came.unowed += [f"{kind} to {to}" for to, kind in said if to in ours]
        texts = Counter((one.to, one.body) for one in accepted)
        came.doubled += [
            f"{to} has the same text {count} times" for (to, _), count in texts.items() if count > 1
        ]
        return came


def late(
    accepted: Sequence[AcceptedMessage], sales: Sequence[Sale], attempts: Sequence[Attempt]
) -> list[str]:
    """Messages that say what a read had shown to be true no more, or was too old to show."""
    turned = {sale.mobile: (sale, sale.turned_at) for sale in sales if sale.turned_at}
    by_sid = {one.sid: one for one in attempts if one.sid}
    found = list[str]()
    for message in accepted:
        attempt, (sale, turned_at) = by_sid.get(message.sid), turned.get(message.to, (None, None))
        if attempt is None:
            continue
        if attempt.read_age_seconds > 60:
            found.append(f"attempt {attempt.attempt_id} rests on a read {attempt.read_age_seconds:.0f} s old")
        read_at = attempt.started_at - timedelta(seconds=attempt.read_age_seconds)
        if sale and turned_at and kind_of(message) in TO_PAY and read_at > turned_at:
            found.append(f"{sale.number} was {sale.turn}, which had been read, and was told")
    return found


@dataclass
class Came:
    """What a stream came to. ``unsaid`` stopped being true before it was said."""

    owed: int = 0
    told: int = 0
    unsaid: int = 0
    parked: int = 0
    parked_though_sent: int = 0
    doubled: list[str] = field(default_factory=list[str])
    lost: list[str] = field(default_factory=list[str])
    late: list[str] = field(default_factory=list[str])
    unowed: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        parked = f"parked {self.parked} ({self.parked_though_sent} sent)"
        return (
            f"owed {self.owed}, sent {self.told + self.parked_though_sent}, doubled {len(self.doubled)}, "
            f"lost {len(self.lost)}, {parked}, {self.unsaid} true no more before they were said, "
            f"{len(self.late)} said though known untrue; told {self.progress:.1%}"
        )

    def wrong(self) -> list[str]:
        """What must not be, each in words."""
        found = {"doubled": self.doubled, "lost": self.lost, "late": self.late, "not owed": self.unowed}
        return [f"{what}: {one}" for what, several in found.items() for one in several]

    @property
    def progress(self) -> float:
        """The share of what stayed true that was told and is known to be."""
        return self.told / max(1, self.owed - self.unsaid)

    def take(self, sale: Sale, kind: str, count: int, state: S | None) -> None:
        """Count what is owed about a sale, which the sandbox accepted ``count`` times."""
        self.owed += 1
        what = f"{sale.number} {kind}, {sale.turn}, is {state}, and was sent {count} times"
        if count > 1:
            self.doubled.append(what)
        if state is S.PARKED:
            self.parked += 1
            self.parked_though_sent += count > 0
        elif state in TOLD and count:
            self.told += 1
        elif state in {S.SKIPPED, None} and not count and sale.may_go_unsaid(kind):
            self.unsaid += 1
        else:
            self.lost.append(what)


def kind_of(message: AcceptedMessage) -> str:
    """The kind of message by its text: the sandbox knows nothing of kinds."""
    return next((kind for kind, words in SAID.items() if words in message.body), INVOICE_ISSUED)
