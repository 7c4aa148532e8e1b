"""What a provider's word for a message means for its notification."""

from duebell.ledger.tables import Attempt
from duebell.states import NOT_REACHED, AttemptState, NotificationState
from duebell.twilio.statuses import MessageStatus, message_status

S = NotificationState

MEANS: dict[MessageStatus, NotificationState] = {
    MessageStatus.SCHEDULED: S.SCHEDULED,
    MessageStatus.ACCEPTED: S.ACCEPTED,
    MessageStatus.QUEUED: S.ACCEPTED,
    MessageStatus.SENDING: S.ACCEPTED,
    MessageStatus.SENT: S.SENT,
    MessageStatus.PARTIALLY_DELIVERED: S.SENT,
    MessageStatus.DELIVERED: S.DELIVERED,
    MessageStatus.READ: S.DELIVERED,
    MessageStatus.UNDELIVERED: S.UNDELIVERED,
    MessageStatus.FAILED: S.FAILED,
    MessageStatus.CANCELED: S.FAILED,
}
"""What each of Twilio's words means for the notification. A word that is missing proves acceptance alone."""

PROGRESS = {S.SCHEDULED: 1, S.ACCEPTED: 2, S.SENT: 3, S.FAILED: 4, S.UNDELIVERED: 5, S.DELIVERED: 6}

GONE_OUT = frozenset(
    {
        MessageStatus.SENT,
        MessageStatus.PARTIALLY_DELIVERED,
        MessageStatus.UNDELIVERED,
        MessageStatus.DELIVERED,
        MessageStatus.READ,
    }
)
"""The words for a message that has left Twilio, whatever was said of it before."""


def said_of(row: Attempt) -> NotificationState:
    """What its provider said of an attempt that was accepted."""
    return of_attempt(row, MEANS.get(message_status(row.provider_status), S.ACCEPTED))


def of_attempt(row: Attempt, state: NotificationState) -> NotificationState:
    """The state, where the attempt can be in it: Twilio's Compliance Toolkit puts off messages by itself, and
    calls them scheduled too (twilio.com/docs/messaging/features/compliance-toolkit).
    """
    return S.ACCEPTED if state is S.SCHEDULED and row.send_at is None else state


def is_live(row: Attempt) -> bool:
    """Whether Twilio holds the message of this attempt until its time."""
    accepted = row.state == AttemptState.ACCEPTED.value
    return accepted and row.sid is not None and said_of(row) is S.SCHEDULED


def was_delivered(row: Attempt) -> bool:
    """Whether its provider said that the message of this attempt was delivered."""
    return said_of(row) is S.DELIVERED


def reason_of(state: NotificationState, error_code: int | None) -> str:
    """Twilio's code as the reason of a message that did not reach its phone."""
    return f"twilio:{error_code}" if error_code and state in NOT_REACHED else ""
