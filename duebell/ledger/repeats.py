"""Codes and words that say little of an address once, and enough when they come again and again."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from duebell.ledger import preferences
from duebell.ledger.tables import Attempt, Leg
from duebell.twilio.codes import Ruling
from duebell.twilio.statuses import MessageStatus, message_status


def proves_invalid(session: Session, attempt: Attempt, channel: str, said: int | str, ruling: Ruling) -> bool:
    """Whether this code, or the word of a provider that gives none, has now come so often for the attempt's
    address that it cannot be reached at all.
    """
    if not ruling.invalid_after:
        return False
    session.flush()
    since = _since_it_was_reached(session, attempt.address, channel, said)
    spread = since[-1] - since[0] if since else timedelta(0)
    return len(since) >= ruling.invalid_after and spread >= timedelta(days=ruling.invalid_over_days)


def _since_it_was_reached(session: Session, address: str, channel: str, said: int | str) -> list[datetime]:
    """When attempts that ended with this began, after the last one that was delivered, and after the
    address was allowed again: what came back before that was known then.
    """
    rows = session.exec(
        select(Attempt.started_at, Attempt.error_code, Attempt.provider_status)
        .join(Leg, col(Leg.leg_id) == col(Attempt.leg_id))
        .where(func.lower(Attempt.address) == address.lower(), Leg.channel == channel)
        .order_by(col(Attempt.started_at))
    ).all()
    allowed_at = preferences.allowed_at(session, address, channel)
    since: list[datetime] = []
    for started_at, error_code, status in rows:
        if message_status(status) in {MessageStatus.DELIVERED, MessageStatus.READ}:
            since = []
        elif allowed_at is not None and started_at <= allowed_at:
            continue
        elif said == (error_code or status):
            since.append(started_at)
    return since
