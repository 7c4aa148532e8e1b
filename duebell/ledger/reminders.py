"""Reminders that went out, or may have: what the next one to the same person waits for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, func, or_, select

from duebell.email.addresses import folded
from duebell.keys import INVOICE_OVERDUE, is_contact, person_of, team_recipient
from duebell.ledger import present
from duebell.ledger.meaning import said_of
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.states import MAY_EXIST, NotificationState

HEARD = sorted(state.value for state in MAY_EXIST)
"""Attempts after which a person may have been told. What was refused, or never processed, reached nobody."""

CAME_BACK = {NotificationState.UNDELIVERED, NotificationState.FAILED}


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder that somebody may have had. ``contact_id`` is the customer's, merges followed, and empty for
    one to a team.

    ``notification_id`` is the one in whose message it was told; ``person`` is the hash of a further person at
    the contact, empty for the contact. ``came_back``: another leg took over, as its provider said that it did
    not arrive.
    """

    notification_id: int
    at: datetime
    address: str = field(repr=False)
    contact_id: str
    person: str = ""
    came_back: bool = False


def since(
    session: Session,
    tenant_id: str,
    moment: datetime,
    survivors: Mapping[str, str],
    addresses: Collection[str],
) -> tuple[Reminder, ...]:
    """The reminders from ``moment`` on to these contacts, and to these addresses whoever shares them.

    Each contact is given with the one that it is now: who was reminded under another name was reminded. To
    the teams it is all that they were told, reminder or not.
    """
    same = {folded(one) for one in addresses}
    is_teams = col(Notification.recipient).startswith(team_recipient(""))
    rows = session.exec(
        select(Attempt, Leg.over, Notification)
        .join(Notification, col(Notification.notification_id) == col(Attempt.notification_id))
        .join(Leg, col(Leg.leg_id) == col(Attempt.leg_id))
        .where(
            present.is_of_tenant(tenant_id),
            or_(col(Notification.kind) == INVOICE_OVERDUE, is_teams),
            col(Attempt.state).in_(HEARD),
            col(Attempt.started_at) >= moment,
            or_(col(Notification.contact_id).in_(survivors), func.lower(Attempt.address).in_(same)),
        )
    ).all()
    return tuple(_reminder(attempt, over, row, survivors) for attempt, over, row in rows)


def _reminder(attempt: Attempt, over: str, row: Notification, survivors: Mapping[str, str]) -> Reminder:
    return Reminder(
        attempt.notification_id,
        attempt.started_at,
        attempt.address,
        _customer(row, survivors),
        person_of(row.recipient),
        came_back=bool(over) and said_of(attempt) in CAME_BACK,
    )


def _customer(row: Notification, survivors: Mapping[str, str]) -> str:
    contact_id = row.contact_id or ""
    return survivors.get(contact_id, contact_id) if is_contact(row.recipient) else ""
