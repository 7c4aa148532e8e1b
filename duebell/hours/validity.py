"""How long a message may wait in Twilio's queue: never past the hours in which it may arrive."""

from datetime import datetime, timedelta

from duebell.twilio.messages import MAX_VALIDITY_SECONDS

LEAST_ROOM = timedelta(minutes=5)
"""What has to be left of the hours for an SMS to be begun in them.

A long code sends one segment a second (support.twilio.com, "Twilio rate limits"): the four messages of each
run that stand before this one in the queue, and those of the runs beside it, take a minute or two. A message
that Twilio would rather have had earlier expires there, and is decided anew for nothing.
"""

AT_ANY_HOUR = timedelta(hours=4)
"""How long a message without hours may wait: what is true of an invoice today may not be so tomorrow."""

LEAST_SECONDS = 60
"""A message is not posted any more with less than this left; it would expire before it is looked at."""


def validity_seconds(open_until: datetime | None, now: datetime) -> int | None:
    """The ``ValidityPeriod`` of a message that begins to wait now, or ``None`` where it is too late for it.

    ``open_until`` is when the hours of the message are over, ``None`` where it has none. Twilio takes ten
    hours at most (twilio.com/docs/messaging/api/message-resource).
    """
    left = AT_ANY_HOUR if open_until is None else open_until - now
    seconds = int(left.total_seconds())
    return min(seconds, MAX_VALIDITY_SECONDS) if seconds >= LEAST_SECONDS else None
