"""Which of Twilio's error codes came of late, and how often."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import col, func, select

from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, InvoiceSnapshot, Notification
from duebell.twilio.statuses import MessageStatus


@dataclass(frozen=True, slots=True)
class Coded:
    """A code that came for so many messages; ``number`` is of the invoice that one of them was about."""

    code: int
    times: int
    latest: datetime
    number: str


def codes_since(engine: Engine, since: datetime) -> list[Coded]:
    """The codes of the messages that were posted since then, but for those that arrived all the same."""
    wanted = (
        select(
            Attempt.error_code, func.count(), func.max(Attempt.started_at), func.max(InvoiceSnapshot.number)
        )
        .join(Notification, col(Notification.notification_id) == col(Attempt.notification_id))
        .join(InvoiceSnapshot, col(InvoiceSnapshot.invoice_id) == col(Notification.invoice_id), isouter=True)
        .where(
            col(Attempt.started_at) >= since,
            col(Attempt.error_code).is_not(None),
            Attempt.provider_status != MessageStatus.DELIVERED.value,
        )
        .group_by(col(Attempt.error_code))
        .order_by(func.count().desc(), col(Attempt.error_code))
    )
    with reading(engine) as session:
        rows = session.exec(wanted).all()
    return [Coded(code, times, latest, number or "") for code, times, latest, number in rows if code]
