"""Codes that say little of a number once, and enough when they come again and again."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from duebell.ledger import preferences
from duebell.ledger.tables import Attempt, Leg
from duebell.twilio.codes import Ruling
from duebell.twilio.statuses import MessageStatus, message_status


def proves_invalid(session: Session, attempt: Attempt, channel: str, code: int, ruling: Ruling) -> bool:
    """Whether this code has now come so often for the attempt's address that it cannot be reached at all."""
    if not ruling.invalid_after:
        return False
    session.flush()
    since = _since_it_was_reached(session, attempt.address, channel, code)
    spread = since[-1] - since[0] if since else timedelta(0)
    return len(since) >= ruling.invalid_after and spread >= timedelta(days=ruling.invalid_over_days)


def _since_it_was_reached(session: Session, address: str, channel: str, code: int) -> list[datetime]:
    """When attempts that ended with this code began, after the last one that was delivered, and after the
    number was allowed again: what came back before that was known then.
    """
    rows = session.exec(
        select(Attempt.started_at, Attempt.error_code, Attempt.provider_status)
        .join(Leg, col(Leg.leg_id) == col(Attempt.leg_id))
        .where(Attempt.address == address, Leg.channel == channel)
        .order_by(col(Attempt.started_at))
    ).all()
    allowed_at = preferences.allowed_at(session, address, channel)
    since: list[datetime] = []
    for started_at, error_code, status in rows:
        if message_status(status) in {MessageStatus.DELIVERED, MessageStatus.READ}:
            since = []
        elif allowed_at is not None and started_at <= allowed_at:
            continue
        elif error_code == code:
            since.append(started_at)
    return since
