"""What stands of messages that Twilio holds, read for all of a batch at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.ledger.built_once import built_once
from duebell.ledger.legs import channels_over
from duebell.ledger.scheduled import Held
from duebell.ledger.tables import Attempt, Leg, Notification


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of one message. ``told`` is its notification, then those told in its message, oldest first;
    ``beside`` are the other attempts of that notification, ``failed`` the channels that are not tried again.
    """

    attempt: Attempt
    beside: tuple[Attempt, ...]
    told: tuple[Notification, ...]
    channel: str
    """The one that the message goes by."""
    failed: frozenset[str]


def standing(session: Session, held: Sequence[Held]) -> dict[Held, Standing]:
    """What stands of each of these, as it is now: three statements, however many they are."""
    if not held:
        return {}
    ids = sorted({one.notification_id for one in held})
    told = _told(session, ids).all()
    own = _attempts(session, ids, [one.attempt_id for one in held]).all()
    attempts = {one.attempt_id: one for one in own}
    legs = _legs(session, ids, sorted({one.leg_id for one in own})).all()
    return {one: _of(one, told, attempts, legs) for one in held}


def _of(
    held: Held, told: Sequence[Notification], attempts: Mapping[str, Attempt], legs: Sequence[Leg]
) -> Standing:
    attempt, number = attempts[held.attempt_id], held.notification_id
    others = (one for one in attempts.values() if one.notification_id == number)
    lead = next(row for row in told if row.notification_id == number)
    return Standing(
        attempt,
        tuple(one for one in others if one.attempt_id != held.attempt_id),
        (lead, *(row for row in told if row.lead_id == number)),
        next(leg.channel for leg in legs if leg.leg_id == attempt.leg_id),
        channels_over([leg for leg in legs if leg.notification_id == number]),
    )


@built_once
def _told(ids: Sequence[int]) -> SelectOfScalar[Notification]:
    wanted = select(Notification).where(
        col(Notification.notification_id).in_(ids) | col(Notification.lead_id).in_(ids)
    )
    return wanted.order_by(col(Notification.notification_id)).execution_options(populate_existing=True)


@built_once
def _attempts(ids: Sequence[int], attempt_ids: Sequence[str]) -> SelectOfScalar[Attempt]:
    wanted = select(Attempt).where(
        col(Attempt.notification_id).in_(ids) | col(Attempt.attempt_id).in_(attempt_ids)
    )
    return wanted.execution_options(populate_existing=True)


@built_once
def _legs(ids: Sequence[int], leg_ids: Sequence[int]) -> SelectOfScalar[Leg]:
    wanted = select(Leg).where(col(Leg.notification_id).in_(ids) | col(Leg.leg_id).in_(leg_ids))
    return wanted.order_by(col(Leg.position)).execution_options(populate_existing=True)
