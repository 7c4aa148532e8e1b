"""The one gate of a notification's steps: its state is written here, and to none that it may not go to.

Statements over many rows write it themselves, where :func:`leaving` says which rows they take.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement
from sqlmodel import col

from duebell.errors import DuebellError
from duebell.ledger.meaning import PROGRESS
from duebell.ledger.tables import Notification
from duebell.states import NEXT_LEG_FROM, WAITING, NotificationState, may_follow, may_stand_apart

S = NotificationState


class InvariantBroken(DuebellError):
    """The ledger was about to say something that cannot be true. Nothing was written."""


def move(current: NotificationState, following: NotificationState) -> None:
    """Raise ``InvariantBroken`` for a step that the table of states does not know."""
    _refuse_unless(current, following, knows_it=may_follow(current, following))


def step(row: Notification, following: NotificationState) -> None:
    """Take a step of the table; to stay where it stands is none. Raises ``InvariantBroken``."""
    if S(row.state) is not following:
        move(S(row.state), following)
    row.state = following.value


def to_next_leg(row: Notification, following: NotificationState) -> None:
    """Go back to where it waits, for another leg takes over. Raises ``InvariantBroken``."""
    current = S(row.state)
    _refuse_unless(current, following, knows_it=current in NEXT_LEG_FROM and following in WAITING)
    row.state = following.value


def stand_apart(row: Notification, following: NotificationState) -> None:
    """Stand where its own message stands, no more where its lead's does. Raises ``InvariantBroken``."""
    current = S(row.state)
    _refuse_unless(current, following, knows_it=may_stand_apart(current, following))
    row.state = following.value


def follow(row: Notification, lead: Notification) -> None:
    """Stand where the one stands in whose message it is told, wherever it stood itself."""
    row.state = lead.state


def lose(row: Notification) -> None:
    """Be unknown, for the ledger was set back and lost its last attempt. Raises ``InvariantBroken``."""
    # What was told had failed and waited again, or there would be no later attempt.
    before = S.PLANNED if S(row.state) in PROGRESS else S(row.state)
    if before is not S.UNKNOWN:
        move(before, S.UNKNOWN)
    row.state = S.UNKNOWN.value


def leaving(states: Collection[NotificationState], following: NotificationState) -> ColumnElement[bool]:
    """The rows that stand in one of these states, for a statement that has them take a step from there.

    Raises ``InvariantBroken`` where one of them may not be followed by that.
    """
    for one in states:
        if one is not following:
            move(one, following)
    found = [one.value for one in states]
    state = col(Notification.state)
    return state == found[0] if len(found) == 1 else state.in_(found)


def _refuse_unless(current: NotificationState, following: NotificationState, *, knows_it: bool) -> None:
    if not knows_it:
        raise InvariantBroken(f"a notification cannot go from {current.value} to {following.value}")
