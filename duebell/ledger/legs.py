"""Legs: the channels of a notification, in the order fixed when it was planned."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.ledger import groups
from duebell.ledger.built_once import built_once
from duebell.ledger.conclusions import NO_EVIDENCE, Conclusion
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import Writing
from duebell.policy.reaching import Way
from duebell.policy.verdict import Hold, Send
from duebell.policy_file.shapes import FallBack
from duebell.states import NEXT_LEG_FROM, NOT_REACHED, AttemptState, NotificationState

S = NotificationState

NEXT_DAY_AFTER = timedelta(hours=24)
"""How long another channel waits where the first may have reached the person after all."""


def of(session: Session, notification_id: int) -> list[Leg]:
    """The legs of a notification in their order."""
    return list(_in_order(session, notification_id).all())


@built_once
def _in_order(notification_id: int) -> SelectOfScalar[Leg]:
    return select(Leg).where(Leg.notification_id == notification_id).order_by(col(Leg.position))


def current(session: Session, row: Notification) -> Leg:
    """The leg by which a notification is told now."""
    return _at(session, row.notification_id or 0, row.leg_position).one()


@built_once
def _at(notification_id: int, position: int) -> SelectOfScalar[Leg]:
    return select(Leg).where(Leg.notification_id == notification_id, Leg.position == position)


def of_attempt(session: Session, attempt: Attempt) -> Leg:
    """The leg that an attempt goes by."""
    return _with_id(session, attempt.leg_id).one()


@built_once
def _with_id(leg_id: int) -> SelectOfScalar[Leg]:
    return select(Leg).where(Leg.leg_id == leg_id)


def failed_channels(session: Session, row: Notification | None) -> frozenset[str]:
    """The channels by which this notification has failed; they are not tried again."""
    if row is None:
        return frozenset()
    return channels_over(of(session, row.notification_id or 0))


def channels_over(legs: Sequence[Leg]) -> frozenset[str]:
    """The channels that have failed, of legs in their order: the last leg of a channel speaks for it."""
    last = {leg.channel: leg.over for leg in legs}
    return frozenset(channel for channel, over in last.items() if over)


def set_ways(session: Session, row: Notification, verdict: Send | Hold, takes_over: FallBack) -> None:
    """Have a leg for each way of the verdict, and the first of them be the one that is told by.

    The order of those that are there stays; an address that changed, and what the policy says now of taking
    over, hold from now on.
    """
    standing = of(session, row.notification_id or 0)
    legs = {leg.channel: leg for leg in standing}
    for way in (Way(verdict.channel, verdict.address), *verdict.others):
        leg = legs.get(way.channel)
        if leg is None:
            leg = legs[way.channel] = Leg(
                notification_id=row.notification_id or 0,
                position=len(standing),
                channel=way.channel,
                address=way.address,
            )
            standing.append(leg)
        leg.takes_over = takes_over.value
        use_address(leg, way.address)
        session.add(leg)
    row.leg_position = legs[verdict.channel].position


def tell_by(session: Session, row: Notification, channel: str, address: str) -> Leg | None:
    """Tell by this channel from now on: returns its leg, or ``None`` where none of it was ever planned."""
    legs = of(session, row.notification_id or 0)
    leg = last_of(legs, channel)
    if leg is not None:
        use_address(leg, address)
        row.leg_position = leg.position
        session.add_all([leg, row])
        session.flush()
    return leg


def use_address(leg: Leg, address: str) -> None:
    """Tell by this address from now on; a text that was made for another is made anew."""
    if leg.address != address:
        leg.address, leg.rendered_from = address, ""


def fall_back(book: Writing, attempt: Attempt, row: Notification, known: Conclusion) -> Conclusion | None:
    """That the next leg takes over, where this one failed for a reason of its own; else nothing.

    Where it is proven that no message exists, the next leg follows at once; what was put off time and again
    has its next try where there is none. One that was taken and came back may have been read all the same:
    the next leg follows it on another day, if the policy lets it. So it does what nobody can tell the outcome
    of, where the policy would rather have it said twice than not.
    """
    no_message = known.attempt in {AttemptState.REFUSED, AttemptState.NOT_PROCESSED}
    ends = no_message or known.notification in {S.GIVEN_UP, S.UNDELIVERED, S.FAILED, S.PARKED, S.HELD}
    if not known.falls_back or not ends or S(row.state) not in NEXT_LEG_FROM:
        return None
    legs = of(book.session, row.notification_id or 0)
    failed = next(leg for leg in legs if leg.leg_id == attempt.leg_id)
    following = _following(legs, failed)
    if following is None:
        return None
    _close(book.session, row, failed, following, known.reason or "failed")
    at_once = following.takes_over == FallBack.AT_ONCE or no_message
    not_before = book.now if at_once else book.now + NEXT_DAY_AFTER
    return replace(
        known, notification=S.PLANNED, reason=f"next_channel:{known.reason}", not_before=not_before
    )


def has_another_way(session: Session, row: Notification) -> bool:
    """Whether a further leg could take over from the one by which it is told now."""
    legs = of(session, row.notification_id or 0)
    return any(_following(legs, leg) is not None for leg in legs if leg.position == row.leg_position)


def pass_on(session: Session, row: Notification, why: str) -> bool:
    """Tell by the next leg, as this one is closed to us; false where there is none to take over."""
    legs = of(session, row.notification_id or 0)
    closed = next(leg for leg in legs if leg.position == row.leg_position)
    following = _following(legs, closed)
    if following is None:
        return False
    _close(session, row, closed, following, why)
    return True


def _close(session: Session, row: Notification, closed: Leg, following: Leg, why: str) -> None:
    """Have the next leg take over, also for those told in the same message: whether that one is still told by
    then, or they without it, this channel has failed for them.
    """
    closed.over, row.leg_position = why, following.position
    session.add_all([closed, row])
    for told in groups.of_lead(session, row.notification_id or 0):
        theirs = of(session, told.notification_id or 0)
        own = last_of(theirs, closed.channel)
        if own is not None:
            own.over = why
            after = _following(theirs, own)
            told.leg_position = after.position if after else told.leg_position
    session.flush()


def last_of(legs: Sequence[Leg], channel: str) -> Leg | None:
    """The leg that speaks for a channel, of legs in their order."""
    return next((leg for leg in reversed(legs) if leg.channel == channel), None)


def say_again(
    book: Writing, attempt: Attempt, row: Notification, known: Conclusion, waits: Conclusion
) -> Conclusion | None:
    """That the same channel says it again after the mend, where it came back for a fault of ours.

    Its provider says that it did not arrive, and why: nothing of it is about the person or the number.
    """
    came_back = known.notification in NOT_REACHED
    if not came_back or S(row.state) not in NEXT_LEG_FROM:
        return None
    legs = of(book.session, row.notification_id or 0)
    failed = next(leg for leg in legs if leg.leg_id == attempt.leg_id)
    failed.over = known.reason or "failed"
    again = Leg(
        notification_id=failed.notification_id,
        position=len(legs),
        channel=failed.channel,
        address=failed.address,
        takes_over=failed.takes_over,
    )
    book.session.add_all([failed, again])
    row.leg_position = again.position
    return waits


def _following(legs: Sequence[Leg], failed: Leg) -> Leg | None:
    later = (leg for leg in legs if leg.position > failed.position and not leg.over)
    found = next(later, None)
    return None if found is None or found.takes_over == FallBack.NEVER else found


def is_unsure(leg: Leg) -> bool:
    """Whether another took over from this one because nobody could tell the outcome of its attempt."""
    return leg.over == NO_EVIDENCE


def tell_by_after_all(session: Session, leg: Leg, row: Notification) -> None:
    """Have this leg, of whose attempt nobody knew the outcome, be the one that is told by again, for all that
    are told in the message.
    """
    leg.over, row.leg_position = "", leg.position
    for told in groups.of_lead(session, row.notification_id or 0):
        own = last_of(of(session, told.notification_id or 0), leg.channel)
        if own is not None and is_unsure(own):
            own.over, told.leg_position = "", own.position
