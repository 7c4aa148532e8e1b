"""The statuses of messages and emails, and how a status moves: forwards only, whatever the order of the news.

Callbacks come unordered, repeated or not at all
(twilio.com/docs/messaging/guides/track-outbound-message-status), so a status is the highest-ranking one seen.
"""

from enum import StrEnum


class MessageStatus(StrEnum):
    """Where a message stands, in Twilio's words. ``UNKNOWN`` is a word we do not know; keep the raw one."""

    UNKNOWN = "unknown"
    RECEIVING = "receiving"
    RECEIVED = "received"
    SCHEDULED = "scheduled"
    ACCEPTED = "accepted"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    PARTIALLY_DELIVERED = "partially_delivered"
    CANCELED = "canceled"
    FAILED = "failed"
    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"
    READ = "read"


_FIRST_FINAL = 100

# No two ranks are equal: only a total order makes the outcome independent of the order of arrival. Among the
# final ones the better evidence that somebody was told wins, because the worse one would tell them again.
_RANKS = {
    MessageStatus.UNKNOWN: 0,
    MessageStatus.RECEIVING: 1,
    MessageStatus.RECEIVED: 2,
    MessageStatus.SCHEDULED: 10,
    MessageStatus.ACCEPTED: 11,
    MessageStatus.QUEUED: 20,
    MessageStatus.SENDING: 30,
    MessageStatus.SENT: 40,
    MessageStatus.PARTIALLY_DELIVERED: 50,
    MessageStatus.CANCELED: _FIRST_FINAL,
    MessageStatus.FAILED: 101,
    MessageStatus.UNDELIVERED: 102,
    MessageStatus.DELIVERED: 103,
    MessageStatus.READ: 110,
}

# What emails are told in beside these words; a word that messages have too means the same for both.
_WORDS_OF_EMAIL = {
    # twilio.com/docs/email/api/reference/mail-send-resource
    "opened": MessageStatus.READ,
    "inbound": MessageStatus.RECEIVED,
    # twilio.com/docs/sendgrid/for-developers/tracking-events/event, told apart further by
    # ``duebell.email.sendgrid_events``
    "processed": MessageStatus.QUEUED,
    "deferred": MessageStatus.SENDING,
    "bounce": MessageStatus.UNDELIVERED,
    "blocked": MessageStatus.UNDELIVERED,
    "dropped": MessageStatus.UNDELIVERED,
    "dropped_bounced": MessageStatus.UNDELIVERED,
    "dropped_invalid": MessageStatus.UNDELIVERED,
    "dropped_unsubscribed": MessageStatus.UNDELIVERED,
    "dropped_spam_report": MessageStatus.UNDELIVERED,
    "open": MessageStatus.READ,
    "click": MessageStatus.READ,
    # Only somebody who has the email can complain of it, or unsubscribe by it.
    "spamreport": MessageStatus.DELIVERED,
    "unsubscribe": MessageStatus.DELIVERED,
    "group_unsubscribe": MessageStatus.DELIVERED,
    "group_resubscribe": MessageStatus.DELIVERED,
}

_BY_WORD = {status.value: status for status in MessageStatus} | _WORDS_OF_EMAIL


def message_status(raw: str) -> MessageStatus:
    """Translate the provider's word; anything else is ``UNKNOWN``. Never raises."""
    return _BY_WORD.get(raw.strip().lower(), MessageStatus.UNKNOWN)


def rank(status: MessageStatus) -> int:
    """How far along a status is; no two statuses share a rank."""
    return _RANKS[status]


def is_final(status: MessageStatus) -> bool:
    """Whether no further news is owed.

    ``sent`` is not final, yet may be the last word there ever is: not every carrier confirms delivery.
    """
    return _RANKS[status] >= _FIRST_FINAL
