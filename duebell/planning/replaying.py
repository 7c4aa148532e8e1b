"""Replaying: invoices looked at again as if their events had just come. Only what is still owed is told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from duebell.clock import on_clock
from duebell.deciding.deciding import Rules
from duebell.deciding.known import known_of
from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, PAYMENT_RECEIVED
from duebell.ledger import planning_turns, snapshots
from duebell.ledger.named import invoices_named, several
from duebell.ledger.tables import Notification, Tenant, XeroEvent
from duebell.ledger.writing import Writing
from duebell.planning.draining import RunToStart, compare, runs_for
from duebell.planning.planning import plan_kind
from duebell.states import MAY_HAVE_BEEN_SENT, NotificationState

ACTOR = "replay"
KINDS = (INVOICE_ISSUED, PAYMENT_RECEIVED, INVOICE_OVERDUE)
"""What an event of an invoice may be news of."""

AT_ONCE = 100
"""Invoices that share a transaction: no other writer waits for long."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to: how many notifications stand how, and the runs for those that are owed."""

    invoices: int = 0
    owed: int = 0
    told_before: int = 0
    otherwise: int = 0
    runs: tuple[RunToStart, ...] = ()

    def __add__(self, other: "Replayed") -> "Replayed":
        return Replayed(
            self.invoices + other.invoices,
            self.owed + other.owed,
            self.told_before + other.told_before,
            self.otherwise + other.otherwise,
            self.runs + other.runs,
        )

    def sentence(self) -> str:
        """It in words, for the run's state."""
        return (
            f"{self.invoices} invoices looked at: {self.owed} messages are owed and go out, "
            f"{self.told_before} were told before, {self.otherwise} are not to be told now"
        )


def find(
    session: Session,
    tenant_id: str,
    invoices: Sequence[str],
    since: datetime | None,
    until: datetime | None,
) -> list[str]:
    """The ids of invoices named by number or id, and of those of which an event came in the period.

    An id that the ledger does not know is taken as it is: its event may be what was lost. A time without a
    zone is on the organisation's clock. Raises ``Permanent`` for a number that names none, or several, for a
    period without a beginning, and where nothing is named at all.
    """
    if not invoices and since is None:
        raise Permanent("say what to replay: invoices by number or id, or since when their events came")
    if until is not None and since is None:
        raise Permanent("say also since when: until is the end of a period")
    since, until = (_on_clock(session, tenant_id, one) for one in (since, until))
    if since is not None and until is not None and until <= since:
        raise Permanent("the period ends before it begins: until must be later than since")
    named = [_id_of(session, tenant_id, one.strip()) for one in invoices]
    return list(dict.fromkeys([*named, *(_of_period(session, tenant_id, since, until) if since else [])]))


def _on_clock(session: Session, tenant_id: str, given: datetime | None) -> datetime | None:
    return None if given is None else on_clock(given, session.get_one(Tenant, tenant_id).timezone)


def _id_of(session: Session, tenant_id: str, named: str) -> str:
    known = invoices_named(session, named, tenant_id)
    if len(known) == 1:
        return known[0].invoice_id
    if known:
        raise several(named, known)
    try:
        return str(UUID(named))
    except ValueError:
        raise Permanent(f"no invoice {named} is known: check the number, or give its id in Xero") from None


def _of_period(session: Session, tenant_id: str, since: datetime, until: datetime | None) -> Sequence[str]:
    wanted = (
        select(XeroEvent.resource_id)
        .where(
            XeroEvent.tenant_id == tenant_id,
            XeroEvent.category == "INVOICE",
            col(XeroEvent.received_at) >= since,
        )
        .order_by(col(XeroEvent.event_id))
    )
    if until is not None:
        wanted = wanted.where(col(XeroEvent.received_at) < until)
    return session.exec(wanted).all()


def replay(
    book: Writing, tenant_id: str, invoice_ids: Sequence[str], rules: Rules, *, flow_run_id: str | None
) -> Replayed:
    """Compare and decide on these invoices, as an event of each would have it done, in one transaction."""
    planning_turns.plans(book, tenant_id)  # it may wait, and what was read before would be over by then
    snapshots.hold(book.session, tenant_id, invoice_ids)
    known = known_of(book.session, tenant_id, invoice_ids)
    for one in known.values():
        compare(book, tenant_id, one)
    rows: list[Notification] = []
    for kind in KINDS:
        rows += plan_kind(
            book, tenant_id, kind, list(known), rules, actor=ACTOR, flow_run_id=flow_run_id, begins=False
        )
    runs = runs_for(book, rows)
    counts = Counter(_stands(row) for row in rows)
    return Replayed(len(known), counts["owed"], counts["told"], counts["otherwise"], tuple(runs))


def _stands(row: Notification) -> str:
    state = NotificationState(row.state)
    if state is NotificationState.PLANNED:
        return "owed"
    return "told" if state in MAY_HAVE_BEEN_SENT else "otherwise"
