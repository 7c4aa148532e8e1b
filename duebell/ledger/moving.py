"""The one gate of a notification's steps: none that the table of states does not know."""

from duebell.errors import DuebellError
from duebell.states import NotificationState, may_follow


class InvariantBroken(DuebellError):
    """The ledger was about to say something that cannot be true. Nothing was written."""


def move(current: NotificationState, following: NotificationState) -> None:
    """Raise ``InvariantBroken`` for a step that the table of states does not know."""
    if not may_follow(current, following):
        raise InvariantBroken(f"a notification cannot go from {current.value} to {following.value}")
