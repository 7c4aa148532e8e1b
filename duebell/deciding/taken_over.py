"""Whether a re-send that a person asked for stands in the place of the first message."""

from duebell.ledger.tables import Notification
from duebell.policy.reasons import OF_THE_CONTACT
from duebell.states import NotificationState


def takes_over(row: Notification) -> bool:
    """Whether it is a re-send, and the first message must not come back beside it.

    It may where nothing came of this one: it was left out, before any run took it up, because of the contact.
    Once that is mended, the first one is owed as though nobody had asked.
    """
    came_to_nothing = (
        row.state == NotificationState.SKIPPED
        and row.lease_token == 0
        and row.reason.startswith(OF_THE_CONTACT)
    )
    return row.generation > 0 and not came_to_nothing
