"""Notifications whose time has come and that no run is handling: what the net starts runs for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, bindparam, func, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import Entry
from duebell.ledger.braking import keeps_from_sending
from duebell.ledger.built_once import built_once
from duebell.ledger.engine import reading
from duebell.ledger.tables import Notification
from duebell.ledger.tenants import is_open
from duebell.ledger.writing import Writing
from duebell.states import WAITING, NotificationState


@dataclass(frozen=True, slots=True)
class DueRun:
    """Notifications of one kind whose time has come and that no run is handling."""

    tenant_id: str
    kind: str
    invoice_ids: tuple[str, ...]
    first_notification_id: int
    dispatches: int


def due(engine: Engine, *, now: datetime, most: int = 25) -> tuple[DueRun, ...]:
    """What the net has to start a run for, at most ``most`` invoices a run."""
    with reading(engine) as session:
        rows = _first_of_each(session, now, most).all()
    groups: dict[tuple[str, str], list[Notification]] = {}
    for row in rows:
        groups.setdefault((row.tenant_id, row.kind), []).append(row)
    return tuple(
        DueRun(
            tenant_id,
            kind,
            tuple(dict.fromkeys(row.invoice_id for row in group)),
            group[0].notification_id or 0,
            group[0].dispatches,
        )
        for (tenant_id, kind), group in groups.items()
    )


@built_once
def _first_of_each(now: datetime, most: int) -> SelectOfScalar[Notification]:
    """The first waiting rows of each tenant and kind: one whose runs cannot be made starves no other."""
    place = func.row_number().over(
        partition_by=[col(Notification.tenant_id), col(Notification.kind)],
        order_by=col(Notification.notification_id),
    )
    ranked = select(Notification.notification_id, place.label("place")).where(*_wants_a_run(now)).subquery()
    return (
        select(Notification)
        .where(
            col(Notification.notification_id).in_(
                select(ranked.c.notification_id).where(ranked.c.place <= most)
            )
        )
        .order_by(col(Notification.notification_id))
    )


def is_waiting() -> ColumnElement[bool]:
    """Whether a notification can be claimed once its time has come.

    The states stand in the statement itself, in the order in which they stand in the index over them: SQLite
    decides whether it serves a statement without what is bound to that (sqlite.org/partialindex.html).
    """
    states = [state.value for state in NotificationState if state in WAITING]
    return col(Notification.state).in_(bindparam(None, states, expanding=True, literal_execute=True))


def _wants_a_run(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Waiting, its time come, its tenant open: a run behind a brake or a closed door would change nothing."""
    return (
        is_waiting(),
        col(Notification.dispatch_at).is_not(None),
        col(Notification.dispatch_at) <= now,
        col(Notification.lead_id).is_(None),
        ~keeps_from_sending(col(Notification.tenant_id)),
        is_open(col(Notification.tenant_id), now),
    )


def put_off(book: Writing, run: DueRun) -> None:
    """Remember that a run was made, and look again later, each time later, up to an hour."""
    rows = book.session.exec(
        select(Notification).where(
            Notification.tenant_id == run.tenant_id,
            Notification.kind == run.kind,
            col(Notification.invoice_id).in_(run.invoice_ids),
            col(Notification.dispatch_at).is_not(None),
            col(Notification.dispatch_at) <= book.now,
        )
    ).all()
    for row in rows:
        row.dispatch_at = book.now + wait_after(row.dispatches)
        row.dispatches += 1


def wait_after(dispatches: int) -> timedelta:
    """How long to wait for the next run after so many came to nothing: 30 s, doubling up to an hour."""
    return min(timedelta(seconds=30) * 2 ** min(dispatches, 10), timedelta(hours=1))


RUN_CANCELLED = "run_cancelled"
"""The reason of what a person's cancelled run held: it waits for a person to run it again."""

TEMPLATE, UNFIT = "template", "unfit_to_post"
"""How the reasons begin of what its template cannot say, and of what no provider would be asked to send."""

RUN_EXPECTED = timedelta(minutes=5)
"""How long a notification waits for a run that was made for it, before the net makes another."""


def run_started(book: Writing, tenant_id: str, kind: str, invoice_ids: Sequence[str]) -> None:
    """Remember that a run was made for these, so that the net leaves it the time to come."""
    rows = book.session.exec(
        select(Notification).where(
            Notification.tenant_id == tenant_id,
            Notification.kind == kind,
            col(Notification.invoice_id).in_(invoice_ids),
            Notification.state == NotificationState.PLANNED.value,
        )
    ).all()
    for row in rows:
        row.dispatch_at = book.now + RUN_EXPECTED


def wait_for_person(session: Session, tenant_id: str, kind: str, invoice_ids: Sequence[str]) -> bool:
    """Whether any of these waits because a person cancelled its run."""
    wanted = select(Notification.key).where(*_cancelled(tenant_id, kind, invoice_ids)).limit(1)
    return session.exec(wanted).first() is not None


def run_again(book: Writing, tenant_id: str, kind: str, invoice_ids: Sequence[str], run_id: str) -> None:
    """A person runs again what they had cancelled: it is decided as anything else that waits."""
    taken_up = (
        update(Notification)
        .where(*_cancelled(tenant_id, kind, invoice_ids))
        .values(reason="", updated_at=book.now)
        .returning(col(Notification.key))
    )
    for key in book.session.exec(taken_up).scalars():
        book.audit(Entry("person", "run again", "notification", key, tenant_id, run_id))


def _cancelled(tenant_id: str, kind: str, invoice_ids: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    """Those of these invoices, and what is told with them: a run is given the invoices of the leads alone."""
    lead = aliased(Notification)
    leads = select(lead.notification_id).where(
        lead.tenant_id == tenant_id, lead.kind == kind, col(lead.invoice_id).in_(invoice_ids)
    )
    return (
        col(Notification.notification_id).in_(leads) | col(Notification.lead_id).in_(leads),
        col(Notification.state) == NotificationState.HELD.value,
        col(Notification.reason) == RUN_CANCELLED,
    )
